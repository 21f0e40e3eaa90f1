// SPDX-License-Identifier: Apache-2.0
// The pooling kernels of kernels/pool/pool.h, vectorised over channels. Max with stride 1 and windows of 3 or 5 has a
// form of its own: two output rows share the maxima of their common rows, and a column's maximum is kept for the next
// windows that hold it.
#include "base/simd/vec.h"
#include "kernels/pool/pool.h"

#define TL_UNROLL _Pragma("GCC unroll 16")

namespace tealight {
namespace TL_ISA {
namespace {

constexpr ptrdiff_t kVector = static_cast<ptrdiff_t>(kLanes);

struct Window {
  ptrdiff_t row_first, row_last, col_first, col_last;  // taps in the image
  const float* x;                                      // of tap (0, 0), which may lie outside
};

// Calls f(offset of y, window) for each output pixel of the rows.
template <typename F>
TL_INLINE void ForEachWindow(const PoolArgs& a, ptrdiff_t row_begin, ptrdiff_t row_end, const F& f) {
  for (ptrdiff_t i = row_begin; i < row_end; ++i) {
    Window window;
    const ptrdiff_t row = i * a.sh - a.top;
    TapRange(row, a.kh, a.dh, 0, a.h, &window.row_first, &window.row_last);
    for (ptrdiff_t j = 0; j < a.ow; ++j) {
      const ptrdiff_t column = j * a.sw - a.left;
      TapRange(column, a.kw, a.dw, 0, a.w, &window.col_first, &window.col_last);
      window.x = a.x + (row * a.w + column) * a.c;
      f(i, j, window);
    }
  }
}

void AverageRun(const PoolArgs& a, ptrdiff_t row_begin, ptrdiff_t row_end, ptrdiff_t c_begin, ptrdiff_t c_end) {
  const ptrdiff_t row_step = a.dh * a.w * a.c, col_step = a.dw * a.c;
  ForEachWindow(a, row_begin, row_end, [&](ptrdiff_t i, ptrdiff_t j, const Window& window) {
    ptrdiff_t r0, r1, c0, c1;
    TapRange(i * a.sh - a.top, a.kh, a.dh, -a.count_top, a.h + a.count_bottom, &r0, &r1);
    TapRange(j * a.sw - a.left, a.kw, a.dw, -a.count_left, a.w + a.count_right, &c0, &c1);
    const F32 count = Splat(static_cast<float>((r1 - r0) * (c1 - c0)));
    float* y = a.y + (i * a.ow + j) * a.c;
    ptrdiff_t c = c_begin;
    for (; c + 4 * kVector <= c_end; c += 4 * kVector) {
      F32 acc[4] = {Zero(), Zero(), Zero(), Zero()};
      for (ptrdiff_t r = window.row_first; r < window.row_last; ++r) {
        const float* x = window.x + r * row_step + window.col_first * col_step + c;
        for (ptrdiff_t q = window.col_first; q < window.col_last; ++q, x += col_step) {
          TL_UNROLL for (int k = 0; k < 4; ++k) acc[k] = Add(acc[k], Load(x + k * kVector));
        }
      }
      TL_UNROLL for (int k = 0; k < 4; ++k) Store(y + c + k * kVector, Div(acc[k], count));
    }
    for (; c < c_end; c += kVector) {
      const size_t n = c_end - c < kVector ? static_cast<size_t>(c_end - c) : kLanes;
      F32 acc = Zero();
      for (ptrdiff_t r = window.row_first; r < window.row_last; ++r) {
        const float* x = window.x + r * row_step + window.col_first * col_step + c;
        for (ptrdiff_t q = window.col_first; q < window.col_last; ++q, x += col_step) acc = Add(acc, LoadPartial(x, n));
      }
      StorePartial(y + c, Div(acc, count), n);
    }
  });
}

// kCount vectors of channels at x, the last one with n elements.
template <int kCount>
TL_INLINE void MaxWindow(const Window& window, ptrdiff_t row_step, ptrdiff_t col_step, ptrdiff_t c, size_t n,
                         float* y) {
  F32 acc[kCount];
  TL_UNROLL for (int k = 0; k < kCount; ++k) acc[k] = Splat(-__builtin_inff());
  for (ptrdiff_t q = window.col_first; q < window.col_last; ++q) {
    const float* x = window.x + window.row_first * row_step + q * col_step + c;
    for (ptrdiff_t r = window.row_first; r < window.row_last; ++r, x += row_step) {
      TL_UNROLL for (int k = 0; k < kCount; ++k) {
        acc[k] = Max(acc[k], kCount > 1 ? Load(x + k * kVector) : LoadPartial(x, n));
      }
    }
  }
  TL_UNROLL for (int k = 0; k < kCount; ++k) {
    if (kCount > 1) {
      Store(y + c + k * kVector, acc[k]);
    } else {
      StorePartial(y + c, acc[k], n);
    }
  }
}

void MaxGeneral(const PoolArgs& a, ptrdiff_t row_begin, ptrdiff_t row_end, ptrdiff_t c_begin, ptrdiff_t c_end) {
  const ptrdiff_t row_step = a.dh * a.w * a.c, col_step = a.dw * a.c;
  ForEachWindow(a, row_begin, row_end, [&](ptrdiff_t i, ptrdiff_t j, const Window& window) {
    float* y = a.y + (i * a.ow + j) * a.c;
    ptrdiff_t c = c_begin;
    for (; c + 4 * kVector <= c_end; c += 4 * kVector) MaxWindow<4>(window, row_step, col_step, c, kLanes, y);
    for (; c < c_end; c += kVector) {
      MaxWindow<1>(window, row_step, col_step, c, c_end - c < kVector ? static_cast<size_t>(c_end - c) : kLanes, y);
    }
  });
}

template <bool kWhole>
TL_INLINE F32 Read(const float* p, size_t n) {
  return kWhole ? Load(p) : LoadPartial(p, n);
}

// Two output rows (the second may be missing) of one vector of channels, stride 1, K x K.
template <int K, bool kWhole>
void MaxRows(const PoolArgs& a, ptrdiff_t i, bool two, ptrdiff_t c, size_t n) {
  const F32 lowest = Splat(-__builtin_inff());
  const ptrdiff_t row = i - a.top, row_step = a.w * a.c;
  F32 upper[K], lower[K];  // maxima of the last K columns, newest last
  TL_UNROLL for (int k = 0; k < K; ++k) upper[k] = lower[k] = lowest;
  for (ptrdiff_t q = -a.left, j = 1 - K; j < a.ow; ++q, ++j) {
    TL_UNROLL for (int k = 0; k + 1 < K; ++k) {
      upper[k] = upper[k + 1];
      lower[k] = lower[k + 1];
    }
    F32 first = lowest, common = lowest, last = lowest;
    if (q >= 0 && q < a.w) {
      const float* x = a.x + (row * a.w + q) * a.c + c;
      if (row >= 0 && row < a.h) first = Read<kWhole>(x, n);
      TL_UNROLL for (int r = 1; r < K; ++r) {
        if (row + r >= 0 && row + r < a.h) common = Max(common, Read<kWhole>(x + r * row_step, n));
      }
      if (row + K >= 0 && row + K < a.h) last = Read<kWhole>(x + K * row_step, n);
    }
    upper[K - 1] = Max(first, common);
    lower[K - 1] = Max(common, last);
    if (j < 0) continue;
    F32 top = upper[0], bottom = lower[0];
    TL_UNROLL for (int k = 1; k < K; ++k) {
      top = Max(top, upper[k]);
      bottom = Max(bottom, lower[k]);
    }
    float* y = a.y + (i * a.ow + j) * a.c + c;
    if (kWhole) {
      Store(y, top);
      if (two) Store(y + a.ow * a.c, bottom);
    } else {
      StorePartial(y, top, n);
      if (two) StorePartial(y + a.ow * a.c, bottom, n);
    }
  }
}

void MaxRun(const PoolArgs& a, ptrdiff_t row_begin, ptrdiff_t row_end, ptrdiff_t c_begin, ptrdiff_t c_end) {
  const bool dense = a.sh == 1 && a.sw == 1 && a.dh == 1 && a.dw == 1 && a.kh == a.kw && (a.kh == 3 || a.kh == 5);
  if (!dense) return MaxGeneral(a, row_begin, row_end, c_begin, c_end);
  for (ptrdiff_t c = c_begin; c < c_end; c += kVector) {
    const size_t n = c_end - c < kVector ? static_cast<size_t>(c_end - c) : kLanes;
    const auto rows = n == kLanes ? (a.kh == 3 ? MaxRows<3, true> : MaxRows<5, true>)
                                  : (a.kh == 3 ? MaxRows<3, false> : MaxRows<5, false>);
    for (ptrdiff_t i = row_begin; i < row_end; i += 2) rows(a, i, i + 1 < row_end, c, n);
  }
}

constexpr PoolKernels kPoolKernels = {MaxRun, AverageRun};

}  // namespace
}  // namespace TL_ISA
}  // namespace tealight
