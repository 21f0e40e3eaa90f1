// SPDX-License-Identifier: Apache-2.0
// Picks the integer resampling kernels of a path.
#include "kernels/qresize/qresize.h"

namespace tealight {

const QResizeKernels* FindQResize(Isa isa) {
  switch (BaseIsa(isa)) {
#ifdef TL_HAVE_ARM_NEON
    case Isa::kArmNeon:
      return QResizeKernels_arm_neon();
#endif
#ifdef TL_HAVE_X86_AVX2
    case Isa::kX86Avx2:
      return QResizeKernels_x86_avx2();
#endif
#ifdef TL_HAVE_X86_AVX512
    case Isa::kX86Avx512:
      return QResizeKernels_x86_avx512();
#endif
    default:
      return QResizeKernels_scalar();
  }
}

}  // namespace tealight
