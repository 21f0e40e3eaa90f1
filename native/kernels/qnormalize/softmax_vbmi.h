// SPDX-License-Identifier: Apache-2.0
// The softmax of QNormalizeKernels where lookups in 256 entries are cheap (AVX-512 VBMI): sums come straight from the
// looked up bytes, and the results from a table of the 256 possible ones, made for each row.
#ifndef TEALIGHT_KERNELS_QNORMALIZE_SOFTMAX_VBMI_H_
#define TEALIGHT_KERNELS_QNORMALIZE_SOFTMAX_VBMI_H_

#include "base/simd/vec.h"
#include "kernels/qnormalize/qnormalize.h"

namespace tealight {
namespace TL_ISA {

struct ByteTable {
  __m512i part[4];
};
TL_INLINE ByteTable LoadByteTable(const uint8_t* p) {
  return {
      {_mm512_loadu_si512(p), _mm512_loadu_si512(p + 64), _mm512_loadu_si512(p + 128), _mm512_loadu_si512(p + 192)}};
}
TL_INLINE __m512i LookUp(const ByteTable& t, __m512i at) {
  const __m512i low = _mm512_permutex2var_epi8(t.part[0], at, t.part[1]);
  const __m512i high = _mm512_permutex2var_epi8(t.part[2], at, t.part[3]);
  return _mm512_mask_blend_epi8(_mm512_movepi8_mask(at), low, high);
}
// The first n - i of 64 bytes.
TL_INLINE __mmask64 BytesLeft(size_t n, size_t i) {
  return n - i >= 64 ? ~__mmask64{0} : (__mmask64{1} << (n - i)) - 1;
}

TL_INLINE int32_t MaxOfBytes(size_t n, const int8_t* x) {
  __m512i most = _mm512_set1_epi8(-128);
  size_t i = 0;
  for (; i + 64 <= n; i += 64) most = _mm512_max_epi8(most, _mm512_loadu_si512(x + i));
  if (i < n) most = _mm512_max_epi8(most, _mm512_mask_loadu_epi8(most, BytesLeft(n, i), x + i));
  __m256i half = _mm256_max_epi8(_mm512_castsi512_si256(most), _mm512_extracti64x4_epi64(most, 1));
  __m128i quarter = _mm_max_epi8(_mm256_castsi256_si128(half), _mm256_extracti128_si256(half, 1));
  // 127 - x as unsigned bytes, the least of each pair, then of the eight pairs.
  quarter = _mm_xor_si128(quarter, _mm_set1_epi8(0x7f));
  quarter = _mm_minpos_epu16(_mm_min_epu8(quarter, _mm_srli_epi16(quarter, 8)));
  return 127 - (_mm_extract_epi16(quarter, 0) & 0xff);
}

void Softmax(const SoftmaxTable& table, size_t n, const int8_t* x, void* scratch, int8_t* y) {
  // Entry (x + 128) + (127 - max) is 255 - (max - x).
  const size_t shift = static_cast<size_t>(127 - MaxOfBytes(n, x));
  const __m512i flip = _mm512_set1_epi8(-128), zero = _mm512_setzero_si512();
  __m512i sum_low = zero, sum_high = zero;
  {
    const ByteTable low = LoadByteTable(table.low + shift), high = LoadByteTable(table.high + shift);
    for (size_t i = 0; i < n; i += 64) {
      const __mmask64 left = BytesLeft(n, i);
      const __m512i at = _mm512_xor_si512(_mm512_maskz_loadu_epi8(left, x + i), flip);
      sum_low = _mm512_add_epi64(sum_low, _mm512_sad_epu8(_mm512_maskz_mov_epi8(left, LookUp(low, at)), zero));
      sum_high = _mm512_add_epi64(sum_high, _mm512_sad_epu8(_mm512_maskz_mov_epi8(left, LookUp(high, at)), zero));
    }
  }
  const int64_t total = _mm512_reduce_add_epi64(_mm512_add_epi64(sum_low, _mm512_slli_epi64(sum_high, 8)));
  const __m512 factor = _mm512_set1_ps(total == 0 ? 0.0f : table.steps / static_cast<float>(total));
  // The results past 255 are not used.
  uint8_t* results = static_cast<uint8_t*>(scratch);
  for (size_t i = 0; i < table.first; i += 64) _mm512_storeu_si512(results + i, flip);
  for (size_t i = table.first; i < 256; i += 64) {
    I32Quad q;
    for (size_t j = 0; j < 4; ++j) {
      const __m512 e = _mm512_mul_ps(_mm512_loadu_ps(table.e + i + 16 * j), factor);
      q.v[j].v = _mm512_add_epi32(_mm512_cvtps_epi32(e), _mm512_set1_epi32(-128));
    }
    StoreInt8Quad(reinterpret_cast<int8_t*>(results) + i, q);
  }
  const ByteTable result = LoadByteTable(results + shift);
  for (size_t i = 0; i < n; i += 64) {
    const __mmask64 left = BytesLeft(n, i);
    const __m512i at = _mm512_xor_si512(_mm512_maskz_loadu_epi8(left, x + i), flip);
    _mm512_mask_storeu_epi8(y + i, left, LookUp(result, at));
  }
}

}  // namespace TL_ISA
}  // namespace tealight

#endif  // TEALIGHT_KERNELS_QNORMALIZE_SOFTMAX_VBMI_H_
