// SPDX-License-Identifier: Apache-2.0
// 8 lanes of AVX2 with FMA and F16C. Included by vec.h only.
#ifndef TEALIGHT_BASE_SIMD_X86_AVX2_H_
#define TEALIGHT_BASE_SIMD_X86_AVX2_H_

#include <immintrin.h>

namespace tealight {
namespace TL_ISA {

constexpr size_t kLanes = 8;
struct F32 {
  __m256 v;
};
struct I32 {
  __m256i v;
};
struct M32 {
  __m256 v;  // all ones or all zeros in each lane
};

// The first n of 8 lanes.
TL_INLINE __m256i RawTail(size_t n) {
  return _mm256_cmpgt_epi32(_mm256_set1_epi32(static_cast<int>(n)), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}

TL_INLINE F32 Load(const float* p) { return {_mm256_loadu_ps(p)}; }
TL_INLINE F32 LoadPartial(const float* p, size_t n, F32 fill) {
  const __m256i tail = RawTail(n);
  return {_mm256_blendv_ps(fill.v, _mm256_maskload_ps(p, tail), _mm256_castsi256_ps(tail))};
}
TL_INLINE void Store(float* p, F32 a) { _mm256_storeu_ps(p, a.v); }
TL_INLINE void StorePartial(float* p, F32 a, size_t n) { _mm256_maskstore_ps(p, RawTail(n), a.v); }
TL_INLINE F32 Splat(float x) { return {_mm256_set1_ps(x)}; }
TL_INLINE I32 LoadI32(const int32_t* p) { return {_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p))}; }
TL_INLINE void StoreI32(int32_t* p, I32 a) { _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), a.v); }
TL_INLINE I32 SplatI32(int32_t x) { return {_mm256_set1_epi32(x)}; }

TL_INLINE F32 Add(F32 a, F32 b) { return {_mm256_add_ps(a.v, b.v)}; }
TL_INLINE F32 Sub(F32 a, F32 b) { return {_mm256_sub_ps(a.v, b.v)}; }
TL_INLINE F32 Mul(F32 a, F32 b) { return {_mm256_mul_ps(a.v, b.v)}; }
TL_INLINE F32 Div(F32 a, F32 b) { return {_mm256_div_ps(a.v, b.v)}; }
TL_INLINE F32 Sqrt(F32 a) { return {_mm256_sqrt_ps(a.v)}; }
TL_INLINE F32 Fma(F32 a, F32 b, F32 c) { return {_mm256_fmadd_ps(a.v, b.v, c.v)}; }
TL_INLINE F32 Fnma(F32 a, F32 b, F32 c) { return {_mm256_fnmadd_ps(a.v, b.v, c.v)}; }
TL_INLINE F32 Abs(F32 a) { return {_mm256_andnot_ps(_mm256_set1_ps(-0.0f), a.v)}; }
TL_INLINE F32 Neg(F32 a) { return {_mm256_xor_ps(_mm256_set1_ps(-0.0f), a.v)}; }
TL_INLINE F32 RoundEven(F32 a) { return {_mm256_round_ps(a.v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC)}; }
TL_INLINE F32 Floor(F32 a) { return {_mm256_round_ps(a.v, _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC)}; }
TL_INLINE F32 Ceil(F32 a) { return {_mm256_round_ps(a.v, _MM_FROUND_TO_POS_INF | _MM_FROUND_NO_EXC)}; }
TL_INLINE F32 Trunc(F32 a) { return {_mm256_round_ps(a.v, _MM_FROUND_TO_ZERO | _MM_FROUND_NO_EXC)}; }
TL_INLINE F32 ClampMin(F32 x, F32 lo) { return {_mm256_max_ps(lo.v, x.v)}; }
TL_INLINE F32 ClampMax(F32 x, F32 hi) { return {_mm256_min_ps(hi.v, x.v)}; }
TL_INLINE F32 Max(F32 a, F32 b) {
  return {_mm256_blendv_ps(_mm256_max_ps(b.v, a.v), b.v, _mm256_cmp_ps(b.v, b.v, _CMP_UNORD_Q))};
}
TL_INLINE F32 Min(F32 a, F32 b) {
  return {_mm256_blendv_ps(_mm256_min_ps(b.v, a.v), b.v, _mm256_cmp_ps(b.v, b.v, _CMP_UNORD_Q))};
}

TL_INLINE M32 CmpLt(F32 a, F32 b) { return {_mm256_cmp_ps(a.v, b.v, _CMP_LT_OQ)}; }
TL_INLINE M32 CmpLe(F32 a, F32 b) { return {_mm256_cmp_ps(a.v, b.v, _CMP_LE_OQ)}; }
TL_INLINE M32 CmpGt(F32 a, F32 b) { return {_mm256_cmp_ps(a.v, b.v, _CMP_GT_OQ)}; }
TL_INLINE M32 CmpGe(F32 a, F32 b) { return {_mm256_cmp_ps(a.v, b.v, _CMP_GE_OQ)}; }
TL_INLINE M32 CmpEq(F32 a, F32 b) { return {_mm256_cmp_ps(a.v, b.v, _CMP_EQ_OQ)}; }
TL_INLINE M32 CmpNe(F32 a, F32 b) { return {_mm256_cmp_ps(a.v, b.v, _CMP_NEQ_UQ)}; }
TL_INLINE F32 Select(M32 m, F32 a, F32 b) { return {_mm256_blendv_ps(b.v, a.v, m.v)}; }
TL_INLINE I32 Select(M32 m, I32 a, I32 b) { return {_mm256_blendv_epi8(b.v, a.v, _mm256_castps_si256(m.v))}; }
TL_INLINE M32 And(M32 a, M32 b) { return {_mm256_and_ps(a.v, b.v)}; }
TL_INLINE M32 Or(M32 a, M32 b) { return {_mm256_or_ps(a.v, b.v)}; }
TL_INLINE M32 Xor(M32 a, M32 b) { return {_mm256_xor_ps(a.v, b.v)}; }
TL_INLINE M32 AndNot(M32 a, M32 b) { return {_mm256_andnot_ps(b.v, a.v)}; }
TL_INLINE bool Any(M32 m) { return _mm256_movemask_ps(m.v) != 0; }
TL_INLINE bool All(M32 m) { return _mm256_movemask_ps(m.v) == 0xff; }

TL_INLINE I32 BitsOf(F32 a) { return {_mm256_castps_si256(a.v)}; }
TL_INLINE F32 FloatOf(I32 a) { return {_mm256_castsi256_ps(a.v)}; }
TL_INLINE F32 ToFloat(I32 a) { return {_mm256_cvtepi32_ps(a.v)}; }
TL_INLINE I32 ToInt(F32 a) { return {_mm256_cvtps_epi32(a.v)}; }
TL_INLINE I32 ToIntTrunc(F32 a) { return {_mm256_cvttps_epi32(a.v)}; }

TL_INLINE I32 Add(I32 a, I32 b) { return {_mm256_add_epi32(a.v, b.v)}; }
TL_INLINE I32 Sub(I32 a, I32 b) { return {_mm256_sub_epi32(a.v, b.v)}; }
TL_INLINE I32 Mul(I32 a, I32 b) { return {_mm256_mullo_epi32(a.v, b.v)}; }
TL_INLINE I32 Max(I32 a, I32 b) { return {_mm256_max_epi32(a.v, b.v)}; }
TL_INLINE I32 Min(I32 a, I32 b) { return {_mm256_min_epi32(a.v, b.v)}; }
TL_INLINE I32 And(I32 a, I32 b) { return {_mm256_and_si256(a.v, b.v)}; }
TL_INLINE I32 Or(I32 a, I32 b) { return {_mm256_or_si256(a.v, b.v)}; }
TL_INLINE I32 Xor(I32 a, I32 b) { return {_mm256_xor_si256(a.v, b.v)}; }
TL_INLINE I32 AndNot(I32 a, I32 b) { return {_mm256_andnot_si256(b.v, a.v)}; }
TL_INLINE M32 CmpLt(I32 a, I32 b) { return {_mm256_castsi256_ps(_mm256_cmpgt_epi32(b.v, a.v))}; }
TL_INLINE M32 CmpGt(I32 a, I32 b) { return {_mm256_castsi256_ps(_mm256_cmpgt_epi32(a.v, b.v))}; }
TL_INLINE M32 CmpEq(I32 a, I32 b) { return {_mm256_castsi256_ps(_mm256_cmpeq_epi32(a.v, b.v))}; }
template <int n>
TL_INLINE I32 ShiftLeft(I32 a) {
  return {_mm256_slli_epi32(a.v, n)};
}
template <int n>
TL_INLINE I32 ShiftRight(I32 a) {
  return {_mm256_srli_epi32(a.v, n)};
}
template <int n>
TL_INLINE I32 ShiftRightArith(I32 a) {
  return {_mm256_srai_epi32(a.v, n)};
}

TL_INLINE float FirstLane(F32 a) { return _mm256_cvtss_f32(a.v); }
template <size_t w>
TL_INLINE F32 LanesDown(F32 a) {
  if constexpr (w == 4) return {_mm256_permute2f128_ps(a.v, a.v, 0x11)};
  return {_mm256_permute_ps(a.v, w == 2 ? 0xee : 0x55)};
}

TL_INLINE F32 LoadHalf(const uint16_t* p) {
  return {_mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)))};
}
TL_INLINE void StoreHalf(uint16_t* p, F32 a) {
  _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm256_cvtps_ph(a.v, _MM_FROUND_TO_NEAREST_INT));
}
TL_INLINE F32 LoadHalfPartial(const uint16_t* p, size_t n) {
  uint16_t buffer[8] = {};
  memcpy(buffer, p, n * sizeof(uint16_t));
  return LoadHalf(buffer);
}
TL_INLINE void StoreHalfPartial(uint16_t* p, F32 a, size_t n) {
  uint16_t buffer[8];
  StoreHalf(buffer, a);
  memcpy(p, buffer, n * sizeof(uint16_t));
}

TL_INLINE __m128i RawLow(const void* p) { return _mm_loadl_epi64(static_cast<const __m128i*>(p)); }
TL_INLINE I32 LoadInt8(const int8_t* p) { return {_mm256_cvtepi8_epi32(RawLow(p))}; }
TL_INLINE I32 LoadUint8(const uint8_t* p) { return {_mm256_cvtepu8_epi32(RawLow(p))}; }
TL_INLINE I32 LoadInt8Partial(const int8_t* p, size_t n) {
  int8_t buffer[8] = {};
  for (size_t i = 0; i < n; ++i) buffer[i] = p[i];
  return LoadInt8(buffer);
}
TL_INLINE I32 LoadUint8Partial(const uint8_t* p, size_t n) {
  uint8_t buffer[8] = {};
  for (size_t i = 0; i < n; ++i) buffer[i] = p[i];
  return LoadUint8(buffer);
}
// 8 int32 to int16, in order.
TL_INLINE __m128i RawHalves(I32 a) {
  return _mm_packs_epi32(_mm256_castsi256_si128(a.v), _mm256_extracti128_si256(a.v, 1));
}
TL_INLINE void StoreInt8(int8_t* p, I32 a) {
  const __m128i half = RawHalves(a);
  _mm_storel_epi64(reinterpret_cast<__m128i*>(p), _mm_packs_epi16(half, half));
}
TL_INLINE void StoreUint8(uint8_t* p, I32 a) {
  const __m128i half = RawHalves(a);
  _mm_storel_epi64(reinterpret_cast<__m128i*>(p), _mm_packus_epi16(half, half));
}
TL_INLINE void StoreInt8Partial(int8_t* p, I32 a, size_t n) {
  int8_t buffer[8];
  StoreInt8(buffer, a);
  for (size_t i = 0; i < n; ++i) p[i] = buffer[i];
}
TL_INLINE void StoreUint8Partial(uint8_t* p, I32 a, size_t n) {
  uint8_t buffer[8];
  StoreUint8(buffer, a);
  for (size_t i = 0; i < n; ++i) p[i] = buffer[i];
}
struct I32Quad {
  I32 v[4];
};
TL_INLINE I32Quad LoadInt8Quad(const int8_t* p) {
  return {{LoadInt8(p), LoadInt8(p + 8), LoadInt8(p + 16), LoadInt8(p + 24)}};
}
TL_INLINE I32Quad LoadUint8Quad(const uint8_t* p) {
  return {{LoadUint8(p), LoadUint8(p + 8), LoadUint8(p + 16), LoadUint8(p + 24)}};
}
// Packing works within halves of 128 bits; this puts the groups of 4 bytes back into order.
TL_INLINE void RawStoreGroups(void* p, __m256i packed) {
  const __m256i order = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);
  _mm256_storeu_si256(static_cast<__m256i*>(p), _mm256_permutevar8x32_epi32(packed, order));
}
TL_INLINE void StoreInt8Quad(int8_t* p, const I32Quad& a) {
  const __m256i low = _mm256_packs_epi32(a.v[0].v, a.v[1].v), high = _mm256_packs_epi32(a.v[2].v, a.v[3].v);
  RawStoreGroups(p, _mm256_packs_epi16(low, high));
}
TL_INLINE void StoreUint8Quad(uint8_t* p, const I32Quad& a) {
  const __m256i low = _mm256_packs_epi32(a.v[0].v, a.v[1].v), high = _mm256_packs_epi32(a.v[2].v, a.v[3].v);
  RawStoreGroups(p, _mm256_packus_epi16(low, high));
}

}  // namespace TL_ISA
}  // namespace tealight

#endif  // TEALIGHT_BASE_SIMD_X86_AVX2_H_
