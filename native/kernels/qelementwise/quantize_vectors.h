// SPDX-License-Identifier: Apache-2.0
// QuantizeVectors: whole blocks of a quantization with one scale without dividing, where division is slow (NEON). The
// product with 1 / scale is within 3 * 2^-24 of the quotient, relative; where it is not too near to the middle of two
// integers both round to the same one. Other blocks, and those with a NaN, are divided.
#ifndef TEALIGHT_KERNELS_QELEMENTWISE_QUANTIZE_VECTORS_H_
#define TEALIGHT_KERNELS_QELEMENTWISE_QUANTIZE_VECTORS_H_

#include "base/simd/vec.h"
#include "kernels/requantize.h"

namespace tealight {
namespace TL_ISA {

#if TL_SIMD == TL_SIMD_arm_neon && defined(__aarch64__)

// The low 16 bits of 4 x 4 numbers, saturated.
TL_INLINE void RawStoreLow(int8_t* y, int16x8_t low, int16x8_t high) {
  vst1q_s8(y, vcombine_s8(vqmovn_s16(low), vqmovn_s16(high)));
}
TL_INLINE void RawStoreLow(uint8_t* y, int16x8_t low, int16x8_t high) {
  vst1q_u8(y, vcombine_u8(vqmovun_s16(low), vqmovun_s16(high)));
}

/// Returns how many elements it did; divide(i) does the 16 elements from i on. |lo - zero_point| and |hi - zero_point|
/// are below 512.
template <typename T, typename Divide>
TL_INLINE size_t QuantizeVectors(size_t n, const float* x, float scale, int32_t zero_point, int lo, int hi, T* y,
                                 const Divide& divide) {
  if (!(scale >= 0x1p-100f && scale <= 0x1p100f)) return 0;
  const float32x4_t inverse = vdupq_n_f32(1.0f / scale), least = vdupq_n_f32(static_cast<float>(lo - zero_point));
  const float32x4_t greatest = vdupq_n_f32(static_cast<float>(hi - zero_point));
  const float32x4_t round = vdupq_n_f32(kRoundOffset + static_cast<float>(zero_point));
  const float32x4_t limit = vdupq_n_f32(0.5f - 0x1p-13f);
  size_t i = 0;
  for (; i + 16 <= n; i += 16) {
    float32x4_t r[4], away[4];
    for (size_t j = 0; j < 4; ++j) {
      const float32x4_t product = vmulq_f32(vld1q_f32(x + i + 4 * j), inverse);
      const float32x4_t q = vminq_f32(vmaxq_f32(product, least), greatest);  // NaN stays
      r[j] = vaddq_f32(q, round);
      away[j] = vabdq_f32(vsubq_f32(r[j], round), q);
    }
    const float32x4_t most = vmaxq_f32(vmaxq_f32(away[0], away[1]), vmaxq_f32(away[2], away[3]));
    if (vminvq_u32(vcltq_f32(most, limit)) == 0) {
      divide(i);
      continue;
    }
    RawStoreLow(y + i, vuzp1q_s16(vreinterpretq_s16_f32(r[0]), vreinterpretq_s16_f32(r[1])),
                vuzp1q_s16(vreinterpretq_s16_f32(r[2]), vreinterpretq_s16_f32(r[3])));
  }
  return i;
}

#else

template <typename T, typename Divide>
TL_INLINE size_t QuantizeVectors(size_t, const float*, float, int32_t, int, int, T*, const Divide&) {
  return 0;
}

#endif

}  // namespace TL_ISA
}  // namespace tealight

#endif  // TEALIGHT_KERNELS_QELEMENTWISE_QUANTIZE_VECTORS_H_
