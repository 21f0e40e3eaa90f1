// SPDX-License-Identifier: Apache-2.0
// 16 lanes of AVX-512 (F, BW, DQ, VL). Included by vec.h only.
#ifndef TEALIGHT_BASE_SIMD_X86_AVX512_H_
#define TEALIGHT_BASE_SIMD_X86_AVX512_H_

// GCC 12 warns of its own _mm512_undefined_ps.
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif
#include <immintrin.h>
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic pop
#endif

namespace tealight {
namespace TL_ISA {

constexpr size_t kLanes = 16;
struct F32 {
  __m512 v;
};
struct I32 {
  __m512i v;
};
struct M32 {
  __mmask16 v;
};

TL_INLINE __mmask16 RawTail(size_t n) { return static_cast<__mmask16>((1u << n) - 1u); }

TL_INLINE F32 Load(const float* p) { return {_mm512_loadu_ps(p)}; }
TL_INLINE F32 LoadPartial(const float* p, size_t n, F32 fill) { return {_mm512_mask_loadu_ps(fill.v, RawTail(n), p)}; }
TL_INLINE void Store(float* p, F32 a) { _mm512_storeu_ps(p, a.v); }
TL_INLINE void StorePartial(float* p, F32 a, size_t n) { _mm512_mask_storeu_ps(p, RawTail(n), a.v); }
TL_INLINE F32 Splat(float x) { return {_mm512_set1_ps(x)}; }
TL_INLINE I32 LoadI32(const int32_t* p) { return {_mm512_loadu_si512(p)}; }
TL_INLINE void StoreI32(int32_t* p, I32 a) { _mm512_storeu_si512(p, a.v); }
TL_INLINE I32 SplatI32(int32_t x) { return {_mm512_set1_epi32(x)}; }

TL_INLINE F32 Add(F32 a, F32 b) { return {_mm512_add_ps(a.v, b.v)}; }
TL_INLINE F32 Sub(F32 a, F32 b) { return {_mm512_sub_ps(a.v, b.v)}; }
TL_INLINE F32 Mul(F32 a, F32 b) { return {_mm512_mul_ps(a.v, b.v)}; }
TL_INLINE F32 Div(F32 a, F32 b) { return {_mm512_div_ps(a.v, b.v)}; }
TL_INLINE F32 Sqrt(F32 a) { return {_mm512_sqrt_ps(a.v)}; }
TL_INLINE F32 Fma(F32 a, F32 b, F32 c) { return {_mm512_fmadd_ps(a.v, b.v, c.v)}; }
TL_INLINE F32 Fnma(F32 a, F32 b, F32 c) { return {_mm512_fnmadd_ps(a.v, b.v, c.v)}; }
TL_INLINE F32 Abs(F32 a) { return {_mm512_andnot_ps(_mm512_set1_ps(-0.0f), a.v)}; }
TL_INLINE F32 Neg(F32 a) { return {_mm512_xor_ps(_mm512_set1_ps(-0.0f), a.v)}; }
TL_INLINE F32 RoundEven(F32 a) { return {_mm512_roundscale_ps(a.v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC)}; }
TL_INLINE F32 Floor(F32 a) { return {_mm512_roundscale_ps(a.v, _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC)}; }
TL_INLINE F32 Ceil(F32 a) { return {_mm512_roundscale_ps(a.v, _MM_FROUND_TO_POS_INF | _MM_FROUND_NO_EXC)}; }
TL_INLINE F32 Trunc(F32 a) { return {_mm512_roundscale_ps(a.v, _MM_FROUND_TO_ZERO | _MM_FROUND_NO_EXC)}; }
TL_INLINE F32 ClampMin(F32 x, F32 lo) { return {_mm512_max_ps(lo.v, x.v)}; }
TL_INLINE F32 ClampMax(F32 x, F32 hi) { return {_mm512_min_ps(hi.v, x.v)}; }
TL_INLINE F32 Max(F32 a, F32 b) {
  const __mmask16 nan = _mm512_cmp_ps_mask(b.v, b.v, _CMP_UNORD_Q);
  return {_mm512_mask_mov_ps(_mm512_max_ps(b.v, a.v), nan, b.v)};
}
TL_INLINE F32 Min(F32 a, F32 b) {
  const __mmask16 nan = _mm512_cmp_ps_mask(b.v, b.v, _CMP_UNORD_Q);
  return {_mm512_mask_mov_ps(_mm512_min_ps(b.v, a.v), nan, b.v)};
}

TL_INLINE M32 CmpLt(F32 a, F32 b) { return {_mm512_cmp_ps_mask(a.v, b.v, _CMP_LT_OQ)}; }
TL_INLINE M32 CmpLe(F32 a, F32 b) { return {_mm512_cmp_ps_mask(a.v, b.v, _CMP_LE_OQ)}; }
TL_INLINE M32 CmpGt(F32 a, F32 b) { return {_mm512_cmp_ps_mask(a.v, b.v, _CMP_GT_OQ)}; }
TL_INLINE M32 CmpGe(F32 a, F32 b) { return {_mm512_cmp_ps_mask(a.v, b.v, _CMP_GE_OQ)}; }
TL_INLINE M32 CmpEq(F32 a, F32 b) { return {_mm512_cmp_ps_mask(a.v, b.v, _CMP_EQ_OQ)}; }
TL_INLINE M32 CmpNe(F32 a, F32 b) { return {_mm512_cmp_ps_mask(a.v, b.v, _CMP_NEQ_UQ)}; }
TL_INLINE F32 Select(M32 m, F32 a, F32 b) { return {_mm512_mask_blend_ps(m.v, b.v, a.v)}; }
TL_INLINE I32 Select(M32 m, I32 a, I32 b) { return {_mm512_mask_blend_epi32(m.v, b.v, a.v)}; }
TL_INLINE M32 And(M32 a, M32 b) { return {static_cast<__mmask16>(a.v & b.v)}; }
TL_INLINE M32 Or(M32 a, M32 b) { return {static_cast<__mmask16>(a.v | b.v)}; }
TL_INLINE M32 Xor(M32 a, M32 b) { return {static_cast<__mmask16>(a.v ^ b.v)}; }
TL_INLINE M32 AndNot(M32 a, M32 b) { return {static_cast<__mmask16>(a.v & ~b.v)}; }
TL_INLINE bool Any(M32 m) { return m.v != 0; }
TL_INLINE bool All(M32 m) { return m.v == 0xffff; }

TL_INLINE I32 BitsOf(F32 a) { return {_mm512_castps_si512(a.v)}; }
TL_INLINE F32 FloatOf(I32 a) { return {_mm512_castsi512_ps(a.v)}; }
TL_INLINE F32 ToFloat(I32 a) { return {_mm512_cvtepi32_ps(a.v)}; }
TL_INLINE I32 ToInt(F32 a) { return {_mm512_cvtps_epi32(a.v)}; }
TL_INLINE I32 ToIntTrunc(F32 a) { return {_mm512_cvttps_epi32(a.v)}; }

TL_INLINE I32 Add(I32 a, I32 b) { return {_mm512_add_epi32(a.v, b.v)}; }
TL_INLINE I32 Sub(I32 a, I32 b) { return {_mm512_sub_epi32(a.v, b.v)}; }
TL_INLINE I32 Mul(I32 a, I32 b) { return {_mm512_mullo_epi32(a.v, b.v)}; }
TL_INLINE I32 Max(I32 a, I32 b) { return {_mm512_max_epi32(a.v, b.v)}; }
TL_INLINE I32 Min(I32 a, I32 b) { return {_mm512_min_epi32(a.v, b.v)}; }
TL_INLINE I32 And(I32 a, I32 b) { return {_mm512_and_si512(a.v, b.v)}; }
TL_INLINE I32 Or(I32 a, I32 b) { return {_mm512_or_si512(a.v, b.v)}; }
TL_INLINE I32 Xor(I32 a, I32 b) { return {_mm512_xor_si512(a.v, b.v)}; }
TL_INLINE I32 AndNot(I32 a, I32 b) { return {_mm512_andnot_si512(b.v, a.v)}; }
TL_INLINE M32 CmpLt(I32 a, I32 b) { return {_mm512_cmplt_epi32_mask(a.v, b.v)}; }
TL_INLINE M32 CmpGt(I32 a, I32 b) { return {_mm512_cmpgt_epi32_mask(a.v, b.v)}; }
TL_INLINE M32 CmpEq(I32 a, I32 b) { return {_mm512_cmpeq_epi32_mask(a.v, b.v)}; }
template <int n>
TL_INLINE I32 ShiftLeft(I32 a) {
  return {_mm512_slli_epi32(a.v, n)};
}
template <int n>
TL_INLINE I32 ShiftRight(I32 a) {
  return {_mm512_srli_epi32(a.v, n)};
}
template <int n>
TL_INLINE I32 ShiftRightArith(I32 a) {
  return {_mm512_srai_epi32(a.v, n)};
}

TL_INLINE float FirstLane(F32 a) { return _mm512_cvtss_f32(a.v); }
template <size_t w>
TL_INLINE F32 LanesDown(F32 a) {
  if constexpr (w == 8) return {_mm512_shuffle_f32x4(a.v, a.v, 0xee)};
  if constexpr (w == 4) return {_mm512_shuffle_f32x4(a.v, a.v, 0x55)};
  return {_mm512_permute_ps(a.v, w == 2 ? 0xee : 0x55)};
}

TL_INLINE F32 LoadHalf(const uint16_t* p) {
  return {_mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)))};
}
TL_INLINE void StoreHalf(uint16_t* p, F32 a) {
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), _mm512_cvtps_ph(a.v, _MM_FROUND_TO_NEAREST_INT));
}
TL_INLINE F32 LoadHalfPartial(const uint16_t* p, size_t n) {
  return {_mm512_cvtph_ps(_mm256_maskz_loadu_epi16(RawTail(n), p))};
}
TL_INLINE void StoreHalfPartial(uint16_t* p, F32 a, size_t n) {
  _mm256_mask_storeu_epi16(p, RawTail(n), _mm512_cvtps_ph(a.v, _MM_FROUND_TO_NEAREST_INT));
}

TL_INLINE __m128i RawBytes(const void* p) { return _mm_loadu_si128(static_cast<const __m128i*>(p)); }
TL_INLINE I32 LoadInt8(const int8_t* p) { return {_mm512_cvtepi8_epi32(RawBytes(p))}; }
TL_INLINE I32 LoadUint8(const uint8_t* p) { return {_mm512_cvtepu8_epi32(RawBytes(p))}; }
TL_INLINE I32 LoadInt8Partial(const int8_t* p, size_t n) {
  return {_mm512_cvtepi8_epi32(_mm_maskz_loadu_epi8(RawTail(n), p))};
}
TL_INLINE I32 LoadUint8Partial(const uint8_t* p, size_t n) {
  return {_mm512_cvtepu8_epi32(_mm_maskz_loadu_epi8(RawTail(n), p))};
}
TL_INLINE __m128i RawToUint8(I32 a) { return _mm512_cvtusepi32_epi8(_mm512_max_epi32(a.v, _mm512_setzero_si512())); }
TL_INLINE void StoreInt8(int8_t* p, I32 a) {
  _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm512_cvtsepi32_epi8(a.v));
}
TL_INLINE void StoreUint8(uint8_t* p, I32 a) { _mm_storeu_si128(reinterpret_cast<__m128i*>(p), RawToUint8(a)); }
TL_INLINE void StoreInt8Partial(int8_t* p, I32 a, size_t n) {
  _mm_mask_storeu_epi8(p, RawTail(n), _mm512_cvtsepi32_epi8(a.v));
}
TL_INLINE void StoreUint8Partial(uint8_t* p, I32 a, size_t n) { _mm_mask_storeu_epi8(p, RawTail(n), RawToUint8(a)); }
struct I32Quad {
  I32 v[4];
};
TL_INLINE I32Quad LoadInt8Quad(const int8_t* p) {
  return {{LoadInt8(p), LoadInt8(p + 16), LoadInt8(p + 32), LoadInt8(p + 48)}};
}
TL_INLINE I32Quad LoadUint8Quad(const uint8_t* p) {
  return {{LoadUint8(p), LoadUint8(p + 16), LoadUint8(p + 32), LoadUint8(p + 48)}};
}
// Packing works within quarters of 128 bits; this puts the groups of 4 bytes back into order.
TL_INLINE void RawStoreGroups(void* p, __m512i packed) {
  const __m512i order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
  _mm512_storeu_si512(p, _mm512_permutexvar_epi32(order, packed));
}
TL_INLINE void StoreInt8Quad(int8_t* p, const I32Quad& a) {
  const __m512i low = _mm512_packs_epi32(a.v[0].v, a.v[1].v), high = _mm512_packs_epi32(a.v[2].v, a.v[3].v);
  RawStoreGroups(p, _mm512_packs_epi16(low, high));
}
TL_INLINE void StoreUint8Quad(uint8_t* p, const I32Quad& a) {
  const __m512i low = _mm512_packs_epi32(a.v[0].v, a.v[1].v), high = _mm512_packs_epi32(a.v[2].v, a.v[3].v);
  RawStoreGroups(p, _mm512_packus_epi16(low, high));
}

}  // namespace TL_ISA
}  // namespace tealight

#endif  // TEALIGHT_BASE_SIMD_X86_AVX512_H_
