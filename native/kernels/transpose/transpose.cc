// SPDX-License-Identifier: Apache-2.0
// Picks the transpose kernels of a path.
#include "kernels/transpose/transpose.h"

namespace tealight {

const TransposeKernels* FindTranspose(Isa isa) {
  switch (BaseIsa(isa)) {
#ifdef TL_HAVE_ARM_NEON
    case Isa::kArmNeon:
      return TransposeKernels_arm_neon();
#endif
#ifdef TL_HAVE_X86_AVX2
    case Isa::kX86Avx2:
      return TransposeKernels_x86_avx2();
#endif
#ifdef TL_HAVE_X86_AVX512
    case Isa::kX86Avx512:
      return TransposeKernels_x86_avx512();
#endif
    default:
      return TransposeKernels_scalar();
  }
}

}  // namespace tealight
