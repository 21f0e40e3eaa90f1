// SPDX-License-Identifier: Apache-2.0
// NEON int8 gemm with smmla, which multiplies 2 rows x 8 k by 8 k x 2 columns. Rows are packed first, two by two and 8
// k at a time, on the stack; two groups of 4 k of rhs are zipped into columns of 8 k. Tiles of 12 rows x 8 columns (24
// sums), 4 zips for 24 products. One to three rows go the way of arm_neondot.
#define TL_ISA arm_neoni8mm
#include "kernels/qgemm/arm_dot.h"

namespace tealight {
namespace TL_ISA {
namespace {

// Bytes of packed rows on the stack, a multiple of 8; rows of more than an eighth are multiplied with sdot.
constexpr size_t kPackedBytes = 40 * 1024;
constexpr int kRows = 8;  // of a tile

TL_INLINE int8x16_t ZipLow(int8x16_t a, int8x16_t b) {
  return vreinterpretq_s8_s32(vzip1q_s32(vreinterpretq_s32_s8(a), vreinterpretq_s32_s8(b)));
}
TL_INLINE int8x16_t ZipHigh(int8x16_t a, int8x16_t b) {
  return vreinterpretq_s8_s32(vzip2q_s32(vreinterpretq_s32_s8(a), vreinterpretq_s32_s8(b)));
}

// blocks[i][j] has rows 2i and 2i + 1 of columns 2j and 2j + 1. p[0] points to the packed rows [k / 8][MR / 2][2][8],
// rhs to the packed columns [k / 8][2 * NV][2][8].
template <int MR, int NV>
struct BlockLoop {
  int32x4_t blocks[MR / 2][2 * NV];

  TL_LOOP BlockLoop() {
    TL_UNROLL for (int i = 0; i < MR / 2; ++i) {
      TL_UNROLL for (int j = 0; j < 2 * NV; ++j) blocks[i][j] = vdupq_n_s32(0);
    }
  }

  TL_LOOP void Run(I32 (&)[MR][NV], const int8_t* const (&p)[MR], Rhs<NV>& rhs, size_t run) {
    const int8_t *x = p[0], *columns = rhs.panel[0];
    for (; run > 0; run -= 8, x += 8 * MR, columns += 32 * NV) {
      int8x16_t w[2 * NV];
      TL_UNROLL for (int j = 0; j < 2 * NV; ++j) w[j] = vld1q_s8(columns + 16 * j);
      TL_UNROLL for (int i = 0; i < MR / 2; ++i) {
        const int8x16_t pair = vld1q_s8(x + 16 * i);
        TL_UNROLL for (int j = 0; j < 2 * NV; ++j) blocks[i][j] = vmmlaq_s32(blocks[i][j], pair, w[j]);
      }
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

// Packs rows [first, first + kRows), the last of m standing in for those past it: [ceil(k / 8)][kRows / 2][2][8].
void PackRows(const int8_t* const* rows, size_t m, size_t first, size_t taps, size_t run, int8_t* packed) {
  for (size_t i = 0; i < kRows; ++i) {
    int8_t* out = packed + i * 8;
    size_t half = 0;  // 4 if the last group of 8 is half full
    for (size_t t = 0; t < taps; ++t) {
      const int8_t* x = rows[t * m + (first + i < m ? first + i : m - 1)];
      size_t k = 0;
      if (half == 0) {
        for (; k + 8 <= run; k += 8, out += 8 * kRows) memcpy(out, x + k, 8);
      }
      for (; k < run; k += 4) {
        memcpy(out + half, x + k, 4);
        half ^= 4;
        if (half == 0) out += 8 * kRows;
      }
    }
    if (half != 0) memset(out + 4, 0, 4);
  }
}

// Packs NV vectors of columns: [ceil(k / 8)][2 * NV][2][8]. Past an odd group of 4 k there are zeros.
template <int NV>
void PackColumns(const int8_t* weights, size_t k, int8_t* packed) {
  for (size_t i = 0; i < k; i += 8, weights += 8 * kQGemmPanel) {
    TL_UNROLL for (int j = 0; j < NV; ++j, packed += 32) {
      const int8x16_t w0 = vld1q_s8(weights + 16 * j);
      const int8x16_t w1 = i + 8 <= k ? vld1q_s8(weights + 4 * kQGemmPanel + 16 * j) : vdupq_n_s8(0);
      vst1q_s8(packed, ZipLow(w0, w1));
      vst1q_s8(packed + 16, ZipHigh(w0, w1));
    }
  }
}

// The columns of NV vectors for the packed rows [begin, end): rows[i] is where the block of row i begins.
template <int NV>
void PackedColumns(const int8_t* const* rows, size_t begin, size_t end, size_t k, const QGemmArgs& args,
                   size_t vector) {
  alignas(16) int8_t columns[kPackedBytes / kRows * kLanes * NV];
  PackColumns<NV>(Weights(args, vector), k, columns);
  const size_t left = args.n - vector * kLanes, own = left < NV * kLanes ? left : NV * kLanes;
  for (size_t first = begin; first < end; first += kRows) {
    Tile<kRows, NV, BlockLoop>(rows, 0, first, end - first < kRows ? end - first : kRows, args, vector, own, columns);
  }
}

// As many rows at a time as fit the stack, a multiple of kRows.
void PackedRows(const int8_t* const* rows, size_t m, const QGemmArgs& args) {
  alignas(16) int8_t packed[kPackedBytes];
  const int8_t* blocks[kQGemmMaxRows];
  const size_t k = args.taps * args.run;
  QGemmArgs whole = args;
  whole.taps = 1;
  whole.run = (k + 7) / 8 * 8;
  const size_t step = kPackedBytes / (kRows * whole.run) * kRows, vectors = (args.n + kLanes - 1) / kLanes;
  for (size_t begin = 0; begin < m; begin += step) {
    const size_t end = m - begin < step ? m : begin + step;
    for (size_t i = begin; i < end; ++i) {
      int8_t* block = packed + (i - begin) / kRows * kRows * whole.run;
      if ((i - begin) % kRows == 0) PackRows(rows, m, i, args.taps, args.run, block);
      blocks[i] = block;
    }
    size_t vector = 0;
    for (; vector + 2 <= vectors; vector += 2) PackedColumns<2>(blocks, begin, end, k, whole, vector);
    if (vector < vectors) PackedColumns<1>(blocks, begin, end, k, whole, vector);
  }
}

void DotRows(const int8_t* const* rows, size_t m, const QGemmArgs& args) {
  const size_t vector = Sweep<2, DotLoop, 8, 4, 2, 1>(rows, m, args, 0);
  Sweep<1, DotLoop, 8, 1>(rows, m, args, vector);
}

void SweepRows(const int8_t* const* rows, size_t m, const QGemmArgs& args) {
  const size_t k = args.taps * args.run;
  if (m <= 4 || k == 0 || (k + 7) / 8 * 8 * kRows > kPackedBytes) return DotRows(rows, m, args);
  PackedRows(rows, m, args);
}

void TileRows(const int8_t* const* rows, size_t m, const QGemmArgs& args) {
  LookUpLast(args, m, [&](const QGemmArgs& plain) { SweepRows(rows, m, plain); });
}

}  // namespace
}  // namespace TL_ISA

const QGemmKernels* QGemmKernels_arm_neoni8mm() {
  static constexpr QGemmKernels kKernels = {32, arm_neoni8mm::TileRows};
  return &kKernels;
}

}  // namespace tealight
