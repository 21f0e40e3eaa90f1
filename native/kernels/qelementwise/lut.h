// SPDX-License-Identifier: Apache-2.0
// LutVectors: looks up whole vectors of bytes in a table of 256 and returns how many it did; the caller does the
// rest. With VBMI two permutes of 128 entries and a blend; on NEON four lookups in 64 entries each; with plain AVX-512
// and AVX2 sixteen in 16 entries.
#ifndef TEALIGHT_KERNELS_QELEMENTWISE_LUT_H_
#define TEALIGHT_KERNELS_QELEMENTWISE_LUT_H_

#include "base/simd/vec.h"

namespace tealight {
namespace TL_ISA {

#if TL_SIMD == TL_SIMD_x86_avx512 && defined(__AVX512VBMI__)

TL_INLINE size_t LutVectors(const uint8_t* table, uint8_t flip, size_t n, const uint8_t* x, uint8_t* y) {
  const __m512i t0 = _mm512_loadu_si512(table), t1 = _mm512_loadu_si512(table + 64);
  const __m512i t2 = _mm512_loadu_si512(table + 128), t3 = _mm512_loadu_si512(table + 192);
  const __m512i f = _mm512_set1_epi8(static_cast<char>(flip));
  size_t i = 0;
  for (; i < n; i += 64) {
    const __mmask64 tail = n - i >= 64 ? ~__mmask64{0} : (__mmask64{1} << (n - i)) - 1;
    const __m512i at = _mm512_xor_si512(_mm512_maskz_loadu_epi8(tail, x + i), f);
    const __m512i low = _mm512_permutex2var_epi8(t0, at, t1), high = _mm512_permutex2var_epi8(t2, at, t3);
    _mm512_mask_storeu_epi8(y + i, tail, _mm512_mask_blend_epi8(_mm512_movepi8_mask(at), low, high));
  }
  return n;
}

#elif TL_SIMD == TL_SIMD_x86_avx512

TL_INLINE size_t LutVectors(const uint8_t* table, uint8_t flip, size_t n, const uint8_t* x, uint8_t* y) {
  const __m512i f = _mm512_set1_epi8(static_cast<char>(flip)), nibble = _mm512_set1_epi8(0x0f);
  __m512i t[16];
  for (int k = 0; k < 16; ++k) t[k] = _mm512_broadcast_i32x4(RawBytes(table + 16 * k));
  size_t i = 0;
  for (; i < n; i += 64) {
    const __mmask64 tail = n - i >= 64 ? ~__mmask64{0} : (__mmask64{1} << (n - i)) - 1;
    const __m512i at = _mm512_xor_si512(_mm512_maskz_loadu_epi8(tail, x + i), f);
    const __m512i low = _mm512_and_si512(at, nibble), high = _mm512_and_si512(_mm512_srli_epi16(at, 4), nibble);
    __m512i r = _mm512_shuffle_epi8(t[0], low);
    for (int k = 1; k < 16; ++k) {
      const __mmask64 here = _mm512_cmpeq_epi8_mask(high, _mm512_set1_epi8(static_cast<char>(k)));
      r = _mm512_mask_shuffle_epi8(r, here, t[k], low);
    }
    _mm512_mask_storeu_epi8(y + i, tail, r);
  }
  return n;
}

#elif TL_SIMD == TL_SIMD_x86_avx2

// The entries of table[0 .. 16 * count) at `low`, chosen by the bits of at[4], at[5] ... (moved to bit 7 in bits[]).
template <int count>
TL_INLINE __m256i RawLookup(const uint8_t* table, __m256i low, const __m256i* bits) {
  if constexpr (count == 1) {
    const __m128i entries = _mm_loadu_si128(reinterpret_cast<const __m128i*>(table));
    return _mm256_shuffle_epi8(_mm256_broadcastsi128_si256(entries), low);
  } else {
    const __m256i first = RawLookup<count / 2>(table, low, bits);
    const __m256i second = RawLookup<count / 2>(table + 8 * count, low, bits);
    return _mm256_blendv_epi8(first, second, bits[count == 16 ? 3 : count == 8 ? 2 : count == 4 ? 1 : 0]);
  }
}

TL_INLINE size_t LutVectors(const uint8_t* table, uint8_t flip, size_t n, const uint8_t* x, uint8_t* y) {
  const __m256i f = _mm256_set1_epi8(static_cast<char>(flip)), nibble = _mm256_set1_epi8(0x0f);
  size_t i = 0;
  for (; i + 32 <= n; i += 32) {
    const __m256i at = _mm256_xor_si256(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(x + i)), f);
    // Bits that cross into the next byte stay below its bit 7.
    const __m256i bits[4] = {_mm256_slli_epi16(at, 3), _mm256_slli_epi16(at, 2), _mm256_slli_epi16(at, 1), at};
    const __m256i r = RawLookup<16>(table, _mm256_and_si256(at, nibble), bits);
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(y + i), r);
  }
  return i;
}

#elif TL_SIMD == TL_SIMD_arm_neon && defined(__aarch64__)

TL_INLINE size_t LutVectors(const uint8_t* table, uint8_t flip, size_t n, const uint8_t* x, uint8_t* y) {
  // Block k of the 64 entries that bytes 64 k .. 64 k + 63 look up. An index of 64 or more gives 0 (tbl) or leaves the
  // result (tbx).
  const auto block = [=](int k) { return vld1q_u8_x4(table + (64 * k ^ flip)); };
  const uint8x16x4_t t0 = block(0), t1 = block(1), t2 = block(2), t3 = block(3);
  const uint8x16_t f1 = vdupq_n_u8(0x40), f2 = vdupq_n_u8(0x80), f3 = vdupq_n_u8(0xc0);
  size_t i = 0;
  for (; i + 32 <= n; i += 32) {
    const uint8x16_t u = vld1q_u8(x + i), v = vld1q_u8(x + i + 16);
    uint8x16_t p = vqtbl4q_u8(t0, u), q = vqtbl4q_u8(t0, v);
    p = vqtbx4q_u8(p, t1, veorq_u8(u, f1));
    q = vqtbx4q_u8(q, t1, veorq_u8(v, f1));
    p = vqtbx4q_u8(p, t2, veorq_u8(u, f2));
    q = vqtbx4q_u8(q, t2, veorq_u8(v, f2));
    vst1q_u8(y + i, vqtbx4q_u8(p, t3, veorq_u8(u, f3)));
    vst1q_u8(y + i + 16, vqtbx4q_u8(q, t3, veorq_u8(v, f3)));
  }
  for (; i + 16 <= n; i += 16) {
    const uint8x16_t u = vld1q_u8(x + i);
    uint8x16_t p = vqtbl4q_u8(t0, u);
    p = vqtbx4q_u8(p, t1, veorq_u8(u, f1));
    p = vqtbx4q_u8(p, t2, veorq_u8(u, f2));
    vst1q_u8(y + i, vqtbx4q_u8(p, t3, veorq_u8(u, f3)));
  }
  return i;
}

#else

TL_INLINE size_t LutVectors(const uint8_t*, uint8_t, size_t, const uint8_t*, uint8_t*) { return 0; }

#endif

}  // namespace TL_ISA
}  // namespace tealight

#endif  // TEALIGHT_KERNELS_QELEMENTWISE_LUT_H_
