// SPDX-License-Identifier: Apache-2.0
#include "kernels/normalize/normalize.h"

namespace tealight {

const NormalizeKernels* NormalizeKernels_scalar();
const NormalizeKernels* NormalizeKernels_arm_neon();
const NormalizeKernels* NormalizeKernels_x86_avx2();
const NormalizeKernels* NormalizeKernels_x86_avx512();

const NormalizeKernels* FindNormalize(Isa isa) {
  switch (BaseIsa(isa)) {
#ifdef TL_HAVE_ARM_NEON
    case Isa::kArmNeon:
      return NormalizeKernels_arm_neon();
#endif
#ifdef TL_HAVE_X86_AVX2
    case Isa::kX86Avx2:
      return NormalizeKernels_x86_avx2();
#endif
#ifdef TL_HAVE_X86_AVX512
    case Isa::kX86Avx512:
      return NormalizeKernels_x86_avx512();
#endif
    default:
      return NormalizeKernels_scalar();
  }
}

}  // namespace tealight
