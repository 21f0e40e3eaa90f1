// SPDX-License-Identifier: Apache-2.0
// Picks the integer pooling kernels of a path, and the scale of a mean.
#include "kernels/qpool/qpool.h"

namespace tealight {

float ScaleOfMean(float scale, int64_t count) { return count == 0 ? 0.0f : scale / static_cast<float>(count); }

const QPoolKernels* FindQPool(Isa isa) {
  switch (BaseIsa(isa)) {
#ifdef TL_HAVE_ARM_NEON
    case Isa::kArmNeon:
      return QPoolKernels_arm_neon();
#endif
#ifdef TL_HAVE_X86_AVX2
    case Isa::kX86Avx2:
      return QPoolKernels_x86_avx2();
#endif
#ifdef TL_HAVE_X86_AVX512
    case Isa::kX86Avx512:
      return QPoolKernels_x86_avx512();
#endif
    default:
      return QPoolKernels_scalar();
  }
}

}  // namespace tealight
