// SPDX-License-Identifier: Apache-2.0
// Loads one row of a panel, 16 stored weights, as float32 without zero point and scale. Included by generic.h only.
#ifndef TEALIGHT_KERNELS_DECODE_LOAD_ROW_H_
#define TEALIGHT_KERNELS_DECODE_LOAD_ROW_H_

#include "base/simd/vec.h"
#include "kernels/decode/decode.h"

namespace tealight {
namespace TL_ISA {
namespace {

// Vectors of one row.
constexpr size_t kRowVectors = kGemmPanel / kLanes;

#if TL_SIMD == TL_SIMD_scalar
TL_INLINE void LoadInt8Row(const uint8_t* p, F32 (&w)[kRowVectors]) {
  for (size_t j = 0; j < kRowVectors; ++j) w[j] = {static_cast<float>(static_cast<int8_t>(p[j]))};
}
template <bool kSigned>
TL_INLINE void LoadInt4Row(const uint8_t* p, F32 (&w)[kRowVectors]) {
  for (size_t j = 0; j < kRowVectors; ++j) {
    const int q = p[j / 2] >> (4 * (j % 2)) & 15;
    w[j] = {static_cast<float>(kSigned ? (q ^ 8) - 8 : q)};
  }
}
#elif TL_SIMD == TL_SIMD_arm_neon
TL_INLINE void WidenInt8(int8x16_t q, F32 (&w)[kRowVectors]) {
  const int16x8_t low = vmovl_s8(vget_low_s8(q)), high = vmovl_s8(vget_high_s8(q));
  w[0] = {vcvtq_f32_s32(vmovl_s16(vget_low_s16(low)))};
  w[1] = {vcvtq_f32_s32(vmovl_s16(vget_high_s16(low)))};
  w[2] = {vcvtq_f32_s32(vmovl_s16(vget_low_s16(high)))};
  w[3] = {vcvtq_f32_s32(vmovl_s16(vget_high_s16(high)))};
}
TL_INLINE void LoadInt8Row(const uint8_t* p, F32 (&w)[kRowVectors]) { WidenInt8(vreinterpretq_s8_u8(vld1q_u8(p)), w); }
template <bool kSigned>
TL_INLINE void LoadInt4Row(const uint8_t* p, F32 (&w)[kRowVectors]) {
  const int8x8_t both = vreinterpret_s8_u8(vld1_u8(p));
  int8x8x2_t q;
  if (kSigned) {
    q = vzip_s8(vshr_n_s8(vshl_n_s8(both, 4), 4), vshr_n_s8(both, 4));
  } else {
    const uint8x8_t bits = vreinterpret_u8_s8(both);
    q = vzip_s8(vreinterpret_s8_u8(vand_u8(bits, vdup_n_u8(15))), vreinterpret_s8_u8(vshr_n_u8(bits, 4)));
  }
  WidenInt8(vcombine_s8(q.val[0], q.val[1]), w);
}
#elif TL_SIMD == TL_SIMD_x86_avx2
TL_INLINE void LoadInt8Row(const uint8_t* p, F32 (&w)[kRowVectors]) {
  const __m128i q = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
  w[0] = {_mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(q))};
  w[1] = {_mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_srli_si128(q, 8)))};
}
template <bool kSigned>
TL_INLINE void LoadInt4Row(const uint8_t* p, F32 (&w)[kRowVectors]) {
  // A vector of 8 weights is one 32-bit word; each lane shifts its 4 bits to the top and back.
  const __m256i up = _mm256_setr_epi32(28, 24, 20, 16, 12, 8, 4, 0);
  TL_DECODE_UNROLL for (size_t j = 0; j < kRowVectors; ++j) {
    int32_t word;
    memcpy(&word, p + 4 * j, 4);
    const __m256i top = _mm256_sllv_epi32(_mm256_set1_epi32(word), up);
    w[j] = {_mm256_cvtepi32_ps(kSigned ? _mm256_srai_epi32(top, 28) : _mm256_srli_epi32(top, 28))};
  }
}
#elif TL_SIMD == TL_SIMD_x86_avx512
TL_INLINE void LoadInt8Row(const uint8_t* p, F32 (&w)[kRowVectors]) {
  w[0] = {_mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p))))};
}
template <bool kSigned>
TL_INLINE void LoadInt4Row(const uint8_t* p, F32 (&w)[kRowVectors]) {
  // 16 weights are two 32-bit words; each lane brings its 4 bits down and looks up their value (the table's index is
  // the low 4 bits of a lane).
  const __m512i words = _mm512_setr_epi32(0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1);
  const __m512i down = _mm512_setr_epi32(0, 4, 8, 12, 16, 20, 24, 28, 0, 4, 8, 12, 16, 20, 24, 28);
  const __m512 values = kSigned ? _mm512_setr_ps(0, 1, 2, 3, 4, 5, 6, 7, -8, -7, -6, -5, -4, -3, -2, -1)
                                : _mm512_setr_ps(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
  int64_t both;
  memcpy(&both, p, 8);
  const __m512i spread = _mm512_permutexvar_epi32(words, _mm512_set1_epi64(both));
  w[0] = {_mm512_permutexvar_ps(_mm512_srlv_epi32(spread, down), values)};
}
#endif

// 128 bytes of two 4-bit integers each to the 128 low ones and then the 128 high ones, as int8.
TL_INLINE void UnpackInt4(const uint8_t* p, int8_t* q) {
#if TL_SIMD == TL_SIMD_x86_avx512
  const __m512i low = _mm512_set1_epi8(15), sign = _mm512_set1_epi8(8);
  for (int i = 0; i < 128; i += 64) {
    const __m512i both = _mm512_loadu_si512(p + i);
    const __m512i a = _mm512_and_si512(both, low), b = _mm512_and_si512(_mm512_srli_epi16(both, 4), low);
    _mm512_storeu_si512(q + i, _mm512_sub_epi8(_mm512_xor_si512(a, sign), sign));
    _mm512_storeu_si512(q + 128 + i, _mm512_sub_epi8(_mm512_xor_si512(b, sign), sign));
  }
#elif TL_SIMD == TL_SIMD_x86_avx2
  const __m256i low = _mm256_set1_epi8(15), sign = _mm256_set1_epi8(8);
  for (int i = 0; i < 128; i += 32) {
    const __m256i both = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p + i));
    const __m256i a = _mm256_and_si256(both, low), b = _mm256_and_si256(_mm256_srli_epi16(both, 4), low);
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(q + i), _mm256_sub_epi8(_mm256_xor_si256(a, sign), sign));
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(q + 128 + i), _mm256_sub_epi8(_mm256_xor_si256(b, sign), sign));
  }
#elif TL_SIMD == TL_SIMD_arm_neon
  for (int i = 0; i < 128; i += 16) {
    const int8x16_t both = vreinterpretq_s8_u8(vld1q_u8(p + i));
    vst1q_s8(q + i, vshrq_n_s8(vshlq_n_s8(both, 4), 4));
    vst1q_s8(q + 128 + i, vshrq_n_s8(both, 4));
  }
#else
  for (int i = 0; i < 128; ++i) {
    q[i] = static_cast<int8_t>(((p[i] & 15) ^ 8) - 8);
    q[128 + i] = static_cast<int8_t>(((p[i] >> 4) ^ 8) - 8);
  }
#endif
}

template <DType D>
TL_INLINE void LoadRow(const uint8_t* p, F32 (&w)[kRowVectors]) {
  if constexpr (D == DType::kFloat16) {
    TL_DECODE_UNROLL for (size_t j = 0; j < kRowVectors; ++j) {
      w[j] = LoadHalf(reinterpret_cast<const uint16_t*>(p) + j * kLanes);
    }
  } else if constexpr (D == DType::kInt8) {
    LoadInt8Row(p, w);
  } else {
    LoadInt4Row<D == DType::kInt4>(p, w);
  }
}

}  // namespace
}  // namespace TL_ISA
}  // namespace tealight

#endif  // TEALIGHT_KERNELS_DECODE_LOAD_ROW_H_
