// SPDX-License-Identifier: Apache-2.0
#include "kernels/qnormalize/qnormalize.h"

#include <math.h>
#include <string.h>

namespace tealight {

const QNormalizeKernels* QNormalizeKernels_scalar();
const QNormalizeKernels* QNormalizeKernels_arm_neon();
const QNormalizeKernels* QNormalizeKernels_x86_avx2();
const QNormalizeKernels* QNormalizeKernels_x86_avx512();
const QNormalizeKernels* QNormalizeKernels_x86_avx512vnni();

void FillSoftmaxTable(const float* exponentials, float steps, SoftmaxTable* table) {
  memset(table, 0, sizeof(*table));
  table->steps = steps;
  for (size_t i = 0; i < 256; ++i) {
    const float rounded = rintf(exponentials[255 - i] * 65535.0f);
    const uint32_t e = rounded >= 65535.0f ? 65535 : rounded > 0.0f ? static_cast<uint32_t>(rounded) : 0;
    table->low[i] = static_cast<uint8_t>(e & 0xff);
    table->high[i] = static_cast<uint8_t>(e >> 8);
    table->e[i] = static_cast<float>(e);
  }
  // A sum has at least the entry of the maximum, which is the last.
  const float most = steps / table->e[255];  // infinite if that is 0
  size_t first = 0;
  while (first < 255 && table->e[255] > 0.0f && table->e[first] * most <= 0.5f) ++first;
  table->first = first / 64 * 64;
}

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
