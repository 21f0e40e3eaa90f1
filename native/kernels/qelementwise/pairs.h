// SPDX-License-Identifier: Apache-2.0
// AddVectors and MulVectors: whole blocks of sums and products of int8 whose results, before the clamp, are known to
// lie within 16 bits. Both return how many elements they did; the caller does the rest. The bits are those of
// AddRescaled and Requantize: where a path has no shorter way they do nothing.
//
// NEON: an integer becomes float32 as the low bits of 1.5 * 2^23 less that number, and float32 is rounded by adding it,
// so that the low 16 bits are the result; that is faster than the conversions, which few pipes have.
#ifndef TEALIGHT_KERNELS_QELEMENTWISE_PAIRS_H_
#define TEALIGHT_KERNELS_QELEMENTWISE_PAIRS_H_

#include "kernels/qelementwise/qelementwise.h"

namespace tealight {
namespace TL_ISA {

// Whether |y| < 2^15 - 1 for every pair of int8.
TL_INLINE bool FitsInt16(const RescaledAdd& add) {
  return 128.0f * (__builtin_fabsf(add.a_scale) + __builtin_fabsf(add.b_scale)) + __builtin_fabsf(add.offset) <
         32000.0f;
}
TL_INLINE bool FitsInt16(const RescaledMul& mul) {
  return !mul.output.wide && 65025.0f * __builtin_fabsf(mul.scale) < 32000.0f;
}

#if TL_SIMD == TL_SIMD_arm_neon

struct FloatBlock {
  float32x4_t v[4];
};

// 16 int32 around 1.5 * 2^23 as float32.
TL_INLINE float32x4_t RawUnbias(int32x4_t bits) {
  return vsubq_f32(vreinterpretq_f32_s32(bits), vdupq_n_f32(kRoundOffset));
}
TL_INLINE FloatBlock RawToFloats(int8x16_t x) {
  const int16x8_t low = vmovl_s8(vget_low_s8(x)), high = vmovl_s8(vget_high_s8(x));
  const int32x4_t bias = vdupq_n_s32(kRoundOffsetBits);
  return {{RawUnbias(vaddw_s16(bias, vget_low_s16(low))), RawUnbias(vaddw_s16(bias, vget_high_s16(low))),
           RawUnbias(vaddw_s16(bias, vget_low_s16(high))), RawUnbias(vaddw_s16(bias, vget_high_s16(high)))}};
}
TL_INLINE int16x8_t RawLowHalves(float32x4_t a, float32x4_t b) {
#if defined(__aarch64__)
  return vuzp1q_s16(vreinterpretq_s16_f32(a), vreinterpretq_s16_f32(b));
#else
  return vuzpq_s16(vreinterpretq_s16_f32(a), vreinterpretq_s16_f32(b)).val[0];
#endif
}
// The low 16 bits of each lane, saturated and clamped.
TL_INLINE void RawStoreBlock(int8_t* y, const FloatBlock& r, int8x16_t lo, int8x16_t hi) {
  const int8x8_t low = vqmovn_s16(RawLowHalves(r.v[0], r.v[1])), high = vqmovn_s16(RawLowHalves(r.v[2], r.v[3]));
  vst1q_s8(y, vminq_s8(vmaxq_s8(vcombine_s8(low, high), lo), hi));
}

template <bool a_each, bool b_each>
TL_INLINE size_t AddVectors(size_t n, const int8_t* a, const int8_t* b, const RescaledAdd& add, int8_t* y) {
  const float32x4_t a_scale = vdupq_n_f32(add.a_scale), b_scale = vdupq_n_f32(add.b_scale);
  const float32x4_t offset = vdupq_n_f32(add.offset), round = vdupq_n_f32(kRoundOffset);
  const int8x16_t lo = vdupq_n_s8(static_cast<int8_t>(add.lo)), hi = vdupq_n_s8(static_cast<int8_t>(add.hi));
  const float32x4_t a0 = vfmaq_f32(offset, vdupq_n_f32(static_cast<float>(*a)), a_scale);
  const float32x4_t b0 = vdupq_n_f32(static_cast<float>(*b));
  size_t i = 0;
  for (; i + 16 <= n; i += 16) {
    FloatBlock r = {{a0, a0, a0, a0}}, q = {{b0, b0, b0, b0}};
    if (a_each) {
      const FloatBlock p = RawToFloats(vld1q_s8(a + i));
      for (int j = 0; j < 4; ++j) r.v[j] = vfmaq_f32(offset, p.v[j], a_scale);
    }
    if (b_each) q = RawToFloats(vld1q_s8(b + i));
    for (int j = 0; j < 4; ++j) r.v[j] = vaddq_f32(vfmaq_f32(r.v[j], q.v[j], b_scale), round);
    RawStoreBlock(y + i, r, lo, hi);
  }
  return i;
}

template <bool a_each, bool b_each>
TL_INLINE size_t MulVectors(size_t n, const int8_t* a, const int8_t* b, const RescaledMul& mul, int8_t* y) {
  const int8x8_t a_zero = vdup_n_s8(static_cast<int8_t>(mul.a_zero_point));
  const int8x8_t b_zero = vdup_n_s8(static_cast<int8_t>(mul.b_zero_point));
  const int32x4_t bias = vdupq_n_s32(kRoundOffsetBits);
  const float32x4_t scale = vdupq_n_f32(mul.scale);
  const float32x4_t round = vdupq_n_f32(kRoundOffset + static_cast<float>(mul.output.zero_point));
  const int8x16_t lo = vdupq_n_s8(static_cast<int8_t>(mul.output.lo));
  const int8x16_t hi = vdupq_n_s8(static_cast<int8_t>(mul.output.hi));
  size_t i = 0;
  for (; i + 16 <= n; i += 16) {
    const int8x16_t u = a_each ? vld1q_s8(a + i) : vdupq_n_s8(*a), v = b_each ? vld1q_s8(b + i) : vdupq_n_s8(*b);
    const int16x8_t p[2] = {vsubl_s8(vget_low_s8(u), a_zero), vsubl_s8(vget_high_s8(u), a_zero)};
    const int16x8_t q[2] = {vsubl_s8(vget_low_s8(v), b_zero), vsubl_s8(vget_high_s8(v), b_zero)};
    FloatBlock r;
    for (int j = 0; j < 2; ++j) {
      const float32x4_t low = RawUnbias(vmlal_s16(bias, vget_low_s16(p[j]), vget_low_s16(q[j])));
      const float32x4_t high = RawUnbias(vmlal_s16(bias, vget_high_s16(p[j]), vget_high_s16(q[j])));
      r.v[2 * j] = vfmaq_f32(round, low, scale);
      r.v[2 * j + 1] = vfmaq_f32(round, high, scale);
    }
    RawStoreBlock(y + i, r, lo, hi);
  }
  return i;
}

#elif TL_SIMD == TL_SIMD_x86_avx2 || TL_SIMD == TL_SIMD_x86_avx512

// x86: results are clamped as bytes, after packing has saturated them.
#if TL_SIMD == TL_SIMD_x86_avx2
using ByteVector = __m256i;
TL_INLINE ByteVector RawSplatByte(int32_t x) { return _mm256_set1_epi8(static_cast<char>(x)); }
TL_INLINE void RawStoreClamped(int8_t* y, const I32Quad& r, ByteVector lo, ByteVector hi) {
  const __m256i low = _mm256_packs_epi32(r.v[0].v, r.v[1].v), high = _mm256_packs_epi32(r.v[2].v, r.v[3].v);
  RawStoreGroups(y, _mm256_min_epi8(_mm256_max_epi8(_mm256_packs_epi16(low, high), lo), hi));
}
#else
using ByteVector = __m512i;
TL_INLINE ByteVector RawSplatByte(int32_t x) { return _mm512_set1_epi8(static_cast<char>(x)); }
TL_INLINE void RawStoreClamped(int8_t* y, const I32Quad& r, ByteVector lo, ByteVector hi) {
  const __m512i low = _mm512_packs_epi32(r.v[0].v, r.v[1].v), high = _mm512_packs_epi32(r.v[2].v, r.v[3].v);
  RawStoreGroups(y, _mm512_min_epi8(_mm512_max_epi8(_mm512_packs_epi16(low, high), lo), hi));
}
#endif

template <bool a_each, bool b_each>
TL_INLINE size_t AddVectors(size_t n, const int8_t* a, const int8_t* b, const RescaledAdd& add, int8_t* y) {
  const RescaledAddVectors v = SplatRescaledAdd(add);
  const ByteVector lo = RawSplatByte(add.lo), hi = RawSplatByte(add.hi);
  const F32 a0 = Fma(Splat(static_cast<float>(*a)), v.a_scale, v.offset), b0 = Splat(static_cast<float>(*b));
  size_t i = 0;
  for (; i + 4 * kLanes <= n; i += 4 * kLanes) {
    I32Quad r;
    for (size_t j = 0; j < 4; ++j) {
      const size_t at = i + j * kLanes;
      const F32 inner = a_each ? Fma(ToFloat(LoadInt8(a + at)), v.a_scale, v.offset) : a0;
      r.v[j] = ToInt(Fma(b_each ? ToFloat(LoadInt8(b + at)) : b0, v.b_scale, inner));
    }
    RawStoreClamped(y + i, r, lo, hi);
  }
  return i;
}

template <bool a_each, bool b_each>
TL_INLINE size_t MulVectors(size_t n, const int8_t* a, const int8_t* b, const RescaledMul& mul, int8_t* y) {
  const RequantizeVectors v = SplatRequantization(mul.output);
  const ByteVector lo = RawSplatByte(mul.output.lo), hi = RawSplatByte(mul.output.hi);
  const I32 a_zero = SplatI32(mul.a_zero_point), b_zero = SplatI32(mul.b_zero_point);
  const I32 a0 = Sub(SplatI32(*a), a_zero), b0 = Sub(SplatI32(*b), b_zero);
  const F32 scale = Splat(mul.scale);
  size_t i = 0;
  for (; i + 4 * kLanes <= n; i += 4 * kLanes) {
    I32Quad r;
    for (size_t j = 0; j < 4; ++j) {
      const size_t at = i + j * kLanes;
      const I32 p = a_each ? Sub(LoadInt8(a + at), a_zero) : a0, q = b_each ? Sub(LoadInt8(b + at), b_zero) : b0;
      r.v[j] = Sub(BitsOf(Fma(ToFloat(Mul(p, q)), scale, v.offset)), v.offset_bits);
    }
    RawStoreClamped(y + i, r, lo, hi);
  }
  return i;
}

#else

template <bool a_each, bool b_each>
TL_INLINE size_t AddVectors(size_t, const int8_t*, const int8_t*, const RescaledAdd&, int8_t*) {
  return 0;
}
template <bool a_each, bool b_each>
TL_INLINE size_t MulVectors(size_t, const int8_t*, const int8_t*, const RescaledMul&, int8_t*) {
  return 0;
}

#endif

}  // namespace TL_ISA
}  // namespace tealight

#endif  // TEALIGHT_KERNELS_QELEMENTWISE_PAIRS_H_
