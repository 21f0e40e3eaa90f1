// SPDX-License-Identifier: Apache-2.0
// Picks the pooling kernels of a path.
#include "kernels/pool/pool.h"

namespace tealight {

const PoolKernels* FindPool(Isa isa) {
  switch (BaseIsa(isa)) {
#ifdef TL_HAVE_ARM_NEON
    case Isa::kArmNeon:
      return PoolKernels_arm_neon();
#endif
#ifdef TL_HAVE_X86_AVX2
    case Isa::kX86Avx2:
      return PoolKernels_x86_avx2();
#endif
#ifdef TL_HAVE_X86_AVX512
    case Isa::kX86Avx512:
      return PoolKernels_x86_avx512();
#endif
    default:
      return PoolKernels_scalar();
  }
}

}  // namespace tealight
