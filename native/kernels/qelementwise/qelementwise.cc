// SPDX-License-Identifier: Apache-2.0
#include "kernels/qelementwise/qelementwise.h"

namespace tealight {

const QElementwiseKernels* QElementwiseKernels_scalar();
const QElementwiseKernels* QElementwiseKernels_arm_neon();
const QElementwiseKernels* QElementwiseKernels_x86_avx2();
const QElementwiseKernels* QElementwiseKernels_x86_avx512();
const QElementwiseKernels* QElementwiseKernels_x86_avx512vnni();

const QElementwiseKernels* FindQElementwise(Isa isa) {
  switch (isa) {
#ifdef TL_HAVE_ARM_NEON
    case Isa::kArmNeon:
    case Isa::kArmNeonDot:
    case Isa::kArmNeonI8mm:
      return QElementwiseKernels_arm_neon();
#endif
#ifdef TL_HAVE_X86_AVX2
    case Isa::kX86Avx2:
      return QElementwiseKernels_x86_avx2();
#endif
#ifdef TL_HAVE_X86_AVX512
    case Isa::kX86Avx512:
      return QElementwiseKernels_x86_avx512();
#endif
#ifdef TL_HAVE_X86_AVX512VNNI
    case Isa::kX86Avx512Vnni:
      return QElementwiseKernels_x86_avx512vnni();
#endif
    default:
      return QElementwiseKernels_scalar();
  }
}

}  // namespace tealight
