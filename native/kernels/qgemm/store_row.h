// SPDX-License-Identifier: Apache-2.0
// RowStore<NV>: NV vectors of int32 to the int8 of one row, saturated, clamped to [lo, hi] once they are bytes.
#ifndef TEALIGHT_KERNELS_QGEMM_STORE_ROW_H_
#define TEALIGHT_KERNELS_QGEMM_STORE_ROW_H_

#include "base/simd/vec.h"

namespace tealight {
namespace TL_ISA {

#if TL_SIMD == TL_SIMD_x86_avx512

template <int NV>
class RowStore {
  static_assert(NV == 1 || NV == 2 || NV == 4, "");

 public:
  RowStore(int32_t lo, int32_t hi, size_t columns)
      : lo_(_mm512_set1_epi8(static_cast<char>(lo))),
        hi_(_mm512_set1_epi8(static_cast<char>(hi))),
        order_(NV == 4 ? _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15)
                       : _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 0, 4, 8, 12, 1, 5, 9, 13)),
        mask_(columns >= 64 ? ~__mmask64{0} : (__mmask64{1} << columns) - 1),
        whole_(columns == NV * 16) {}

  inline __attribute__((always_inline)) void Row(int8_t* dst, const I32 (&y)[NV]) const {
    if constexpr (NV == 1) {
      const __m128i lo = _mm512_castsi512_si128(lo_), hi = _mm512_castsi512_si128(hi_);
      const __m128i bytes = _mm_min_epi8(_mm_max_epi8(_mm512_cvtsepi32_epi8(y[0].v), lo), hi);
      if (whole_) {
        _mm_storeu_si128(reinterpret_cast<__m128i*>(dst), bytes);
      } else {
        _mm_mask_storeu_epi8(dst, static_cast<__mmask16>(mask_), bytes);
      }
      return;
    }
    const __m512i low = _mm512_packs_epi32(y[0].v, y[NV > 1 ? 1 : 0].v);
    const __m512i high = NV == 4 ? _mm512_packs_epi32(y[NV / 2].v, y[NV - 1].v) : low;
    __m512i bytes = _mm512_packs_epi16(low, high);
    bytes = _mm512_permutexvar_epi32(order_, _mm512_min_epi8(_mm512_max_epi8(bytes, lo_), hi_));
    if (!whole_) {
      _mm512_mask_storeu_epi8(dst, mask_, bytes);
    } else if (NV == 4) {
      _mm512_storeu_si512(dst, bytes);
    } else {
      _mm256_storeu_si256(reinterpret_cast<__m256i*>(dst), _mm512_castsi512_si256(bytes));
    }
  }

 private:
  __m512i lo_, hi_, order_;
  __mmask64 mask_;
  bool whole_;
};

#else

#if TL_SIMD == TL_SIMD_arm_neon
using PairBytes = int8x8_t;
TL_INLINE PairBytes SplatPair(int32_t x) { return vdup_n_s8(static_cast<int8_t>(x)); }
TL_INLINE PairBytes PackPair(I32 a, I32 b, PairBytes lo, PairBytes hi) {
  const int16x8_t half = vcombine_s16(vqmovn_s32(a.v), vqmovn_s32(b.v));
  return vmin_s8(vmax_s8(vqmovn_s16(half), lo), hi);
}
TL_INLINE void StorePair(int8_t* dst, PairBytes y) { vst1_s8(dst, y); }
#else
using PairBytes = __m128i;
TL_INLINE PairBytes SplatPair(int32_t x) { return _mm_set1_epi8(static_cast<char>(x)); }
TL_INLINE PairBytes PackPair(I32 a, I32 b, PairBytes lo, PairBytes hi) {
  const __m256i half = _mm256_permute4x64_epi64(_mm256_packs_epi32(a.v, b.v), 0xd8);
  const __m128i y = _mm_packs_epi16(_mm256_castsi256_si128(half), _mm256_extracti128_si256(half, 1));
  return _mm_min_epi8(_mm_max_epi8(y, lo), hi);
}
TL_INLINE void StorePair(int8_t* dst, PairBytes y) { _mm_storeu_si128(reinterpret_cast<__m128i*>(dst), y); }
#endif

template <int NV>
class RowStore {
 public:
  RowStore(int32_t lo, int32_t hi, size_t columns) : lo_(SplatPair(lo)), hi_(SplatPair(hi)), columns_(columns) {}

  inline __attribute__((always_inline)) void Row(int8_t* dst, const I32 (&y)[NV]) const {
#pragma GCC unroll 8
    for (int j = 0; j < NV; j += 2) {
      const size_t done = static_cast<size_t>(j) * kLanes;
      if (columns_ <= done) return;
      StoreSome(dst + done, PackPair(y[j], y[j + 1 < NV ? j + 1 : j], lo_, hi_), columns_ - done);
    }
  }

 private:
  // The first `columns` of a pair of vectors, or all of it.
  inline __attribute__((always_inline)) void StoreSome(int8_t* dst, PairBytes bytes, size_t columns) const {
    if (columns >= 2 * kLanes) {
      StorePair(dst, bytes);
      return;
    }
    int8_t buffer[2 * kLanes];
    StorePair(buffer, bytes);
    if (columns == kLanes) {
      memcpy(dst, buffer, kLanes);
    } else {
      for (size_t j = 0; j < columns; ++j) dst[j] = buffer[j];
    }
  }

  PairBytes lo_, hi_;
  size_t columns_;
};

#endif

}  // namespace TL_ISA
}  // namespace tealight

#endif  // TEALIGHT_KERNELS_QGEMM_STORE_ROW_H_
