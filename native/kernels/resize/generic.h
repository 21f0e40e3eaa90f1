// SPDX-License-Identifier: Apache-2.0
// The resampling kernels of kernels/resize/resize.h. Two taps (linear) and four (cubic) have loops of their own.
#include "base/simd/vec.h"
#include "kernels/resize/resize.h"

namespace tealight {
namespace TL_ISA {
namespace {

// One vector of a row: kTaps > 0 fixes the number of taps.
template <size_t kTaps, bool kWhole>
TL_INLINE void RowVector(const float* const* rows, const float* weight, size_t taps, size_t at, size_t n, float* y) {
  F32 acc = Zero();
  const size_t count = kTaps > 0 ? kTaps : taps;
  for (size_t t = 0; t < count; ++t) {
    const float* x = rows[t] + at;
    acc = Fma(Splat(weight[t]), kWhole ? Load(x) : LoadPartial(x, n), acc);
  }
  if (kWhole) {
    Store(y + at, acc);
  } else {
    StorePartial(y + at, acc, n);
  }
}

template <size_t kTaps>
TL_INLINE void RowsOf(const float* const* rows, const float* weight, size_t taps, size_t n, float* y) {
  size_t i = 0;
  for (; i + kLanes <= n; i += kLanes) RowVector<kTaps, true>(rows, weight, taps, i, kLanes, y);
  if (i < n) RowVector<kTaps, false>(rows, weight, taps, i, n - i, y);
}

void Rows(const float* const* rows, const float* weight, size_t taps, size_t n, float* y) {
  switch (taps) {
    case 2:
      return RowsOf<2>(rows, weight, taps, n, y);
    case 4:
      return RowsOf<4>(rows, weight, taps, n, y);
    default:
      return RowsOf<0>(rows, weight, taps, n, y);
  }
}

template <size_t kTaps>
TL_INLINE void ColumnsOf(const float* x, const int32_t* index, const float* weight, size_t taps, size_t n, size_t inner,
                         float* y) {
  const size_t count = kTaps > 0 ? kTaps : taps;
  for (size_t j = 0; j < n; ++j, index += count, weight += count, y += inner) {
    size_t i = 0;
    for (; i + kLanes <= inner; i += kLanes) {
      F32 acc = Zero();
      for (size_t t = 0; t < count; ++t) {
        acc = Fma(Splat(weight[t]), Load(x + static_cast<size_t>(index[t]) * inner + i), acc);
      }
      Store(y + i, acc);
    }
    for (; i < inner; ++i) {
      float acc = 0.0f;
      for (size_t t = 0; t < count; ++t) {
        acc = __builtin_fmaf(weight[t], x[static_cast<size_t>(index[t]) * inner + i], acc);
      }
      y[i] = acc;
    }
  }
}

void Columns(const float* x, const int32_t* index, const float* weight, size_t taps, size_t n, size_t inner, float* y) {
  switch (taps) {
    case 2:
      return ColumnsOf<2>(x, index, weight, taps, n, inner, y);
    case 4:
      return ColumnsOf<4>(x, index, weight, taps, n, inner, y);
    default:
      return ColumnsOf<0>(x, index, weight, taps, n, inner, y);
  }
}

constexpr ResizeKernels kResizeKernels = {Rows, Columns};

}  // namespace
}  // namespace TL_ISA
}  // namespace tealight
