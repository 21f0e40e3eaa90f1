// SPDX-License-Identifier: Apache-2.0
// The transpose of kernels/transpose/transpose.h. A block is kSub sub-blocks of N x N elements, N elements being 16
// bytes: row i of sub-block k fills 16 bytes k of register i, so log2(N) rounds of zips within 16-byte lanes leave
// the transposed rows, each kSub * 16 bytes wide. Interleaving three planes (pictures) has its own loops.
#include <string.h>

#if defined(__AVX512F__) && !defined(__clang__)
// GCC's own headers start "undefined" registers from themselves.
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif
#if defined(__x86_64__)
#include <immintrin.h>
#elif defined(__ARM_NEON)
#include <arm_neon.h>
#endif

#include "kernels/transpose/transpose.h"

namespace tealight {
namespace TL_ISA {
namespace {

template <typename T>
inline void TransposeScalar(const char* src, ptrdiff_t src_stride, char* dst, ptrdiff_t dst_stride, size_t rows,
                            size_t cols) {
  for (size_t j = 0; j < cols; ++j) {
    char* out = dst + static_cast<ptrdiff_t>(j) * dst_stride;
    const char* in = src + j * sizeof(T);
    for (size_t i = 0; i < rows; ++i) {
      memcpy(out + i * sizeof(T), in, sizeof(T));
      in += src_stride;
    }
  }
}

#if defined(__AVX512F__)
#define TL_TRANSPOSE_SIMD 1
constexpr size_t kSub = 4;
using Register = __m512i;
inline Register LoadSubs(const char* p, ptrdiff_t s) {
  const __m256i low = _mm256_inserti128_si256(_mm256_castsi128_si256(_mm_loadu_si128((const __m128i*)p)),
                                              _mm_loadu_si128((const __m128i*)(p + s)), 1);
  const __m256i high = _mm256_inserti128_si256(_mm256_castsi128_si256(_mm_loadu_si128((const __m128i*)(p + 2 * s))),
                                               _mm_loadu_si128((const __m128i*)(p + 3 * s)), 1);
  return _mm512_inserti64x4(_mm512_castsi256_si512(low), high, 1);
}
inline void StoreSubs(char* p, Register v) { _mm512_storeu_si512(p, v); }
inline Register ZipLow(Register a, Register b, uint8_t) { return _mm512_unpacklo_epi8(a, b); }
inline Register ZipLow(Register a, Register b, uint16_t) { return _mm512_unpacklo_epi16(a, b); }
inline Register ZipLow(Register a, Register b, uint32_t) { return _mm512_unpacklo_epi32(a, b); }
inline Register ZipLow(Register a, Register b, uint64_t) { return _mm512_unpacklo_epi64(a, b); }
inline Register ZipHigh(Register a, Register b, uint8_t) { return _mm512_unpackhi_epi8(a, b); }
inline Register ZipHigh(Register a, Register b, uint16_t) { return _mm512_unpackhi_epi16(a, b); }
inline Register ZipHigh(Register a, Register b, uint32_t) { return _mm512_unpackhi_epi32(a, b); }
inline Register ZipHigh(Register a, Register b, uint64_t) { return _mm512_unpackhi_epi64(a, b); }
#elif defined(__AVX2__)
#define TL_TRANSPOSE_SIMD 1
constexpr size_t kSub = 2;
using Register = __m256i;
inline Register LoadSubs(const char* p, ptrdiff_t s) {
  return _mm256_inserti128_si256(_mm256_castsi128_si256(_mm_loadu_si128((const __m128i*)p)),
                                 _mm_loadu_si128((const __m128i*)(p + s)), 1);
}
inline void StoreSubs(char* p, Register v) { _mm256_storeu_si256((__m256i*)p, v); }
inline Register ZipLow(Register a, Register b, uint8_t) { return _mm256_unpacklo_epi8(a, b); }
inline Register ZipLow(Register a, Register b, uint16_t) { return _mm256_unpacklo_epi16(a, b); }
inline Register ZipLow(Register a, Register b, uint32_t) { return _mm256_unpacklo_epi32(a, b); }
inline Register ZipLow(Register a, Register b, uint64_t) { return _mm256_unpacklo_epi64(a, b); }
inline Register ZipHigh(Register a, Register b, uint8_t) { return _mm256_unpackhi_epi8(a, b); }
inline Register ZipHigh(Register a, Register b, uint16_t) { return _mm256_unpackhi_epi16(a, b); }
inline Register ZipHigh(Register a, Register b, uint32_t) { return _mm256_unpackhi_epi32(a, b); }
inline Register ZipHigh(Register a, Register b, uint64_t) { return _mm256_unpackhi_epi64(a, b); }
#elif defined(__ARM_NEON)
#define TL_TRANSPOSE_SIMD 1
constexpr size_t kSub = 1;
using Register = uint8x16_t;
inline Register LoadSubs(const char* p, ptrdiff_t) { return vld1q_u8((const uint8_t*)p); }
inline void StoreSubs(char* p, Register v) { vst1q_u8((uint8_t*)p, v); }
inline uint16x8_t As16(Register v) { return vreinterpretq_u16_u8(v); }
inline uint32x4_t As32(Register v) { return vreinterpretq_u32_u8(v); }
inline uint64x2_t As64(Register v) { return vreinterpretq_u64_u8(v); }
inline Register ZipLow(Register a, Register b, uint8_t) { return vzipq_u8(a, b).val[0]; }
inline Register ZipLow(Register a, Register b, uint16_t) {
  return vreinterpretq_u8_u16(vzipq_u16(As16(a), As16(b)).val[0]);
}
inline Register ZipLow(Register a, Register b, uint32_t) {
  return vreinterpretq_u8_u32(vzipq_u32(As32(a), As32(b)).val[0]);
}
inline Register ZipLow(Register a, Register b, uint64_t) {
  return vreinterpretq_u8_u64(vcombine_u64(vget_low_u64(As64(a)), vget_low_u64(As64(b))));
}
inline Register ZipHigh(Register a, Register b, uint8_t) { return vzipq_u8(a, b).val[1]; }
inline Register ZipHigh(Register a, Register b, uint16_t) {
  return vreinterpretq_u8_u16(vzipq_u16(As16(a), As16(b)).val[1]);
}
inline Register ZipHigh(Register a, Register b, uint32_t) {
  return vreinterpretq_u8_u32(vzipq_u32(As32(a), As32(b)).val[1]);
}
inline Register ZipHigh(Register a, Register b, uint64_t) {
  return vreinterpretq_u8_u64(vcombine_u64(vget_high_u64(As64(a)), vget_high_u64(As64(b))));
}
#endif

#ifdef TL_TRANSPOSE_SIMD

// One block: kSub * N rows, N columns.
template <typename T>
inline void TransposeBlock(const char* src, ptrdiff_t src_stride, char* dst, ptrdiff_t dst_stride) {
  constexpr size_t kN = 16 / sizeof(T);
  Register v[kN];
  for (size_t i = 0; i < kN; ++i) {
    v[i] = LoadSubs(src + static_cast<ptrdiff_t>(i) * src_stride, static_cast<ptrdiff_t>(kN) * src_stride);
  }
  for (size_t round = 1; round < kN; round *= 2) {
    Register t[kN];
    for (size_t i = 0; i < kN / 2; ++i) {
      t[2 * i] = ZipLow(v[i], v[i + kN / 2], T());
      t[2 * i + 1] = ZipHigh(v[i], v[i + kN / 2], T());
    }
    for (size_t i = 0; i < kN; ++i) v[i] = t[i];
  }
  for (size_t i = 0; i < kN; ++i) StoreSubs(dst + static_cast<ptrdiff_t>(i) * dst_stride, v[i]);
}

// Sixteen bytes from each of three planes, and back.
#if defined(__x86_64__)
// Which byte of an input goes where, 0x80 for none: byte k of 48 is byte k / 3 of plane k % 3.
struct Shuffles3 {
  uint8_t interleave[3][3][16], deinterleave[3][3][16];  // [output][input]
  constexpr Shuffles3() : interleave(), deinterleave() {
    for (int out = 0; out < 3; ++out) {
      for (int in = 0; in < 3; ++in) {
        for (int i = 0; i < 16; ++i) {
          const int from = 16 * out + i, to = 3 * i + out;
          interleave[out][in][i] = static_cast<uint8_t>(from % 3 == in ? from / 3 : 0x80);
          deinterleave[out][in][i] = static_cast<uint8_t>(to / 16 == in ? to % 16 : 0x80);
        }
      }
    }
  }
};
constexpr Shuffles3 kShuffles3;

inline __m128i Shuffled3(const __m128i* x, const uint8_t (*masks)[16]) {
  const __m128i a = _mm_shuffle_epi8(x[0], _mm_loadu_si128((const __m128i*)masks[0]));
  const __m128i b = _mm_shuffle_epi8(x[1], _mm_loadu_si128((const __m128i*)masks[1]));
  const __m128i c = _mm_shuffle_epi8(x[2], _mm_loadu_si128((const __m128i*)masks[2]));
  return _mm_or_si128(_mm_or_si128(a, b), c);
}
inline void Interleave3Bytes(const char* src, ptrdiff_t stride, char* dst) {
  __m128i x[3];
  for (int i = 0; i < 3; ++i) x[i] = _mm_loadu_si128((const __m128i*)(src + i * stride));
  for (int i = 0; i < 3; ++i) _mm_storeu_si128((__m128i*)(dst + 16 * i), Shuffled3(x, kShuffles3.interleave[i]));
}
inline void Deinterleave3Bytes(const char* src, char* dst, ptrdiff_t stride) {
  __m128i x[3];
  for (int i = 0; i < 3; ++i) x[i] = _mm_loadu_si128((const __m128i*)(src + 16 * i));
  for (int i = 0; i < 3; ++i) _mm_storeu_si128((__m128i*)(dst + i * stride), Shuffled3(x, kShuffles3.deinterleave[i]));
}
#else
inline void Interleave3Bytes(const char* src, ptrdiff_t stride, char* dst) {
  uint8x16x3_t v;
  v.val[0] = vld1q_u8((const uint8_t*)src);
  v.val[1] = vld1q_u8((const uint8_t*)(src + stride));
  v.val[2] = vld1q_u8((const uint8_t*)(src + 2 * stride));
  vst3q_u8((uint8_t*)dst, v);
}
inline void Deinterleave3Bytes(const char* src, char* dst, ptrdiff_t stride) {
  const uint8x16x3_t v = vld3q_u8((const uint8_t*)src);
  vst1q_u8((uint8_t*)dst, v.val[0]);
  vst1q_u8((uint8_t*)(dst + stride), v.val[1]);
  vst1q_u8((uint8_t*)(dst + 2 * stride), v.val[2]);
}
#endif

// Interleave3 joins values of three planes, Deinterleave3 parts them; both return how many of each plane they did.
inline size_t Interleave3(const char* src, ptrdiff_t stride, char* dst, size_t cols, uint8_t) {
  size_t j = 0;
  for (; j + 16 <= cols; j += 16) Interleave3Bytes(src + j, stride, dst + 3 * j);
  return j;
}
inline size_t Deinterleave3(const char* src, char* dst, ptrdiff_t stride, size_t rows, uint8_t) {
  size_t i = 0;
  for (; i + 16 <= rows; i += 16) Deinterleave3Bytes(src + 3 * i, dst + i, stride);
  return i;
}
#if defined(__x86_64__)
// a0 b0 c0 a1 | b1 c1 a2 b2 | c2 a3 b3 c3, and back.
inline size_t Interleave3(const char* src, ptrdiff_t stride, char* dst, size_t cols, uint32_t) {
  size_t j = 0;
  for (; j + 4 <= cols; j += 4) {
    const __m128 a = _mm_loadu_ps((const float*)(src + j * 4));
    const __m128 b = _mm_loadu_ps((const float*)(src + stride + j * 4));
    const __m128 c = _mm_loadu_ps((const float*)(src + 2 * stride + j * 4));
    const __m128 ab = _mm_unpacklo_ps(a, b);        // a0 b0 a1 b1
    const __m128 bc = _mm_shuffle_ps(b, c, 0x55);   // b1 b1 c1 c1
    const __m128 ca = _mm_shuffle_ps(c, a, 0x50);   // c0 c0 a1 a1
    const __m128 ab2 = _mm_unpackhi_ps(a, b);       // a2 b2 a3 b3
    const __m128 ca2 = _mm_shuffle_ps(c, a, 0xFA);  // c2 c2 a3 a3 (with c2 c2 = lanes 2 2)
    const __m128 bc2 = _mm_unpackhi_ps(b, c);       // b2 c2 b3 c3
    _mm_storeu_ps((float*)(dst + j * 12), _mm_shuffle_ps(ab, ca, 0x84));
    _mm_storeu_ps((float*)(dst + j * 12 + 16), _mm_shuffle_ps(bc, ab2, 0x48));
    _mm_storeu_ps((float*)(dst + j * 12 + 32), _mm_shuffle_ps(ca2, bc2, 0xE8));
  }
  return j;
}
inline size_t Deinterleave3(const char* src, char* dst, ptrdiff_t stride, size_t rows, uint32_t) {
  size_t i = 0;
  for (; i + 4 <= rows; i += 4) {
    const __m128 x = _mm_loadu_ps((const float*)(src + i * 12));       // a0 b0 c0 a1
    const __m128 y = _mm_loadu_ps((const float*)(src + i * 12 + 16));  // b1 c1 a2 b2
    const __m128 z = _mm_loadu_ps((const float*)(src + i * 12 + 32));  // c2 a3 b3 c3
    const __m128 a23 = _mm_shuffle_ps(y, z, 0x5A);                     // a2 a2 a3 a3
    const __m128 b01 = _mm_shuffle_ps(x, y, 0x05);                     // b0 b0 b1 b1
    const __m128 b23 = _mm_shuffle_ps(y, z, 0xAF);                     // b2 b2 b3 b3
    const __m128 c01 = _mm_shuffle_ps(x, y, 0x5A);                     // c0 c0 c1 c1
    _mm_storeu_ps((float*)(dst + i * 4), _mm_shuffle_ps(x, a23, 0x8C));
    _mm_storeu_ps((float*)(dst + stride + i * 4), _mm_shuffle_ps(b01, b23, 0x88));
    _mm_storeu_ps((float*)(dst + 2 * stride + i * 4), _mm_shuffle_ps(c01, z, 0xC8));
  }
  return i;
}
#else
inline size_t Interleave3(const char* src, ptrdiff_t stride, char* dst, size_t cols, uint32_t) {
  size_t j = 0;
  for (; j + 4 <= cols; j += 4) {
    uint32x4x3_t v;
    v.val[0] = vreinterpretq_u32_u8(vld1q_u8((const uint8_t*)(src + j * 4)));
    v.val[1] = vreinterpretq_u32_u8(vld1q_u8((const uint8_t*)(src + stride + j * 4)));
    v.val[2] = vreinterpretq_u32_u8(vld1q_u8((const uint8_t*)(src + 2 * stride + j * 4)));
    vst3q_u32((uint32_t*)(dst + j * 12), v);
  }
  return j;
}
inline size_t Deinterleave3(const char* src, char* dst, ptrdiff_t stride, size_t rows, uint32_t) {
  size_t i = 0;
  for (; i + 4 <= rows; i += 4) {
    const uint32x4x3_t v = vld3q_u32((const uint32_t*)(src + i * 12));
    vst1q_u8((uint8_t*)(dst + i * 4), vreinterpretq_u8_u32(v.val[0]));
    vst1q_u8((uint8_t*)(dst + stride + i * 4), vreinterpretq_u8_u32(v.val[1]));
    vst1q_u8((uint8_t*)(dst + 2 * stride + i * 4), vreinterpretq_u8_u32(v.val[2]));
  }
  return i;
}
#endif

template <typename T>
void Transpose(const void* src_data, ptrdiff_t src_stride, void* dst_data, ptrdiff_t dst_stride, size_t rows,
               size_t cols) {
  const char* src = static_cast<const char*>(src_data);
  char* dst = static_cast<char*>(dst_data);
  if constexpr (sizeof(T) == 1 || sizeof(T) == 4) {
    constexpr ptrdiff_t kTriple = 3 * sizeof(T);
    if (rows == 3 && dst_stride == kTriple) {
      const size_t done = Interleave3(src, src_stride, dst, cols, T());
      TransposeScalar<T>(src + done * sizeof(T), src_stride, dst + done * kTriple, dst_stride, rows, cols - done);
      return;
    }
    if (cols == 3 && src_stride == kTriple) {
      const size_t done = Deinterleave3(src, dst, dst_stride, rows, T());
      TransposeScalar<T>(src + done * kTriple, src_stride, dst + done * sizeof(T), dst_stride, rows - done, cols);
      return;
    }
  }
  constexpr size_t kCols = 16 / sizeof(T), kRows = kSub * kCols;
  if (rows < kRows || cols < kCols) return TransposeScalar<T>(src, src_stride, dst, dst_stride, rows, cols);
  for (size_t i = 0; i < rows; i += kRows) {
    if (i + kRows > rows) i = rows - kRows;  // the last block, some of it again
    const char* in = src + static_cast<ptrdiff_t>(i) * src_stride;
    char* out = dst + i * sizeof(T);
    for (size_t j = 0; j < cols; j += kCols) {
      if (j + kCols > cols) j = cols - kCols;
      TransposeBlock<T>(in + j * sizeof(T), src_stride, out + static_cast<ptrdiff_t>(j) * dst_stride, dst_stride);
    }
  }
}

#else

template <typename T>
void Transpose(const void* src, ptrdiff_t src_stride, void* dst, ptrdiff_t dst_stride, size_t rows, size_t cols) {
  TransposeScalar<T>(static_cast<const char*>(src), src_stride, static_cast<char*>(dst), dst_stride, rows, cols);
}

#endif

const TransposeKernels kTransposeKernels = {
    {Transpose<uint8_t>, Transpose<uint16_t>, Transpose<uint32_t>, Transpose<uint64_t>}};

}  // namespace
}  // namespace TL_ISA
}  // namespace tealight
