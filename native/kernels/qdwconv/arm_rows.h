// SPDX-License-Identifier: Apache-2.0
// The fast form of int8 depthwise convolution with sdot: square windows of 3, 5 and 7, stride 1 and 2, no dilation. As
// in x86_rows.h four rows are interleaved, here of 8 channels, so that one sdot covers four taps of a column for four
// channels; a tile is two outputs, below each other where they share rows, else beside each other.
#ifndef TEALIGHT_KERNELS_QDWCONV_ARM_ROWS_H_
#define TEALIGHT_KERNELS_QDWCONV_ARM_ROWS_H_

#include <arm_neon.h>

#include "kernels/qdwconv/arm_rows_inorder.h"
#include "kernels/qdwconv/qdwconv.h"

namespace tealight {
namespace TL_ISA {
namespace {

// What a window of K x K taps and stride S needs: kRows output rows share kInRows input rows in kGroups of four.
template <int K, int S>
struct RowsShape {
  static constexpr int kRows = S == 1 || K == 5 ? 2 : 1, kCols = 2 / kRows;
  static constexpr int kInRows = (kRows - 1) * S + K, kGroups = (kInRows + 3) / 4;
  static constexpr int kInCols = (kCols - 1) * S + K, kStep = kCols * S, kKept = kInCols - kStep;
  // Columns are kept in a ring: after kPeriod tiles its start is where it was.
  static constexpr int kRing = S == 1 ? K : K == 5 ? 6 : kInCols, kPeriod = kRing % kStep == 0 ? kRing / kStep : 1;
  /// Whether output row r has taps in group g.
  static constexpr bool Uses(int r, int g) { return 4 * g < r * S + K && 4 * g + 4 > r * S; }
};

// The constants of 8 channels. With kOffset sums start at the bits of kRoundOffset: below 2^22 in size they are then
// the float32 kRoundOffset + sum, which one exact subtraction turns into the sum.
template <int K, int S>
struct RowsBlock {
  using Shape = RowsShape<K, S>;
  int32_t start[8];
  float scale[8];
  float offset[4];
  int32_t weight[K][Shape::kGroups][Shape::kRows][8];  // of four int8
  int8x16_t lo, hi;
  int8_t outside;
  bool small_sums;
};

template <int K, int S>
void FillBlock(const QDwconvArgs& args, ptrdiff_t c, bool offset, RowsBlock<K, S>* block) {
  using Shape = RowsShape<K, S>;
  constexpr int kPacked = (K + 3) / 4;
  constexpr int32_t kLimit = (1 << 22) - K * K * 128 * 128;
  block->small_sums = offset;
  for (int l = 0; l < 8; ++l) {
    const ptrdiff_t channel = c + l;
    const int8_t* panel = args.weight + channel / kQDwconvPanel * QDwconvPanelBytes(K, K) + 64;
    for (int b = 0; b < K; ++b) {
      uint32_t before = 0;
      for (int g = 0; g < Shape::kGroups; ++g) {
        uint32_t w = 0;
        if (g < kPacked) memcpy(&w, panel + ((b * kPacked + g) * 16 + channel % 16) * 4, 4);
        block->weight[b][g][0][l] = static_cast<int32_t>(w);
        if (Shape::kRows == 2) {  // moved down by the S rows between the outputs
          block->weight[b][g][1][l] = static_cast<int32_t>((w << (8 * S)) | (before >> (32 - 8 * S)));
        }
        before = w;
      }
    }
    block->start[l] = args.bias[channel];
    block->scale[l] = args.scale[channel];
    if (args.bias[channel] >= kLimit || args.bias[channel] <= -kLimit) block->small_sums = false;
  }
  for (int l = 0; l < 8 && block->small_sums; ++l) block->start[l] += kRoundOffsetBits;
  for (float& v : block->offset) v = kRoundOffset + static_cast<float>(args.requantization.zero_point);
  block->lo = vdupq_n_s8(static_cast<int8_t>(args.requantization.lo));
  block->hi = vdupq_n_s8(static_cast<int8_t>(args.requantization.hi));
  block->outside = static_cast<int8_t>(args.x_zero_point);
}

// Loads that the compiler must repeat: cores that issue out of order have load ports to spare but not vector ports.
TL_INLINE int32x4_t Again(const int32_t* p) {
  __asm__ volatile("" : "+r"(p));
  return vld1q_s32(p);
}
TL_INLINE float32x4_t Again(const float* p) {
  __asm__ volatile("" : "+r"(p));
  return vld1q_f32(p);
}

// What a tile needs of a block in registers.
template <int K, int S>
struct RowsLane {
  using Shape = RowsShape<K, S>;
  int8x16_t weight[K][Shape::kGroups][Shape::kRows][2];
  float32x4_t scale[2];
  int8x16_t lo, hi;
  int32x4_t start[2];
  float32x4_t offset;
  const int32_t* start_copy;  // [8]
  const float* offset_copy;   // [4]
};

template <int K, int S>
TL_INLINE RowsLane<K, S> LaneOf(const RowsBlock<K, S>& block) {
  using Shape = RowsShape<K, S>;
  RowsLane<K, S> lane;
  TL_UNROLL for (int b = 0; b < K; ++b) {
    TL_UNROLL for (int g = 0; g < Shape::kGroups; ++g) {
      TL_UNROLL for (int r = 0; r < Shape::kRows; ++r) {
        TL_UNROLL for (int h = 0; h < 2; ++h) {
          lane.weight[b][g][r][h] = vreinterpretq_s8_s32(vld1q_s32(block.weight[b][g][r] + 4 * h));
        }
      }
    }
  }
  TL_UNROLL for (int h = 0; h < 2; ++h) lane.scale[h] = vld1q_f32(block.scale + 4 * h);
  lane.lo = block.lo;
  lane.hi = block.hi;
  TL_UNROLL for (int h = 0; h < 2; ++h) lane.start[h] = vld1q_s32(block.start + 4 * h);
  lane.offset = vld1q_f32(block.offset);
  lane.start_copy = block.start;
  lane.offset_copy = block.offset;
  return lane;
}

// A column of the input rows, interleaved.
template <int K, int S>
struct Column {
  int8x16_t v[RowsShape<K, S>::kGroups][2];
};

TL_INLINE int8x16_t Whole(int8x8_t x) { return vcombine_s8(x, vdup_n_s8(0)); }

template <int K, int S>
TL_INLINE void LoadColumn(const int8_t* const* rows, ptrdiff_t at, Column<K, S>* column) {
  using Shape = RowsShape<K, S>;
  TL_UNROLL for (int g = 0; g < Shape::kGroups; ++g) {
    int8x16_t x[4];
    TL_UNROLL for (int i = 0; i < 4; ++i) {  // past the last row anything: its weights are 0
      x[i] = 4 * g + i < Shape::kInRows ? Whole(vld1_s8(rows[4 * g + i] + at)) : x[i > 0 ? i - 1 : 0];
    }
    const int16x8_t a = vreinterpretq_s16_s8(vzip1q_s8(x[0], x[1])), b = vreinterpretq_s16_s8(vzip1q_s8(x[2], x[3]));
    column->v[g][0] = vreinterpretq_s8_s16(vzip1q_s16(a, b));
    column->v[g][1] = vreinterpretq_s8_s16(vzip2q_s16(a, b));
  }
}

template <int K, int S>
TL_INLINE void LoadChecked(const int8_t* const* rows, ptrdiff_t at, bool inside, ptrdiff_t pixel, int8_t outside,
                           Column<K, S>* column) {
  if (inside) return LoadColumn<K, S>(rows, at * pixel, column);
  TL_UNROLL for (int g = 0; g < RowsShape<K, S>::kGroups; ++g) {
    column->v[g][0] = column->v[g][1] = vdupq_n_s8(outside);
  }
}

// The outputs of a tile, saturated to 16 bits; columns[(first + i) % kRing] is column i.
template <int K, int S, bool kOffset>
TL_INLINE int16x8x2_t Tile(const RowsLane<K, S>& lane, const Column<K, S>* columns, int first) {
  using Shape = RowsShape<K, S>;
  int32x4_t acc[2][2];
  TL_UNROLL for (int o = 0; o < 2; ++o) {
    TL_UNROLL for (int h = 0; h < 2; ++h) acc[o][h] = kOffset ? Again(lane.start_copy + 4 * h) : lane.start[h];
  }
  TL_UNROLL for (int b = 0; b < K; ++b) {
    TL_UNROLL for (int g = 0; g < Shape::kGroups; ++g) {
      TL_UNROLL for (int o = 0; o < 2; ++o) {
        const int r = Shape::kRows == 2 ? o : 0, column = b + (Shape::kRows == 2 ? 0 : o * S);
        if (!Shape::Uses(r, g)) continue;
        TL_UNROLL for (int h = 0; h < 2; ++h) {
          acc[o][h] = vdotq_s32(acc[o][h], columns[(first + column) % Shape::kRing].v[g][h], lane.weight[b][g][r][h]);
        }
      }
    }
  }
  int16x8x2_t narrow;
  TL_UNROLL for (int o = 0; o < 2; ++o) {
    int32x4_t y[2];
    TL_UNROLL for (int h = 0; h < 2; ++h) {
      const float32x4_t sum =
          kOffset ? vsubq_f32(vreinterpretq_f32_s32(acc[o][h]), vdupq_n_f32(kRoundOffset)) : vcvtq_f32_s32(acc[o][h]);
      const float32x4_t offset = kOffset ? Again(lane.offset_copy) : lane.offset;
      const float32x4_t rounded = vfmaq_f32(offset, sum, lane.scale[h]);
      y[h] = vsubq_s32(vreinterpretq_s32_f32(rounded), vdupq_n_s32(kRoundOffsetBits));
    }
    narrow.val[o] = vqmovn_high_s32(vqmovn_s32(y[0]), y[1]);
  }
  return narrow;
}

// The outputs of a tile one after the other.
template <int K, int S>
TL_INLINE int8x16_t Narrow(const RowsLane<K, S>& lane, int16x8x2_t tile) {
  return vminq_s8(vmaxq_s8(vqmovn_high_s16(vqmovn_s16(tile.val[0]), tile.val[1]), lane.lo), lane.hi);
}

TL_INLINE void StoreTile(int8_t* y, ptrdiff_t second, int8x16_t tile) {
  vst1_s8(y, vget_low_s8(tile));
  vst1q_lane_s64(reinterpret_cast<int64_t*>(y + second), vreinterpretq_s64_s8(tile), 1);
}

// `count` tiles whose columns are all inside.
template <int K, int S, bool kOffset>
__attribute__((noinline)) void Inside(const RowsBlock<K, S>& shared, const int8_t* const* in, ptrdiff_t pixel,
                                      int8_t* y, ptrdiff_t second, ptrdiff_t count) {
  using Shape = RowsShape<K, S>;
  const RowsLane<K, S> lane = LaneOf(shared);
  const int8_t* rows[Shape::kInRows];
  TL_UNROLL for (int r = 0; r < Shape::kInRows; ++r) rows[r] = in[r];
  Column<K, S> columns[Shape::kRing];
  TL_UNROLL for (int k = 0; k < Shape::kKept; ++k) LoadColumn<K, S>(rows, k * pixel, &columns[k]);
  ptrdiff_t at = Shape::kKept * pixel;
  const ptrdiff_t y_step = Shape::kCols * pixel;
  if (Shape::kPeriod > 1) {
    for (; count >= Shape::kPeriod; count -= Shape::kPeriod) {
      TL_UNROLL for (int u = 0; u < Shape::kPeriod; ++u) {
        TL_UNROLL for (int k = Shape::kKept; k < Shape::kInCols; ++k) {
          LoadColumn<K, S>(rows, at, &columns[(u * Shape::kStep + k) % Shape::kRing]);
          at += pixel;
        }
        StoreTile(y, second, Narrow(lane, Tile<K, S, kOffset>(lane, columns, u * Shape::kStep)));
        y += y_step;
      }
    }
  }
  for (; count > 0; --count) {
    TL_UNROLL for (int k = Shape::kKept; k < Shape::kInCols; ++k) {
      LoadColumn<K, S>(rows, at, &columns[k]);
      at += pixel;
    }
    StoreTile(y, second, Narrow(lane, Tile<K, S, kOffset>(lane, columns, 0)));
    y += y_step;
    TL_UNROLL for (int k = 0; k < Shape::kKept; ++k) columns[k] = columns[k + Shape::kStep];
  }
}

// One tile at the border, where columns and the second output may be missing.
template <int K, int S>
__attribute__((noinline)) void Edge(const RowsBlock<K, S>& block, const int8_t* const* rows, ptrdiff_t base,
                                    ptrdiff_t width, ptrdiff_t pixel, int8_t* y, ptrdiff_t second, bool both) {
  using Shape = RowsShape<K, S>;
  Column<K, S> columns[Shape::kRing];
  for (int k = 0; k < Shape::kInCols; ++k) {
    const ptrdiff_t at = base + k;
    LoadChecked<K, S>(rows, at, at >= 0 && at < width, pixel, block.outside, &columns[k]);
  }
  const RowsLane<K, S> lane = LaneOf(block);
  const int8x16_t tile =
      Narrow(lane, block.small_sums ? Tile<K, S, true>(lane, columns, 0) : Tile<K, S, false>(lane, columns, 0));
  vst1_s8(y, vget_low_s8(tile));
  if (both) vst1_s8(y + second, vget_high_s8(tile));
}

// The same for an even number of tiles on cores that issue in order.
inline void InsideInOrder(const RowsBlock<3, 1>& block, const int8_t* const* in, ptrdiff_t pixel, int8_t* y,
                          ptrdiff_t second, ptrdiff_t count) {
  for (int c = 0; c < 8; c += 4) {
    InOrderLane lane;
    for (int b = 0; b < 3; ++b) {
      for (int r = 0; r < 2; ++r) lane.weight[b][r] = vld1q_s32(block.weight[b][0][r] + c);
    }
    lane.start = vld1q_s32(block.start + c);
    lane.scale = vld1q_s32(reinterpret_cast<const int32_t*>(block.scale) + c);
    lane.offset = block.offset;
    lane.offset_bits = vdupq_n_s32(-kRoundOffsetBits);
    lane.lo = vreinterpretq_s32_s8(block.lo);
    lane.hi = vreinterpretq_s32_s8(block.hi);
    const int8_t* rows[4];
    for (int r = 0; r < 4; ++r) rows[r] = in[r] + c;
    InOrderPairs(lane, rows, pixel, y + c, second, count / 2);
  }
}

// Some of `count` > 0 tiles whose columns are all inside; returns how many.
template <int K, int S>
ptrdiff_t SomeInside(const RowsBlock<K, S>& block, const int8_t* const* in, ptrdiff_t pixel, int8_t* y,
                     ptrdiff_t second, ptrdiff_t count) {
  if (block.small_sums) {
    Inside<K, S, true>(block, in, pixel, y, second, count);
    return count;
  }
  if constexpr (K == 3 && S == 1) {
    if (count > 1) {
      InsideInOrder(block, in, pixel, y, second, count);
      return count / 2 * 2;
    }
  }
  Inside<K, S, false>(block, in, pixel, y, second, count);
  return count;
}

// Output rows i and, where `rows` is 2, i + 1: all columns of 8 channels at c.
template <int K, int S>
void Strip(const QDwconvArgs& args, const RowsBlock<K, S>& block, ptrdiff_t i, ptrdiff_t rows, ptrdiff_t c) {
  using Shape = RowsShape<K, S>;
  const int8_t* in[Shape::kInRows];
  for (int r = 0; r < Shape::kInRows; ++r) {
    const ptrdiff_t row = i * S - args.top + r;
    in[r] = (row >= 0 && row < args.h ? args.x + row * args.w * args.c : args.outside) + c;
  }
  const ptrdiff_t pixel = args.c, second = Shape::kRows == 2 ? args.ow * pixel : pixel;
  int8_t* y = args.y + i * args.ow * pixel + c;
  ptrdiff_t j = 0;
  while (j < args.ow) {
    const ptrdiff_t base = j * S - args.left;
    const ptrdiff_t by_input = args.w - base < Shape::kInCols ? 0 : (args.w - base - Shape::kInCols) / Shape::kStep + 1;
    const ptrdiff_t by_output = (args.ow - j) / Shape::kCols, count = by_input < by_output ? by_input : by_output;
    if (base >= 0 && count > 0 && (Shape::kRows == 1 || rows == 2)) {
      const int8_t* at[Shape::kInRows];
      for (int r = 0; r < Shape::kInRows; ++r) at[r] = in[r] + base * pixel;
      j += SomeInside<K, S>(block, at, pixel, y + j * pixel, second, count) * Shape::kCols;
      continue;
    }
    const bool both = Shape::kRows == 2 ? rows == 2 : j + 1 < args.ow;
    Edge<K, S>(block, in, base, args.w, pixel, y + j * pixel, second, both);
    j += Shape::kCols;
  }
}

template <int K, int S>
void FastRows(const QDwconvArgs& args, ptrdiff_t row_begin, ptrdiff_t row_end, ptrdiff_t c_begin, ptrdiff_t c_end,
              bool in_order) {
  constexpr int kRows = RowsShape<K, S>::kRows;
  for (ptrdiff_t c = c_begin; c < c_end; c += 8) {
    const ptrdiff_t at = c + 8 <= c_end ? c : c_end - 8;  // the last 8 channels, some of them again
    RowsBlock<K, S> block;
    FillBlock(args, at, !in_order, &block);
    for (ptrdiff_t i = row_begin; i < row_end; i += kRows) {
      Strip(args, block, i, row_end - i < kRows ? row_end - i : kRows, at);
    }
  }
}

/// Computes what has a fast form; false where there is none.
bool RunRows(const QDwconvArgs& args, ptrdiff_t row_begin, ptrdiff_t row_end, ptrdiff_t c_begin, ptrdiff_t c_end,
             bool in_order) {
  const bool square = args.kh == args.kw && args.sh == args.sw && args.dh == 1 && args.dw == 1;
  if (!square || args.weight_zero_point != 0 || args.requantization.wide || c_end - c_begin < 8) return false;
  if (args.sh != 1 && args.sh != 2) return false;
  decltype(&FastRows<3, 1>) run = nullptr;
  if (args.kh == 3) run = args.sh == 1 ? FastRows<3, 1> : FastRows<3, 2>;
  if (args.kh == 5) run = args.sh == 1 ? FastRows<5, 1> : FastRows<5, 2>;
  if (args.kh == 7) run = args.sh == 1 ? FastRows<7, 1> : FastRows<7, 2>;
  if (run == nullptr) return false;
  run(args, row_begin, row_end, c_begin, c_end, in_order);
  return true;
}

}  // namespace
}  // namespace TL_ISA
}  // namespace tealight

#endif  // TEALIGHT_KERNELS_QDWCONV_ARM_ROWS_H_
