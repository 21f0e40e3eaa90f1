// SPDX-License-Identifier: Apache-2.0
// Picks the depthwise kernels of a path.
#include "kernels/dwconv/dwconv.h"

namespace tealight {

const DwconvKernels* FindDwconv(Isa isa) {
  switch (BaseIsa(isa)) {
#ifdef TL_HAVE_ARM_NEON
    case Isa::kArmNeon:
#if defined(__aarch64__)
      if (IssuesInOrder()) return DwconvKernels_arm_neon_inorder();
#endif
      return DwconvKernels_arm_neon();
#endif
#ifdef TL_HAVE_X86_AVX2
    case Isa::kX86Avx2:
      return DwconvKernels_x86_avx2();
#endif
#ifdef TL_HAVE_X86_AVX512
    case Isa::kX86Avx512:
      return DwconvKernels_x86_avx512();
#endif
    default:
      return DwconvKernels_scalar();
  }
}

}  // namespace tealight
