// SPDX-License-Identifier: Apache-2.0
// The bodies of QPackKernels; see qpack.h. Each path gives three pieces: interleaving four rows of 32 bytes,
// transposing 8 columns of 32 bytes in units of 4, and sums.
#include <string.h>

#include "base/simd/vec.h"
#include "kernels/qpack/qpack.h"

namespace tealight {
namespace TL_ISA {
namespace {

constexpr size_t kColumns = 32;              // of a panel
constexpr size_t kStepBytes = 4 * kColumns;  // four rows of a panel

#if TL_SIMD == TL_SIMD_x86_avx2

TL_INLINE __m256i Bytes(const int8_t* p) { return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)); }
TL_INLINE void StoreBytes(int8_t* p, __m256i v) { _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), v); }

// out[4 * j + i] = rows[i][j] ^ flip for 32 j.
TL_INLINE void Interleave(const int8_t* const* rows, uint8_t flip, int8_t* out) {
  const __m256i f = _mm256_set1_epi8(static_cast<char>(flip));
  const __m256i a = _mm256_xor_si256(Bytes(rows[0]), f), b = _mm256_xor_si256(Bytes(rows[1]), f);
  const __m256i c = _mm256_xor_si256(Bytes(rows[2]), f), d = _mm256_xor_si256(Bytes(rows[3]), f);
  const __m256i ab0 = _mm256_unpacklo_epi8(a, b), ab1 = _mm256_unpackhi_epi8(a, b);
  const __m256i cd0 = _mm256_unpacklo_epi8(c, d), cd1 = _mm256_unpackhi_epi8(c, d);
  // Columns 0-3 and 16-19, 4-7 and 20-23 and so on.
  const __m256i p = _mm256_unpacklo_epi16(ab0, cd0), q = _mm256_unpackhi_epi16(ab0, cd0);
  const __m256i r = _mm256_unpacklo_epi16(ab1, cd1), s = _mm256_unpackhi_epi16(ab1, cd1);
  StoreBytes(out, _mm256_permute2x128_si256(p, q, 0x20));
  StoreBytes(out + 32, _mm256_permute2x128_si256(r, s, 0x20));
  StoreBytes(out + 64, _mm256_permute2x128_si256(p, q, 0x31));
  StoreBytes(out + 96, _mm256_permute2x128_si256(r, s, 0x31));
}

// Word w of column j, 4 bytes, goes to out + w * kStepBytes + 4 * j; 8 words of 8 columns.
TL_INLINE void TransposeWords(const int8_t* const* columns, uint8_t flip, int8_t* out) {
  const __m256i f = _mm256_set1_epi8(static_cast<char>(flip));
  __m256i t[8], u[8];
  for (int i = 0; i < 8; ++i) t[i] = _mm256_xor_si256(Bytes(columns[i]), f);
  for (int i = 0; i < 8; i += 2) {
    u[i] = _mm256_unpacklo_epi32(t[i], t[i + 1]);
    u[i + 1] = _mm256_unpackhi_epi32(t[i], t[i + 1]);
  }
  for (int i = 0; i < 8; i += 4) {
    t[i] = _mm256_unpacklo_epi64(u[i], u[i + 2]);
    t[i + 1] = _mm256_unpackhi_epi64(u[i], u[i + 2]);
    t[i + 2] = _mm256_unpacklo_epi64(u[i + 1], u[i + 3]);
    t[i + 3] = _mm256_unpackhi_epi64(u[i + 1], u[i + 3]);
  }
  for (int w = 0; w < 4; ++w) {
    StoreBytes(out + static_cast<size_t>(w) * kStepBytes, _mm256_permute2x128_si256(t[w], t[w + 4], 0x20));
    StoreBytes(out + static_cast<size_t>(w + 4) * kStepBytes, _mm256_permute2x128_si256(t[w], t[w + 4], 0x31));
  }
}

// sums[j] of the four bytes of each column j, over all steps.
TL_INLINE void SumSteps(const int8_t* packed, size_t steps, int32_t* sums) {
  const __m256i ones8 = _mm256_set1_epi8(1), ones16 = _mm256_set1_epi16(1);
  __m256i sum[4] = {};
  for (size_t s = 0; s < steps; ++s) {
    for (size_t i = 0; i < 4; ++i) {
      const __m256i pairs = _mm256_maddubs_epi16(ones8, Bytes(packed + s * kStepBytes + 32 * i));
      sum[i] = _mm256_add_epi32(sum[i], _mm256_madd_epi16(pairs, ones16));
    }
  }
  memcpy(sums, sum, sizeof(sum));
}

int32_t Sum(const int8_t* x, size_t n) {
  const __m256i ones8 = _mm256_set1_epi8(1), ones16 = _mm256_set1_epi16(1);
  __m256i sum = _mm256_setzero_si256();
  size_t i = 0;
  for (; i + 32 <= n; i += 32) {
    sum = _mm256_add_epi32(sum, _mm256_madd_epi16(_mm256_maddubs_epi16(ones8, Bytes(x + i)), ones16));
  }
  int32_t lanes[8];
  memcpy(lanes, &sum, sizeof(lanes));
  int32_t total = ((lanes[0] + lanes[4]) + (lanes[1] + lanes[5])) + ((lanes[2] + lanes[6]) + (lanes[3] + lanes[7]));
  for (; i < n; ++i) total += x[i];
  return total;
}

#elif TL_SIMD == TL_SIMD_arm_neon

TL_INLINE uint8x16_t Flipped(const int8_t* p, uint8x16_t flip) {
  return veorq_u8(vreinterpretq_u8_s8(vld1q_s8(p)), flip);
}

TL_INLINE void Interleave(const int8_t* const* rows, uint8_t flip, int8_t* out) {
  const uint8x16_t f = vdupq_n_u8(flip);
  for (size_t j = 0; j < kColumns; j += 16) {
    const uint8x16x4_t v = {
        {Flipped(rows[0] + j, f), Flipped(rows[1] + j, f), Flipped(rows[2] + j, f), Flipped(rows[3] + j, f)}};
    vst4q_u8(reinterpret_cast<uint8_t*>(out) + 4 * j, v);
  }
}

// 4 words of 4 columns.
TL_INLINE void TransposeQuarter(const int8_t* const* columns, size_t at, uint8x16_t flip, int8_t* out) {
  uint32x4_t c[4];
  for (int i = 0; i < 4; ++i) c[i] = vreinterpretq_u32_u8(Flipped(columns[i] + at, flip));
  const uint32x4x2_t p = vtrnq_u32(c[0], c[1]), q = vtrnq_u32(c[2], c[3]);
  const uint32x4_t words[4] = {vcombine_u32(vget_low_u32(p.val[0]), vget_low_u32(q.val[0])),
                               vcombine_u32(vget_low_u32(p.val[1]), vget_low_u32(q.val[1])),
                               vcombine_u32(vget_high_u32(p.val[0]), vget_high_u32(q.val[0])),
                               vcombine_u32(vget_high_u32(p.val[1]), vget_high_u32(q.val[1]))};
  for (size_t w = 0; w < 4; ++w)
    vst1q_u8(reinterpret_cast<uint8_t*>(out) + w * kStepBytes, vreinterpretq_u8_u32(words[w]));
}

TL_INLINE void TransposeWords(const int8_t* const* columns, uint8_t flip, int8_t* out) {
  const uint8x16_t f = vdupq_n_u8(flip);
  for (size_t half = 0; half < 2; ++half) {
    TransposeQuarter(columns, 16 * half, f, out + half * 4 * kStepBytes);
    TransposeQuarter(columns + 4, 16 * half, f, out + half * 4 * kStepBytes + 16);
  }
}

TL_INLINE void SumSteps(const int8_t* packed, size_t steps, int32_t* sums) {
  int32x4_t sum[8];
  for (size_t i = 0; i < 8; ++i) sum[i] = vdupq_n_s32(0);
  for (size_t s = 0; s < steps; ++s) {
    for (size_t i = 0; i < 8; ++i) {
      sum[i] = vpadalq_s16(sum[i], vpaddlq_s8(vld1q_s8(packed + s * kStepBytes + 16 * i)));
    }
  }
  for (size_t i = 0; i < 8; ++i) vst1q_s32(sums + 4 * i, sum[i]);
}

int32_t Sum(const int8_t* x, size_t n) {
  int32x4_t sum = vdupq_n_s32(0);
  size_t i = 0;
  for (; i + 16 <= n; i += 16) sum = vpadalq_s16(sum, vpaddlq_s8(vld1q_s8(x + i)));
  int32_t lanes[4];
  vst1q_s32(lanes, sum);
  int32_t total = (lanes[0] + lanes[1]) + (lanes[2] + lanes[3]);
  for (; i < n; ++i) total += x[i];
  return total;
}

#else

TL_INLINE void Interleave(const int8_t* const* rows, uint8_t flip, int8_t* out) {
  for (size_t j = 0; j < kColumns; ++j) {
    for (size_t i = 0; i < 4; ++i) out[4 * j + i] = static_cast<int8_t>(rows[i][j] ^ static_cast<int8_t>(flip));
  }
}

TL_INLINE void TransposeWords(const int8_t* const* columns, uint8_t flip, int8_t* out) {
  for (size_t j = 0; j < 8; ++j) {
    for (size_t i = 0; i < 32; ++i) {
      out[i / 4 * kStepBytes + 4 * j + i % 4] = static_cast<int8_t>(columns[j][i] ^ static_cast<int8_t>(flip));
    }
  }
}

TL_INLINE void SumSteps(const int8_t* packed, size_t steps, int32_t* sums) {
  for (size_t j = 0; j < kColumns; ++j) {
    int32_t sum = 0;
    for (size_t s = 0; s < steps; ++s) {
      const int8_t* four = packed + s * kStepBytes + 4 * j;
      sum += four[0] + four[1] + four[2] + four[3];
    }
    sums[j] = sum;
  }
}

int32_t Sum(const int8_t* x, size_t n) {
  int32_t sum = 0;
  for (size_t i = 0; i < n; ++i) sum += x[i];
  return sum;
}

#endif

// Rows and columns that are not there, or only in part, are read from here: what becomes 0.
struct Padding {
  int8_t zeros[kColumns];
  int8_t rows[8][kColumns];
};

// The first n <= 32 bytes of `from`, then zeros.
TL_INLINE const int8_t* Padded(const int8_t* from, size_t n, const Padding& padding, int8_t* to) {
  memcpy(to, padding.zeros, kColumns);
  for (size_t i = 0; i < n; ++i) to[i] = from[i];
  return to;
}

void PackRows(const int8_t* b, size_t stride, uint8_t flip, size_t k, size_t n, int8_t* out) {
  Padding padding;
  memset(padding.zeros, flip, kColumns);
  for (size_t i = 0; i < k; i += 4) {
    const int8_t* rows[4];
    for (size_t r = 0; r < 4; ++r) {
      rows[r] = i + r < k ? b + (i + r) * stride : padding.zeros;
      if (i + r < k && n < kColumns) rows[r] = Padded(rows[r], n, padding, padding.rows[r]);
    }
    Interleave(rows, flip, out + i * kColumns);
  }
}

void PackColumns(const int8_t* b, size_t stride, uint8_t flip, size_t k, size_t n, int8_t* out) {
  Padding padding;
  memset(padding.zeros, flip, kColumns);
  int8_t last[8 * kStepBytes];
  for (size_t i = 0; i < k; i += 32) {
    const size_t bytes = k - i < 32 ? k - i : 32;
    for (size_t j = 0; j < kColumns; j += 8) {
      const int8_t* columns[8];
      for (size_t c = 0; c < 8; ++c) {
        columns[c] = j + c < n ? b + (j + c) * stride + i : padding.zeros;
        if (j + c < n && bytes < 32) columns[c] = Padded(columns[c], bytes, padding, padding.rows[c]);
      }
      TransposeWords(columns, flip, bytes < 32 ? last + 4 * j : out + i * kColumns + 4 * j);
    }
    if (bytes < 32) memcpy(out + i * kColumns, last, (bytes + 3) / 4 * kStepBytes);
  }
}

void Panel(const int8_t* b, size_t stride, bool transposed, uint8_t flip, size_t k, size_t n, void* dst) {
  int8_t* packed = static_cast<int8_t*>(dst) + 4 * kColumns;
  if (transposed) {
    PackColumns(b, stride, flip, k, n, packed);
  } else {
    PackRows(b, stride, flip, k, n, packed);
  }
  int32_t sums[kColumns];
  SumSteps(packed, (k + 3) / 4, sums);
  memcpy(dst, sums, sizeof(sums));
}

constexpr QPackKernels kQPack = {Panel, Sum};

}  // namespace
}  // namespace TL_ISA
}  // namespace tealight
