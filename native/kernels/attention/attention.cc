// SPDX-License-Identifier: Apache-2.0
#include "kernels/attention/attention.h"

namespace tealight {

const AttentionKernels* AttentionKernels_scalar();
const AttentionKernels* AttentionKernels_arm_neon();
const AttentionKernels* AttentionKernels_x86_avx2();
const AttentionKernels* AttentionKernels_x86_avx512();

const AttentionKernels* FindAttention(Isa isa) {
  switch (BaseIsa(isa)) {
#ifdef TL_HAVE_X86_AVX512
    case Isa::kX86Avx512:
      return AttentionKernels_x86_avx512();
#endif
#ifdef TL_HAVE_X86_AVX2
    case Isa::kX86Avx2:
      return AttentionKernels_x86_avx2();
#endif
#ifdef TL_HAVE_ARM_NEON
    case Isa::kArmNeon:
      return AttentionKernels_arm_neon();
#endif
    default:
      return AttentionKernels_scalar();
  }
}

}  // namespace tealight
