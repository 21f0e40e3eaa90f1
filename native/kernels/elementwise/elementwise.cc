// SPDX-License-Identifier: Apache-2.0
#include "kernels/elementwise/elementwise.h"

namespace tealight {

const ElementwiseKernels* ElementwiseKernels_scalar();
const ElementwiseKernels* ElementwiseKernels_arm_neon();
const ElementwiseKernels* ElementwiseKernels_x86_avx2();
const ElementwiseKernels* ElementwiseKernels_x86_avx512();

const ElementwiseKernels* FindElementwise(Isa isa) {
  switch (BaseIsa(isa)) {
#ifdef TL_HAVE_ARM_NEON
    case Isa::kArmNeon:
      return ElementwiseKernels_arm_neon();
#endif
#ifdef TL_HAVE_X86_AVX2
    case Isa::kX86Avx2:
      return ElementwiseKernels_x86_avx2();
#endif
#ifdef TL_HAVE_X86_AVX512
    case Isa::kX86Avx512:
      return ElementwiseKernels_x86_avx512();
#endif
    default:
      return ElementwiseKernels_scalar();
  }
}

}  // namespace tealight
