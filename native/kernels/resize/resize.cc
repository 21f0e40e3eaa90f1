// SPDX-License-Identifier: Apache-2.0
// Picks the resampling kernels of a path.
#include "kernels/resize/resize.h"

namespace tealight {

const ResizeKernels* FindResize(Isa isa) {
  switch (BaseIsa(isa)) {
#ifdef TL_HAVE_ARM_NEON
    case Isa::kArmNeon:
      return ResizeKernels_arm_neon();
#endif
#ifdef TL_HAVE_X86_AVX2
    case Isa::kX86Avx2:
      return ResizeKernels_x86_avx2();
#endif
#ifdef TL_HAVE_X86_AVX512
    case Isa::kX86Avx512:
      return ResizeKernels_x86_avx512();
#endif
    default:
      return ResizeKernels_scalar();
  }
}

}  // namespace tealight
