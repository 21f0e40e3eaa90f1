// SPDX-License-Identifier: Apache-2.0
// Picks the int8 depthwise kernels of a path.
#include "kernels/qdwconv/qdwconv.h"

namespace tealight {

const QDwconvKernels* FindQDwconv(Isa isa) {
  switch (isa) {
#ifdef TL_HAVE_X86_AVX512VNNI
    case Isa::kX86Avx512Vnni:
      return QDwconvKernels_x86_avx512vnni();
#endif
#ifdef TL_HAVE_ARM_NEONDOT
    case Isa::kArmNeonDot:
    case Isa::kArmNeonI8mm:
      return IssuesInOrder() ? QDwconvKernels_arm_neondot_inorder() : QDwconvKernels_arm_neondot();
#endif
    default:
      break;
  }
  switch (BaseIsa(isa)) {
#ifdef TL_HAVE_ARM_NEON
    case Isa::kArmNeon:
      return QDwconvKernels_arm_neon();
#endif
#ifdef TL_HAVE_X86_AVX2
    case Isa::kX86Avx2:
      return QDwconvKernels_x86_avx2();
#endif
#ifdef TL_HAVE_X86_AVX512
    case Isa::kX86Avx512:
      return QDwconvKernels_x86_avx512();
#endif
    default:
      return QDwconvKernels_scalar();
  }
}

}  // namespace tealight
