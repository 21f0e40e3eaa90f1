// SPDX-License-Identifier: Apache-2.0
// The fast form of int8 depthwise convolution on x86: square windows of 3, 5 and 7, stride 1 and 2, no dilation. Rows
// of a block of channels are interleaved by fours, so that one dot product covers four taps of a column. Weights are
// laid out once for each output row that shares the input rows (moved down by its distance); a column, once
// interleaved, serves every output that it touches. Rows outside of the image come from args.outside, columns from a
// constant.
#ifndef TEALIGHT_KERNELS_QDWCONV_X86_ROWS_H_
#define TEALIGHT_KERNELS_QDWCONV_X86_ROWS_H_

#include "kernels/qdwconv/qdwconv.h"
#include "kernels/qdwconv/x86_vectors.h"

namespace tealight {
namespace TL_ISA {
namespace {

// Keeps the compiler from moving what makes a value into the branches that store it: stores of bytes might change the
// weights, which it would then copy first.
#define TL_IN_REGISTER(x) __asm__ volatile("" : "+v"(x))
// One load for all products of a weight: as operands in memory they would be loaded for each.
template <typename Weights>
TL_INLINE void Hold(Weights* w) {
#if defined(__AVX512VNNI__)
  TL_IN_REGISTER(*w);
#else
  TL_IN_REGISTER(w->even);
  TL_IN_REGISTER(w->odd);
#endif
}

// What a window of K x K taps and stride S needs: R output rows share kInRows input rows in kGroups of four.
template <int K, int S>
struct RowsShape {
  static constexpr int kRows = S == 1 || K == 5 ? 2 : 1;
  static constexpr int kInRows = (kRows - 1) * S + K, kGroups = (kInRows + 3) / 4;
  static constexpr int kCols = 2, kInCols = (kCols - 1) * S + K, kKept = K - S;
  /// Whether output row r has taps in group g.
  static constexpr bool Uses(int r, int g) { return 4 * g < r * S + K && 4 * g + 4 > r * S; }
};

// The constants of a block of channels.
template <typename V, int K, int S>
struct RowsBlock {
  using Shape = RowsShape<K, S>;
  typename V::Weights weight[4][K][Shape::kGroups][Shape::kRows];
  typename V::Bytes start[4];
  typename V::Floats scale[4];
  typename V::Floats offset;
  typename V::Bytes offset_bits, lo, hi, outside;
};

template <typename V, int K, int S, int q>
TL_INLINE void FillWeights(const int8_t* panel, ptrdiff_t stride, int panels, RowsBlock<V, K, S>* block) {
  using Shape = RowsShape<K, S>;
  constexpr int kPacked = (K + 3) / 4;
  const typename V::Bytes zero = V::SplatByte(0);
  TL_UNROLL for (int b = 0; b < K; ++b) {
    typename V::Bytes before = zero;
    TL_UNROLL for (int g = 0; g < Shape::kGroups; ++g) {
      const int8_t* at = panel + 64 + ((b * kPacked + g) * 16 + 4 * q) * 4;
      const typename V::Bytes w = g < kPacked ? V::Gather(at, stride, panels) : zero;
      block->weight[q][b][g][0] = V::OfWeights(w);
      if (Shape::kRows == 2) block->weight[q][b][g][1] = V::OfWeights(V::template Later<S>(w, before));
      before = w;
    }
  }
}

template <typename V, int K, int S>
TL_INLINE void FillBlock(const QDwconvArgs& args, ptrdiff_t c, int n, RowsBlock<V, K, S>* block) {
  const ptrdiff_t stride = QDwconvPanelBytes(K, K);
  const int8_t* panel = args.weight + c / kQDwconvPanel * stride;
  const int panels = (n + 15) / 16;
  FillWeights<V, K, S, 0>(panel, stride, panels, block);
  FillWeights<V, K, S, 1>(panel, stride, panels, block);
  FillWeights<V, K, S, 2>(panel, stride, panels, block);
  FillWeights<V, K, S, 3>(panel, stride, panels, block);
  TL_UNROLL for (int q = 0; q < 4; ++q) {
    const typename V::Bytes sums = V::Gather(panel + 16 * q, stride, panels);
    block->start[q] = V::SubTimes(V::Gather(args.bias + c + 4 * q, 64, panels), sums, kShift);
    block->scale[q] = V::AsFloats(V::Gather(args.scale + c + 4 * q, 64, panels));
  }
  block->offset = V::SplatFloat(kRoundOffset + static_cast<float>(args.requantization.zero_point));
  block->offset_bits = V::SplatInt(kRoundOffsetBits);
  block->lo = V::SplatByte(args.requantization.lo);
  block->hi = V::SplatByte(args.requantization.hi);
  block->outside = V::SplatByte(args.x_zero_point + kShift);
}

// A column of the input rows, interleaved.
template <typename V, int K, int S>
struct Column {
  typename V::Quads v[RowsShape<K, S>::kGroups][4];
};

template <typename V, int K, int S>
TL_INLINE void LoadColumn(const int8_t* const* rows, ptrdiff_t offset, bool inside, int n,
                          const RowsBlock<V, K, S>& block, Column<V, K, S>* column) {
  using Shape = RowsShape<K, S>;
  using Bytes = typename V::Bytes;
  if (!inside) {
    TL_UNROLL for (int g = 0; g < Shape::kGroups; ++g) {
      TL_UNROLL for (int q = 0; q < 4; ++q) column->v[g][q] = V::OfRows(block.outside);
    }
    return;
  }
  TL_UNROLL for (int g = 0; g < Shape::kGroups; ++g) {
    Bytes x[4];
    TL_UNROLL for (int i = 0; i < 4; ++i) {  // past the last row anything: its weights are 0
      x[i] = 4 * g + i < Shape::kInRows ? V::LoadRow(rows[4 * g + i] + offset, n) : x[i > 0 ? i - 1 : 0];
    }
    const Bytes a = V::Low8(x[0], x[1]), b = V::Low8(x[2], x[3]), c = V::High8(x[0], x[1]), d = V::High8(x[2], x[3]);
    column->v[g][0] = V::OfRows(V::Low16(a, b));
    column->v[g][1] = V::OfRows(V::High16(a, b));
    column->v[g][2] = V::OfRows(V::Low16(c, d));
    column->v[g][3] = V::OfRows(V::High16(c, d));
  }
}

// The rounded sums of vector q of all outputs of a tile.
template <typename V, int K, int S>
struct RowsSums {
  typename V::Bytes v[RowsShape<K, S>::kRows][RowsShape<K, S>::kCols];
};

template <typename V, int K, int S>
TL_INLINE RowsSums<V, K, S> TileSums(const RowsBlock<V, K, S>& block, const Column<V, K, S>* columns, int q) {
  using Shape = RowsShape<K, S>;
  RowsSums<V, K, S> acc;
  TL_UNROLL for (int r = 0; r < Shape::kRows; ++r) {
    TL_UNROLL for (int j = 0; j < Shape::kCols; ++j) acc.v[r][j] = block.start[q];
  }
  TL_UNROLL for (int b = 0; b < K; ++b) {
    TL_UNROLL for (int g = 0; g < Shape::kGroups; ++g) {
      TL_UNROLL for (int r = 0; r < Shape::kRows; ++r) {
        if (!Shape::Uses(r, g)) continue;
        typename V::Weights w = block.weight[q][b][g][r];
        Hold(&w);
        TL_UNROLL for (int j = 0; j < Shape::kCols; ++j) {
          acc.v[r][j] = V::Dot(acc.v[r][j], columns[j * S + b].v[g][q], w);
        }
      }
    }
  }
  typename V::Floats scale = block.scale[q];
  TL_IN_REGISTER(scale);
  TL_UNROLL for (int r = 0; r < Shape::kRows; ++r) {
    TL_UNROLL for (int j = 0; j < Shape::kCols; ++j) {
      acc.v[r][j] = V::Rounded(acc.v[r][j], scale, block.offset, block.offset_bits);
    }
  }
  return acc;
}

// Output rows i and, where `rows` is 2, i + 1: all columns of n channels at c.
template <typename V, int K, int S, bool kWhole>
__attribute__((noinline)) void Strip(const QDwconvArgs& args, const RowsBlock<V, K, S>& block, ptrdiff_t i, int rows,
                                     ptrdiff_t c, int tail) {
  using Shape = RowsShape<K, S>;
  const int n = kWhole ? V::kChannels : tail;
  const int8_t* in[Shape::kInRows];
  TL_UNROLL for (int r = 0; r < Shape::kInRows; ++r) {
    const ptrdiff_t row = i * S - args.top + r;
    in[r] = (row >= 0 && row < args.h ? args.x + row * args.w * args.c : args.outside) + c;
  }
  const size_t width = static_cast<size_t>(args.w);
  const ptrdiff_t pixel = args.c, y_row = args.ow * args.c, ow = args.ow;
  Column<V, K, S> columns[Shape::kInCols];
  ptrdiff_t at = -args.left;
  TL_UNROLL for (int k = 0; k < Shape::kKept; ++k, ++at) {
    LoadColumn(in, at * pixel, static_cast<size_t>(at) < width, n, block, &columns[k]);
  }
  int8_t* y = args.y + i * y_row + c;
  for (ptrdiff_t j = 0; j < ow; j += Shape::kCols, y += Shape::kCols * pixel) {
    TL_UNROLL for (int k = Shape::kKept; k < Shape::kInCols; ++k, ++at) {
      LoadColumn(in, at * pixel, static_cast<size_t>(at) < width, n, block, &columns[k]);
    }
    typename V::Bytes half[Shape::kRows][Shape::kCols];
    const RowsSums<V, K, S> s0 = TileSums(block, columns, 0), s1 = TileSums(block, columns, 1);
    TL_UNROLL for (int r = 0; r < Shape::kRows; ++r) {
      TL_UNROLL for (int k = 0; k < Shape::kCols; ++k) {
        half[r][k] = V::Pack16(s0.v[r][k], s1.v[r][k]);
        TL_IN_REGISTER(half[r][k]);
      }
    }
    const RowsSums<V, K, S> s2 = TileSums(block, columns, 2), s3 = TileSums(block, columns, 3);
    TL_UNROLL for (int r = 0; r < Shape::kRows; ++r) {
      TL_UNROLL for (int k = 0; k < Shape::kCols; ++k) {
        half[r][k] = V::Pack8(half[r][k], V::Pack16(s2.v[r][k], s3.v[r][k]), block.lo, block.hi);
        TL_IN_REGISTER(half[r][k]);
      }
    }
    TL_UNROLL for (int r = 0; r < Shape::kRows; ++r) {
      TL_UNROLL for (int k = 0; k < Shape::kCols; ++k) {
        if (r < rows && j + k < ow) V::Store(y + r * y_row + k * pixel, half[r][k], n);
      }
    }
    TL_UNROLL for (int k = 0; k < Shape::kKept; ++k) columns[k] = columns[k + Shape::kCols * S];
  }
}

// n <= V::kChannels channels at c.
template <typename V, int K, int S>
__attribute__((noinline)) void BlockOfChannels(const QDwconvArgs& args, ptrdiff_t row_begin, ptrdiff_t row_end,
                                               ptrdiff_t c, int n) {
  constexpr int kRows = RowsShape<K, S>::kRows;
  RowsBlock<V, K, S> block;
  FillBlock(args, c, n, &block);
  for (ptrdiff_t i = row_begin; i < row_end; i += kRows) {
    const int rows = row_end - i < kRows ? static_cast<int>(row_end - i) : kRows;
    (n == V::kChannels ? Strip<V, K, S, true> : Strip<V, K, S, false>)(args, block, i, rows, c, n);
  }
}

template <int K, int S>
void FastRows(const QDwconvArgs& args, ptrdiff_t row_begin, ptrdiff_t row_end, ptrdiff_t c_begin, ptrdiff_t c_end) {
  ptrdiff_t c = c_begin;
#if TL_SIMD == TL_SIMD_x86_avx512
  for (; c + 32 < c_end; c += 64) {
    BlockOfChannels<Zmm, K, S>(args, row_begin, row_end, c, c_end - c < 64 ? static_cast<int>(c_end - c) : 64);
  }
#endif
  for (; c < c_end; c += 32) {
    BlockOfChannels<Ymm, K, S>(args, row_begin, row_end, c, c_end - c < 32 ? static_cast<int>(c_end - c) : 32);
  }
}

/// Computes what has a fast form; false where there is none.
bool RunRows(const QDwconvArgs& args, ptrdiff_t row_begin, ptrdiff_t row_end, ptrdiff_t c_begin, ptrdiff_t c_end,
             bool /*in_order*/) {
  const bool square = args.kh == args.kw && args.sh == args.sw && args.dh == 1 && args.dw == 1;
  if (!square || args.weight_zero_point != 0 || args.requantization.wide) return false;
  if (args.sh != 1 && args.sh != 2) return false;
  decltype(&FastRows<3, 1>) run = nullptr;
  if (args.kh == 3) run = args.sh == 1 ? FastRows<3, 1> : FastRows<3, 2>;
  if (args.kh == 5) run = args.sh == 1 ? FastRows<5, 1> : FastRows<5, 2>;
  if (args.kh == 7) run = args.sh == 1 ? FastRows<7, 1> : FastRows<7, 2>;
  if (run == nullptr) return false;
  run(args, row_begin, row_end, c_begin, c_end);
  return true;
}

}  // namespace
}  // namespace TL_ISA
}  // namespace tealight

#endif  // TEALIGHT_KERNELS_QDWCONV_X86_ROWS_H_
