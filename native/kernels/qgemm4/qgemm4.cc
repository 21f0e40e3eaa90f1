// SPDX-License-Identifier: Apache-2.0
#include "kernels/qgemm4/qgemm4.h"

namespace tealight {

const QGemmKernels* QGemm4Kernels_arm_neondot();
const QGemmKernels* QGemm4Kernels_x86_avx512vnni();

const QGemmKernels* FindQGemm4(Isa isa) {
  switch (isa) {
#ifdef TL_HAVE_X86_AVX512VNNI
    case Isa::kX86Avx512Vnni:
      return QGemm4Kernels_x86_avx512vnni();
#endif
#ifdef TL_HAVE_ARM_NEONDOT
    case Isa::kArmNeonDot:
    case Isa::kArmNeonI8mm:
      return QGemm4Kernels_arm_neondot();
#endif
    default:
      return nullptr;
  }
}

}  // namespace tealight
