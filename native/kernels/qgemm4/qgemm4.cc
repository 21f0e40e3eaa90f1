// SPDX-License-Identifier: Apache-2.0
#include "kernels/qgemm4/qgemm4.h"

namespace tealight {

const QGemmKernels* QGemm4Kernels_arm_neondot();
const QGemmKernels* QGemm4Kernels_x86_avx512vnni();

const QGemmKernels* FindQGemm4(Isa isa, [[maybe_unused]] size_t m) {
  switch (isa) {
#ifdef TL_HAVE_X86_AVX512VNNI
    case Isa::kX86Avx512Vnni:
      return m <= 12 ? QGemm4Kernels_x86_avx512vnni() : nullptr;
#endif
#ifdef TL_HAVE_ARM_NEONDOT
    case Isa::kArmNeonDot:
      return m <= (IssuesInOrder() ? 4 : 48) ? QGemm4Kernels_arm_neondot() : nullptr;
    case Isa::kArmNeonI8mm:
      return m <= 4 ? QGemm4Kernels_arm_neondot() : nullptr;  // smmla is twice as fast as sdot
#endif
    default:
      return nullptr;
  }
}

}  // namespace tealight
