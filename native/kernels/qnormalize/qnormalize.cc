// SPDX-License-Identifier: Apache-2.0
#include "kernels/qnormalize/qnormalize.h"

#include <math.h>

namespace tealight {

const QNormalizeKernels* QNormalizeKernels_scalar();
const QNormalizeKernels* QNormalizeKernels_arm_neon();
const QNormalizeKernels* QNormalizeKernels_x86_avx2();
const QNormalizeKernels* QNormalizeKernels_x86_avx512();
const QNormalizeKernels* QNormalizeKernels_x86_avx512vnni();

NormFactor NormFactorOf(const QLayerNormArgs& args, int64_t n, int64_t sum, int64_t squares) {
  const int64_t z = args.x_zero_point;
  const double count = static_cast<double>(n), x_scale = static_cast<double>(args.x_scale);
  double mean = 0, variance;
  if (args.rms) {
    variance = static_cast<double>(squares - 2 * z * sum + n * z * z) / count;
  } else {
    mean = static_cast<double>(sum - n * z) / count;
    variance = static_cast<double>(n * squares - sum * sum) / (count * count);
  }
  return {x_scale / sqrt(variance * (x_scale * x_scale) + static_cast<double>(args.epsilon)), mean};
}

const QNormalizeKernels* FindQNormalize(Isa isa) {
  switch (isa) {
#ifdef TL_HAVE_ARM_NEON
    case Isa::kArmNeon:
    case Isa::kArmNeonDot:
    case Isa::kArmNeonI8mm:
      return QNormalizeKernels_arm_neon();
#endif
#ifdef TL_HAVE_X86_AVX2
    case Isa::kX86Avx2:
      return QNormalizeKernels_x86_avx2();
#endif
#ifdef TL_HAVE_X86_AVX512
    case Isa::kX86Avx512:
      return QNormalizeKernels_x86_avx512();
#endif
#ifdef TL_HAVE_X86_AVX512VNNI
    case Isa::kX86Avx512Vnni:
      return QNormalizeKernels_x86_avx512vnni();
#endif
    default:
      return QNormalizeKernels_scalar();
  }
}

}  // namespace tealight
