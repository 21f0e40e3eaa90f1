// SPDX-License-Identifier: Apache-2.0
// NEON int8 gemm with smmla, which multiplies 2 rows x 8 k by 8 k x 2 columns. Rows are packed first, two by two and 8
// k at a time, on the stack; two groups of 4 k of rhs are zipped into columns of 8 k. Tiles of 12 rows x 8 columns (24
// sums), 4 zips for 24 products. One to three rows go the way of arm_neondot.
#define TL_ISA arm_neoni8mm
#include "kernels/qgemm/arm_dot.h"

namespace tealight {
namespace TL_ISA {
namespace {

// Bytes of packed rows on the stack; rows that are longer are multiplied with sdot.
constexpr size_t kPackedBytes = 24 * 1024;

TL_INLINE int8x16_t ZipLow(int8x16_t a, int8x16_t b) {
  return vreinterpretq_s8_s32(vzip1q_s32(vreinterpretq_s32_s8(a), vreinterpretq_s32_s8(b)));
}
TL_INLINE int8x16_t ZipHigh(int8x16_t a, int8x16_t b) {
  return vreinterpretq_s8_s32(vzip2q_s32(vreinterpretq_s32_s8(a), vreinterpretq_s32_s8(b)));
}

// blocks[i][j] has rows 2i and 2i + 1 of columns 2j and 2j + 1. p[0] points to the packed rows [k / 8][MR / 2][2][8].
template <int MR, int NV>
struct BlockLoop {
  int32x4_t blocks[MR / 2][2 * NV];

  TL_LOOP BlockLoop() {
    TL_UNROLL for (int i = 0; i < MR / 2; ++i) {
      TL_UNROLL for (int j = 0; j < 2 * NV; ++j) blocks[i][j] = vdupq_n_s32(0);
    }
  }

  TL_LOOP void Run(I32 (&)[MR][NV], const int8_t* const (&p)[MR], Rhs<NV>& rhs, size_t run) {
    const int8_t* x = p[0];
    for (; run >= 8; run -= 8, x += 8 * MR) {
      int8x16_t w[2 * NV];
      TL_UNROLL for (int j = 0; j < NV; ++j) {
        const int8x16_t w0 = vld1q_s8(rhs.Vector(j)), w1 = vld1q_s8(rhs.Vector(j) + 4 * kQGemmPanel);
        w[2 * j] = ZipLow(w0, w1);
        w[2 * j + 1] = ZipHigh(w0, w1);
      }
      rhs.Advance(2);
      Multiply(x, w);
    }
    if (run > 0) {  // the packed rows have zeros there
      int8x16_t w[2 * NV];
      TL_UNROLL for (int j = 0; j < NV; ++j) {
        const int8x16_t w0 = vld1q_s8(rhs.Vector(j));
        w[2 * j] = ZipLow(w0, w0);
        w[2 * j + 1] = ZipHigh(w0, w0);
      }
      rhs.Advance(1);
      Multiply(x, w);
    }
  }

  TL_LOOP void Multiply(const int8_t* x, const int8x16_t (&w)[2 * NV]) {
    TL_UNROLL for (int i = 0; i < MR / 2; ++i) {
      const int8x16_t pair = vld1q_s8(x + 16 * i);
      TL_UNROLL for (int j = 0; j < 2 * NV; ++j) blocks[i][j] = vmmlaq_s32(blocks[i][j], pair, w[j]);
    }
  }

  TL_LOOP void Finish(I32 (&acc)[MR][NV]) {
    TL_UNROLL for (int i = 0; i < MR; ++i) {
      TL_UNROLL for (int j = 0; j < NV; ++j) {
        const int64x2_t a = vreinterpretq_s64_s32(blocks[i / 2][2 * j]);
        const int64x2_t b = vreinterpretq_s64_s32(blocks[i / 2][2 * j + 1]);
        const int64x2_t row = i % 2 == 0 ? vzip1q_s64(a, b) : vzip2q_s64(a, b);
        acc[i][j].v = vaddq_s32(acc[i][j].v, vreinterpretq_s32_s64(row));
      }
    }
  }
};

// Packs m rows, the last standing in for those past it: [ceil(k / 8)][mr / 2][2][8].
void PackRows(const int8_t* const* rows, size_t m, size_t mr, size_t taps, size_t run, int8_t* packed) {
  for (size_t i = 0; i < mr; ++i) {
    int8_t* out = packed + i * 8;
    size_t half = 0;  // 4 if the last group of 8 is half full
    for (size_t t = 0; t < taps; ++t) {
      const int8_t* x = rows[t * m + (i < m ? i : m - 1)];
      size_t k = 0;
      if (half == 0) {
        for (; k + 8 <= run; k += 8, out += 8 * mr) memcpy(out, x + k, 8);
      }
      for (; k < run; k += 4) {
        memcpy(out + half, x + k, 4);
        half ^= 4;
        if (half == 0) out += 8 * mr;
      }
    }
    if (half != 0) memset(out + 4, 0, 4);
  }
}

template <int MR>
void PackedTile(const int8_t* const* rows, size_t m, const QGemmArgs& args) {
  alignas(16) int8_t packed[kPackedBytes];
  PackRows(rows, m, MR, args.taps, args.run, packed);
  const int8_t* base[MR] = {packed};
  for (const int8_t*& p : base) p = packed;
  QGemmArgs whole = args;
  whole.taps = 1;
  whole.run = args.taps * args.run;
  const size_t vectors = (args.n + kLanes - 1) / kLanes;
  size_t vector = 0;
  for (; vector + 2 <= vectors; vector += 2) {
    const size_t left = args.n - vector * kLanes;
    Tile<MR, 2, BlockLoop>(base, MR, 0, m, whole, vector, left < 2 * kLanes ? left : 2 * kLanes);
  }
  if (vector < vectors) Tile<MR, 1, BlockLoop>(base, MR, 0, m, whole, vector, args.n - vector * kLanes);
}

void DotRows(const int8_t* const* rows, size_t m, const QGemmArgs& args) {
  const size_t vector = Sweep<8, 2, DotLoop>(rows, m, args, 0);
  Sweep<8, 1, DotLoop>(rows, m, args, vector);
}

void TileRows(const int8_t* const* rows, size_t m, const QGemmArgs& args) {
  const size_t k8 = (args.taps * args.run + 7) / 8 * 8;
  if (m < 4 || k8 * 12 > kPackedBytes) return DotRows(rows, m, args);
  if (m > 8) {
    PackedTile<12>(rows, m, args);
  } else if (m > 4) {
    PackedTile<8>(rows, m, args);
  } else {
    PackedTile<4>(rows, m, args);
  }
}

}  // namespace
}  // namespace TL_ISA

const QGemmKernels* QGemmKernels_arm_neoni8mm() {
  static constexpr QGemmKernels kKernels = {12, arm_neoni8mm::TileRows};
  return &kKernels;
}

}  // namespace tealight
