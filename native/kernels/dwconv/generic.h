// SPDX-License-Identifier: Apache-2.0
// The depthwise kernels of kernels/dwconv/dwconv.h. The fast form (3x3 and 5x5, stride 1 and 2) computes tiles of
// kRows x 4 outputs of one vector of channels: each input vector is loaded once and feeds every output of the tile
// that it touches, and the accumulators stay in registers. Borders need no padded copy: rows and columns outside of the
// image are skipped. The general form takes any window, four outputs at a time.
#include "base/simd/vec.h"
#include "kernels/dwconv/dwconv.h"
#if TL_SIMD == TL_SIMD_arm_neon && defined(__aarch64__)
#include "kernels/dwconv/arm_neon_inorder.h"
#endif

#if TL_SIMD == TL_SIMD_scalar
#define TL_UNROLL
#else
#define TL_UNROLL _Pragma("GCC unroll 32")
#endif

namespace tealight {
namespace TL_ISA {
namespace {

constexpr int kTileRows = 2, kTileCols = 4;

// hi is never 0, so the hardware's min, which may return either zero, gives the bits of ClampMax.
TL_INLINE F32 ClampHigh(F32 x, F32 hi) {
#if TL_SIMD == TL_SIMD_arm_neon
  return {vminq_f32(x.v, hi.v)};
#else
  return ClampMax(x, hi);
#endif
}

// Keeps the compiler from turning base + offset into one more pointer per column: there are too many to hold.
#define TL_OPAQUE(x) __asm__("" : "+r"(x))

// Offsets of the columns next to a pointer; images have their channels innermost, so x and y share them.
struct Columns {
  ptrdiff_t c1, c2, c3;  // elements
  explicit Columns(ptrdiff_t c) : c1(c), c2(2 * c), c3(3 * c) {
    TL_OPAQUE(c1);
    TL_OPAQUE(c2);
    TL_OPAQUE(c3);
  }
};
TL_INLINE ptrdiff_t Offset(const Columns& columns, int j) {
  return j == 0 ? 0 : j == 1 ? columns.c1 : j == 2 ? columns.c2 : columns.c3;
}

// What all tiles of one vector of channels share.
struct Lane {
  const float* weight;  // [taps] vectors, 16 elements apart
  F32 bias;
  const float* bias_copy;  // of the bias vector
  F32 lo, hi;
  float* y;            // at the first channel of the vector
  ptrdiff_t row, col;  // elements between rows and columns of y
  bool clamp;
  bool in_order;  // the core issues in order
};

// A fresh copy of the bias. NEON cores have load ports to spare but not vector ports: there it is a load, which the
// compiler must not merge with the others.
TL_INLINE F32 Bias(const Lane& lane) {
#if TL_SIMD == TL_SIMD_arm_neon
  const float* memory = lane.bias_copy;
  __asm__ volatile("" : "+r"(memory));
  return Load(memory);
#else
  return lane.bias;
#endif
}

#if TL_SIMD != TL_SIMD_scalar

// The parts of a tile that exist: input rows and columns [first, last), and outputs [0, rows) x [0, cols).
struct Border {
  ptrdiff_t row_first, row_last, col_first, col_last;
  ptrdiff_t rows, cols;
};

// What a tile must check: nothing, which rows exist, or rows, columns and outputs.
enum Check { kNothing, kRows, kBorder };

// A tile of R x N outputs; p is the (perhaps missing) first tap of the first one.
template <int K, int S, int R, int N, Check kCheck, bool kClamp>
TL_INLINE void Tile(const float* p, ptrdiff_t x_row, const Columns& columns, const Border& border, const Lane& lane,
                    const F32* w, ptrdiff_t offset) {
  constexpr int kInRows = (R - 1) * S + K, kInCols = (N - 1) * S + K;
  F32 acc[R][N];
  TL_UNROLL for (int r = 0; r < R; ++r) {
    TL_UNROLL for (int n = 0; n < N; ++n) acc[r][n] = kCheck == kNothing ? Bias(lane) : lane.bias;
  }
  TL_UNROLL for (int i = 0; i < kInRows; ++i, p += x_row) {
    if (kCheck != kNothing && (i < border.row_first || i >= border.row_last)) continue;
    const float* q = p;
    TL_OPAQUE(q);
    TL_UNROLL for (int j = 0; j < kInCols; ++j) {
      if (j > 0 && j % 4 == 0) q += 4 * columns.c1;
      if (kCheck == kBorder && (j < border.col_first || j >= border.col_last)) continue;
      const F32 x = Load(q + Offset(columns, j % 4));
      TL_UNROLL for (int r = 0; r < R; ++r) {
        const int a = i - r * S;
        TL_UNROLL for (int n = 0; n < N; ++n) {
          const int b = j - n * S;
          if (a >= 0 && a < K && b >= 0 && b < K) {
            const F32 tap = K == 3 ? w[a * K + b] : Load(lane.weight + (a * K + b) * 16);
            acc[r][n] = Fma(x, tap, acc[r][n]);
          }
        }
      }
    }
  }
  if (kCheck == kNothing ? kClamp : lane.clamp) {
    TL_UNROLL for (int r = 0; r < R; ++r) {
      TL_UNROLL for (int n = 0; n < N; ++n) acc[r][n] = ClampHigh(ClampMin(acc[r][n], lane.lo), lane.hi);
    }
  }
  float* y = lane.y + offset;
  TL_UNROLL for (int r = 0; r < R; ++r, y += lane.row) {
    TL_OPAQUE(y);
    TL_UNROLL for (int n = 0; n < N; ++n) {
      if (kCheck == kBorder && (r >= border.rows || n >= border.cols)) continue;
      Store(y + Offset(columns, n), acc[r][n]);
    }
  }
}

// `count` tiles of two rows next to each other that need no checks.
template <int S, bool kClamp>
__attribute__((noinline)) void Inside(const float* p, ptrdiff_t x_row, ptrdiff_t x_col, const Lane& shared,
                                      ptrdiff_t offset, ptrdiff_t count) {
  const Lane lane = shared;
  const Columns columns(x_col);
  F32 w[9];
  TL_UNROLL for (int t = 0; t < 9; ++t) w[t] = Load(lane.weight + t * 16);
  for (; count > 0; --count) {
    Tile<3, S, kTileRows, kTileCols, kNothing, kClamp>(p, x_row, columns, Border(), lane, w, offset);
    p += kTileCols * S * x_col;
    offset += kTileCols * lane.col;
  }
}

// `count` tiles, by the loop that suits the core.
template <int S>
TL_INLINE void InsideTiles(const float* p, ptrdiff_t x_row, ptrdiff_t x_col, const Lane& lane, ptrdiff_t offset,
                           ptrdiff_t count) {
#if TL_SIMD == TL_SIMD_arm_neon && defined(__aarch64__)
  if (S == 1 && lane.in_order && count > 0) {
    InOrderArgs a;
    for (int i = 0; i < 4; ++i) a.rows[i] = p + i * x_row;
    for (int j = 0; j < 5; ++j) a.columns[j] = static_cast<size_t>((j + 1) * x_col) * sizeof(float);
    a.y[0] = lane.y + offset;
    a.y[1] = a.y[0] + lane.row;
    a.count = static_cast<size_t>(count);
    a.weight = lane.weight;
    Store(a.limits, lane.bias);
    Store(a.limits + 4, lane.lo);
    Store(a.limits + 8, lane.hi);
    return lane.clamp ? InOrderTiles<true>(a) : InOrderTiles<false>(a);
  }
#endif
  (lane.clamp ? Inside<S, true> : Inside<S, false>)(p, x_row, x_col, lane, offset, count);
}

// R output rows from row i (the last of them may lie past row_end), all columns, of the vector of channels at c.
template <int K, int S, int R>
__attribute__((noinline)) void Strip(const DwconvArgs& args, const Lane& shared, ptrdiff_t i, ptrdiff_t row_end,
                                     ptrdiff_t c) {
  constexpr ptrdiff_t kInRows = (R - 1) * S + K, kInCols = (kTileCols - 1) * S + K;
  const Lane lane = shared;  // a copy that stores cannot change
  const ptrdiff_t x_col = args.c, x_row = args.w * args.c, ow = args.ow, w_end = args.w;
  const ptrdiff_t y0 = i * S - args.top;
  Border border;
  border.row_first = y0 < 0 ? -y0 : 0;
  border.row_last = args.h - y0 < kInRows ? args.h - y0 : kInRows;
  border.rows = row_end - i < R ? row_end - i : R;
  const Columns columns(x_col);
  F32 w[9];
  if (K == 3) {
    TL_UNROLL for (int t = 0; t < 9; ++t) w[t] = Load(lane.weight + t * 16);
  }
  ptrdiff_t j = 0, base = -args.left, offset = i * lane.row;
  const float* p = args.x + y0 * x_row + base * x_col + c;
  while (j < ow) {
    if (K == 3 && R == 2 && base >= 0 && border.row_first == 0 && border.row_last == kInRows) {
      const ptrdiff_t by_input = w_end - base < kInCols ? 0 : (w_end - base - kInCols) / (kTileCols * S) + 1;
      const ptrdiff_t count = (ow - j) / kTileCols < by_input ? (ow - j) / kTileCols : by_input;
      InsideTiles<S>(p, x_row, x_col, lane, offset, count);
      j += count * kTileCols;
      base += count * kTileCols * S;
      p += count * kTileCols * S * x_col;
      offset += count * kTileCols * lane.col;
      if (j >= ow) break;
    } else if (base >= 0 && border.rows == R) {
      for (; j + kTileCols <= ow && base + kInCols <= w_end; j += kTileCols, base += kTileCols * S) {
        Tile<K, S, R, kTileCols, kRows, true>(p, x_row, columns, border, lane, w, offset);
        p += kTileCols * S * x_col;
        offset += kTileCols * lane.col;
      }
      if (j >= ow) break;
    }
    border.col_first = -base;
    border.col_last = w_end - base;
    border.cols = ow - j;
    if (K != 3 || border.cols > 2) {
      Tile<K, S, R, kTileCols, kBorder, true>(p, x_row, columns, border, lane, w, offset);
    } else {
      Tile<K, S, R, 2, kBorder, true>(p, x_row, columns, border, lane, w, offset);
    }
    j += kTileCols;
    base += kTileCols * S;
    p += kTileCols * S * x_col;
    offset += kTileCols * lane.col;
  }
}

template <int K, int S>
void Strips(const DwconvArgs& args, const Lane& lane, ptrdiff_t row_begin, ptrdiff_t row_end, ptrdiff_t c) {
  ptrdiff_t i = row_begin;
  const ptrdiff_t whole = K == 3 ? row_end - 1 : row_end;  // a single 3x3 row has its own tile
  for (; i < whole; i += kTileRows) Strip<K, S, kTileRows>(args, lane, i, row_end, c);
  if (K == 3 && i < row_end) Strip<3, S, 1>(args, lane, i, row_end, c);
}

#endif

// Any window: four outputs of a row at a time, n <= kLanes channels at c.
void General(const DwconvArgs& args, const Lane& lane, ptrdiff_t row_begin, ptrdiff_t row_end, ptrdiff_t c, size_t n) {
  const bool whole = n == kLanes;
  const ptrdiff_t column = args.sw * args.c, reach = static_cast<ptrdiff_t>(args.kw - 1) * args.dw;
  for (ptrdiff_t i = row_begin; i < row_end; ++i) {
    for (ptrdiff_t j = 0; j < args.ow; j += 4) {
      F32 acc[4] = {lane.bias, lane.bias, lane.bias, lane.bias};
      const ptrdiff_t base = j * args.sw - args.left;
      const bool inside = whole && base >= 0 && base + 3 * args.sw + reach < args.w;
      for (int a = 0; a < args.kh; ++a) {
        const ptrdiff_t y = i * args.sh - args.top + static_cast<ptrdiff_t>(a) * args.dh;
        if (y < 0 || y >= args.h) continue;
        const float* row = args.x + y * args.w * args.c + c;
        const float* weight = lane.weight + a * args.kw * 16;
        if (inside) {
          const float* p = row + base * args.c;
          for (int b = 0; b < args.kw; ++b, weight += 16, p += args.dw * args.c) {
            const F32 w = Load(weight);
            TL_UNROLL for (int k = 0; k < 4; ++k) acc[k] = Fma(Load(p + k * column), w, acc[k]);
          }
          continue;
        }
        for (int b = 0; b < args.kw; ++b, weight += 16) {
          const F32 w = Load(weight);
          TL_UNROLL for (int k = 0; k < 4; ++k) {
            const ptrdiff_t x = base + k * args.sw + static_cast<ptrdiff_t>(b) * args.dw;
            if (x < 0 || x >= args.w) continue;
            const float* p = row + x * args.c;
            acc[k] = Fma(whole ? Load(p) : LoadPartial(p, n), w, acc[k]);
          }
        }
      }
      const ptrdiff_t count = args.ow - j < 4 ? args.ow - j : 4;
      for (ptrdiff_t k = 0; k < count; ++k) {
        const ptrdiff_t offset = i * lane.row + (j + k) * lane.col;
        F32 r = acc[k];
        if (lane.clamp) r = ClampHigh(ClampMin(r, lane.lo), lane.hi);
        StorePartial(lane.y + offset, r, n);
      }
    }
  }
}

// y = clamp(y + residual): a second pass, since it is rare and would only fill the tiles' loops.
void AddResidual(const DwconvArgs& args, ptrdiff_t row_begin, ptrdiff_t row_end, ptrdiff_t c_begin, ptrdiff_t c_end) {
  const F32 lo = Splat(args.lo), hi = Splat(args.hi);
  for (ptrdiff_t pixel = row_begin * args.ow; pixel < row_end * args.ow; ++pixel) {
    for (ptrdiff_t c = c_begin; c < c_end; c += static_cast<ptrdiff_t>(kLanes)) {
      const ptrdiff_t offset = pixel * args.c + c;
      const size_t n = c_end - c < static_cast<ptrdiff_t>(kLanes) ? static_cast<size_t>(c_end - c) : kLanes;
      const F32 sum = Add(LoadPartial(args.y + offset, n), LoadPartial(args.residual + offset, n));
      StorePartial(args.y + offset, ClampHigh(ClampMin(sum, lo), hi), n);
    }
  }
}

void RunOn(const DwconvArgs& args, ptrdiff_t row_begin, ptrdiff_t row_end, ptrdiff_t c_begin, ptrdiff_t c_end,
           bool in_order) {
  constexpr ptrdiff_t kVector = static_cast<ptrdiff_t>(kLanes);
  const int taps = args.kh * args.kw;
  const bool square = args.kh == args.kw && args.sh == args.sw && args.dh == 1 && args.dw == 1;
  // One lane gains nothing from tiles.
  const int k = kLanes > 1 && square && (args.kh == 3 || args.kh == 5) && (args.sh == 1 || args.sh == 2) ? args.kh : 0;
  const bool clamp = !(args.lo == -__builtin_inff() && args.hi == __builtin_inff());
  for (ptrdiff_t c = c_begin; c < c_end; c += kVector) {
    ptrdiff_t at = c;
    alignas(64) float tail_weight[25 * 16], tail_bias[16];
    const float* weight = args.weight + at / 16 * taps * 16 + at % 16;
    const float* bias = args.bias == nullptr ? nullptr : args.bias + at;
    const bool tail = c + kVector > c_end;
    if (tail && k != 0 && args.c >= kVector) {  // the last whole vector: it ends with the last channel
      at = args.c - kVector;
      for (ptrdiff_t l = 0; l < kVector; ++l) {
        const ptrdiff_t channel = at + l;
        for (int t = 0; t < taps; ++t) {
          tail_weight[t * 16 + l] = args.weight[(channel / 16 * taps + t) * 16 + channel % 16];
        }
        tail_bias[l] = args.bias == nullptr ? 0.0f : args.bias[channel];
      }
      weight = tail_weight;
      bias = tail_bias;
    }
    Lane lane;
    lane.weight = weight;
    const ptrdiff_t left = c_end - c < kVector && bias != tail_bias ? c_end - c : kVector;
    lane.bias = args.bias == nullptr ? Zero() : LoadPartial(bias, static_cast<size_t>(left));
    alignas(64) float bias_copy[kLanes];
    Store(bias_copy, lane.bias);
    lane.bias_copy = bias_copy;
    lane.lo = Splat(args.lo);
    lane.hi = Splat(args.hi);
    lane.y = args.y + at;
    lane.col = args.c;
    lane.row = args.ow * args.c;
    lane.clamp = clamp && args.residual == nullptr;
    lane.in_order = in_order;
    if (k == 0 || args.c < kVector) {
      const size_t n = static_cast<size_t>(tail ? c_end - c : kVector);
      General(args, lane, row_begin, row_end, at, n);
#if TL_SIMD != TL_SIMD_scalar
    } else if (k == 3) {
      args.sh == 1 ? Strips<3, 1>(args, lane, row_begin, row_end, at)
                   : Strips<3, 2>(args, lane, row_begin, row_end, at);
    } else if constexpr (kHaveDepthwise5x5) {
      args.sh == 1 ? Strips<5, 1>(args, lane, row_begin, row_end, at)
                   : Strips<5, 2>(args, lane, row_begin, row_end, at);
#endif
    }
  }
  if (args.residual == nullptr) return;
  // A tail has overwritten the channels before it.
  const ptrdiff_t back = c_end % kVector != 0 && k != 0 && args.c >= kVector ? c_end - kVector : c_begin;
  AddResidual(args, row_begin, row_end, back < c_begin ? back : c_begin, c_end);
}

template <bool kInOrder>
void Run(const DwconvArgs& args, ptrdiff_t row_begin, ptrdiff_t row_end, ptrdiff_t c_begin, ptrdiff_t c_end) {
  RunOn(args, row_begin, row_end, c_begin, c_end, kInOrder);
}

constexpr DwconvKernels kDwconvKernels = {kLanes, kTileRows, Run<false>};

}  // namespace
}  // namespace TL_ISA
}  // namespace tealight
