// SPDX-License-Identifier: Apache-2.0
// The vectors of x86_rows.h: 64 channels in zmm (AVX-512) and 32 in ymm. Operations on bytes stay within quarters of
// 128 bits, so the int32 vector q of a block holds channels 16 i + 4 q + (0 .. 3) in its quarter i.
//
//   Bytes          kChannels int8          Quads   4 rows of kChannels / 4 channels, [channel][4 rows]
//   LoadRow(p, n)  the first n channels    Dot(acc, x, w)   acc[channel] += sum over rows of x * w, exactly
//   Pack(i32 x 4)  saturated, in order     OfWeights(w)     what Dot takes, from int8 [channel][4 rows]
//
// With VNNI x counts from 0 (x ^ 0x80) and kShift = 128 times the sum of the weights is taken off at the start; else
// products are formed of 16-bit numbers, even and odd rows apart: vpmaddubsw would saturate.
#ifndef TEALIGHT_KERNELS_QDWCONV_X86_VECTORS_H_
#define TEALIGHT_KERNELS_QDWCONV_X86_VECTORS_H_

#include "base/simd/vec.h"

namespace tealight {
namespace TL_ISA {

#if defined(__AVX512VNNI__)
constexpr int kShift = 128;
#else
constexpr int kShift = 0;
#endif

// What differs in no more than the width: TL_MM(name) is the intrinsic, TL_SI(name) one that names the
// whole vector.
#if defined(__AVX512VNNI__)
#define TL_DOT_OPS()                            \
  using Quads = Bytes;                          \
  using Weights = Bytes;                        \
  TL_INLINE Quads OfRows(Bytes x) { return x; } \
  TL_INLINE Bytes Dot(Bytes acc, const Quads& x, const Weights& w) { return TL_MM(dpbusd_epi32)(acc, x, w); }
#else
#define TL_DOT_OPS()                                                                                                   \
  struct Quads {                                                                                                       \
    Bytes even, odd;                                                                                                   \
  };                                                                                                                   \
  using Weights = Quads;                                                                                               \
  TL_INLINE Quads OfRows(Bytes x) { return {TL_MM(srai_epi16)(TL_MM(slli_epi16)(x, 8), 8), TL_MM(srai_epi16)(x, 8)}; } \
  TL_INLINE Bytes Dot(Bytes acc, const Quads& x, const Weights& w) {                                                   \
    acc = TL_MM(add_epi32)(acc, TL_MM(madd_epi16)(x.even, w.even));                                                    \
    return TL_MM(add_epi32)(acc, TL_MM(madd_epi16)(x.odd, w.odd));                                                     \
  }
#endif
#define TL_VECTOR_OPS()                                                                                 \
  TL_DOT_OPS()                                                                                          \
  TL_INLINE Weights OfWeights(Bytes w) { return OfRows(w); }                                            \
  TL_INLINE Bytes SplatByte(int x) { return TL_MM(set1_epi8)(static_cast<char>(x)); }                   \
  TL_INLINE Bytes SplatInt(int x) { return TL_MM(set1_epi32)(x); }                                      \
  TL_INLINE Floats SplatFloat(float x) { return TL_MM(set1_ps)(x); }                                    \
  TL_INLINE Bytes Low8(Bytes a, Bytes b) { return TL_MM(unpacklo_epi8)(a, b); }                         \
  TL_INLINE Bytes High8(Bytes a, Bytes b) { return TL_MM(unpackhi_epi8)(a, b); }                        \
  TL_INLINE Bytes Low16(Bytes a, Bytes b) { return TL_MM(unpacklo_epi16)(a, b); }                       \
  TL_INLINE Bytes High16(Bytes a, Bytes b) { return TL_MM(unpackhi_epi16)(a, b); }                      \
  /* Four bytes of each row later: w[4 g + i] moves to 4 g + i + rows; `before` is the group before. */ \
  template <int rows>                                                                                   \
  TL_INLINE Bytes Later(Bytes w, Bytes before) {                                                        \
    if (rows == 0) return w;                                                                            \
    return TL_SI(or)(TL_MM(slli_epi32)(w, 8 * rows), TL_MM(srli_epi32)(before, 32 - 8 * rows));         \
  }                                                                                                     \
  TL_INLINE Bytes SubTimes(Bytes a, Bytes b, int factor) {                                              \
    return TL_MM(sub_epi32)(a, TL_MM(mullo_epi32)(b, SplatInt(factor)));                                \
  }                                                                                                     \
  TL_INLINE Bytes Rounded(Bytes sum, Floats scale, Floats offset, Bytes offset_bits) {                  \
    const Floats y = TL_MM(fmadd_ps)(TL_MM(cvtepi32_ps)(sum), scale, offset);                           \
    return TL_MM(sub_epi32)(TL_SI(castps)(y), offset_bits);                                             \
  }                                                                                                     \
  TL_INLINE Bytes Pack16(Bytes a, Bytes b) { return TL_MM(packs_epi32)(a, b); }                         \
  TL_INLINE Bytes Pack8(Bytes a, Bytes b, Bytes lo, Bytes hi) {                                         \
    return TL_MM(min_epi8)(TL_MM(max_epi8)(TL_MM(packs_epi16)(a, b), lo), hi);                          \
  }

#if TL_SIMD == TL_SIMD_x86_avx512
#define TL_MM(name) _mm512_##name
#define TL_SI(name) _mm512_##name##_si512
struct Zmm {
  static constexpr int kChannels = 64;
  using Bytes = __m512i;
  using Floats = __m512;
  TL_VECTOR_OPS()

  TL_INLINE __mmask64 Tail(int n) { return n >= 64 ? ~__mmask64{0} : (__mmask64{1} << n) - 1; }
  TL_INLINE Bytes LoadRow(const int8_t* p, int n) {
    const __m512i x = n >= 64 ? _mm512_loadu_si512(p) : _mm512_maskz_loadu_epi8(Tail(n), p);
    return kShift == 0 ? x : _mm512_xor_si512(x, _mm512_set1_epi8(-128));
  }
  TL_INLINE void Store(int8_t* p, Bytes x, int n) {
    if (n >= 64) return _mm512_storeu_si512(p, x);
    _mm512_mask_storeu_epi8(p, Tail(n), x);
  }
  // 16 bytes from each of n <= 4 places, `stride` bytes apart; zeros past them.
  TL_INLINE Bytes Gather(const void* base, ptrdiff_t stride, int n) {
    const char* p = static_cast<const char*>(base);
    __m512i r = _mm512_castsi128_si512(RawBytes(p));
    r = _mm512_inserti32x4(r, n > 1 ? RawBytes(p + stride) : _mm_setzero_si128(), 1);
    r = _mm512_inserti32x4(r, n > 2 ? RawBytes(p + 2 * stride) : _mm_setzero_si128(), 2);
    return _mm512_inserti32x4(r, n > 3 ? RawBytes(p + 3 * stride) : _mm_setzero_si128(), 3);
  }
  TL_INLINE Floats AsFloats(Bytes x) { return _mm512_castsi512_ps(x); }
};
#undef TL_MM
#undef TL_SI
#endif

#define TL_MM(name) _mm256_##name
#define TL_SI(name) _mm256_##name##_si256
struct Ymm {
  static constexpr int kChannels = 32;
  using Bytes = __m256i;
  using Floats = __m256;
  TL_VECTOR_OPS()

  TL_INLINE Bytes LoadRow(const int8_t* p, int n) {
#if TL_SIMD == TL_SIMD_x86_avx512
    const __mmask32 tail = (__mmask32{1} << (n & 31)) - 1;
    const __m256i x =
        n >= 32 ? _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)) : _mm256_maskz_loadu_epi8(tail, p);
    return kShift == 0 ? x : _mm256_xor_si256(x, _mm256_set1_epi8(-128));
#else
    if (n >= 32) return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
    if (n == 16) return _mm256_zextsi128_si256(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
    alignas(32) int8_t buffer[32] = {};
    memcpy(buffer, p, static_cast<size_t>(n));
    return _mm256_load_si256(reinterpret_cast<const __m256i*>(buffer));
#endif
  }
  TL_INLINE void Store(int8_t* p, Bytes x, int n) {
    if (n >= 32) return _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), x);
#if TL_SIMD == TL_SIMD_x86_avx512
    _mm256_mask_storeu_epi8(p, (__mmask32{1} << n) - 1, x);
#else
    if (n == 16) return _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm256_castsi256_si128(x));
    alignas(32) int8_t buffer[32];
    _mm256_store_si256(reinterpret_cast<__m256i*>(buffer), x);
    memcpy(p, buffer, static_cast<size_t>(n));
#endif
  }
  TL_INLINE Bytes Gather(const void* base, ptrdiff_t stride, int n) {
    const __m128i* p = static_cast<const __m128i*>(base);
    const __m128i* q = reinterpret_cast<const __m128i*>(static_cast<const char*>(base) + stride);
    return _mm256_inserti128_si256(_mm256_castsi128_si256(_mm_loadu_si128(p)),
                                   n > 1 ? _mm_loadu_si128(q) : _mm_setzero_si128(), 1);
  }
  TL_INLINE Floats AsFloats(Bytes x) { return _mm256_castsi256_ps(x); }
};
#undef TL_MM
#undef TL_SI
#undef TL_VECTOR_OPS
#undef TL_DOT_OPS

}  // namespace TL_ISA
}  // namespace tealight

#endif  // TEALIGHT_KERNELS_QDWCONV_X86_VECTORS_H_
