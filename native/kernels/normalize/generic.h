// SPDX-License-Identifier: Apache-2.0
// The bodies of NormalizeKernels over the SIMD wrapper; see normalize.h.
#include "kernels/elementwise/math.h"
#include "kernels/normalize/normalize.h"

namespace tealight {
namespace TL_ISA {
namespace {

// Calls f(vector of the 16 lanes, first element, count <= kLanes) over [0, n) in ascending order.
template <typename F>
TL_INLINE void ForLanes16(size_t n, const F& f) {
  size_t i = 0;
  for (; i + 16 <= n; i += 16) {
    for (size_t v = 0; v < Lanes16::kVectors; ++v) f(v, i + v * kLanes, kLanes);
  }
  for (size_t v = 0; i < n; i += kLanes, ++v) f(v, i, n - i < kLanes ? n - i : kLanes);
}

TL_INLINE F32 LoadUpTo(const float* p, size_t count, F32 fill) {
  return count == kLanes ? Load(p) : LoadPartial(p, count, fill);
}
TL_INLINE void StoreUpTo(float* p, F32 x, size_t count) {
  if (count == kLanes) {
    Store(p, x);
  } else {
    StorePartial(p, x, count);
  }
}
// x with zeros from lane `count` on.
TL_INLINE F32 Keep(F32 x, size_t count) {
  if (count == kLanes) return x;
  float lanes[kLanes];
  Store(lanes, x);
  return LoadPartial(lanes, count);
}

void Softmax(bool is_log, size_t n, const float* x, float* y) {
  const F32 lowest = Splat(-__builtin_inff());
  Lanes16 top = SplatLanes16(-__builtin_inff());
  ForLanes16(n, [&](size_t v, size_t i, size_t count) { top.v[v] = Max(top.v[v], LoadUpTo(x + i, count, lowest)); });
  const F32 max = Splat(ReduceMax(top));
  Lanes16 sums = SplatLanes16(0.0f);
  if (is_log) {
    ForLanes16(n, [&](size_t v, size_t i, size_t count) {
      sums.v[v] = Add(sums.v[v], Keep(ExpScaled(Sub(LoadUpTo(x + i, count, max), max)), count));
    });
    const F32 shift = Log(Mul(Splat(ReduceAdd(sums)), Splat(1.0f / kExpScale)));
    ForLanes16(n, [&](size_t, size_t i, size_t count) {
      StoreUpTo(y + i, Sub(Sub(LoadUpTo(x + i, count, max), max), shift), count);
    });
    return;
  }
  ForLanes16(n, [&](size_t v, size_t i, size_t count) {
    const F32 e = ExpScaled(Sub(LoadUpTo(x + i, count, max), max));
    StoreUpTo(y + i, e, count);
    sums.v[v] = Add(sums.v[v], Keep(e, count));
  });
  const F32 scale = Splat(1.0f / ReduceAdd(sums));
  ForLanes16(n, [&](size_t, size_t i, size_t count) {
    StoreUpTo(y + i, Mul(LoadUpTo(y + i, count, scale), scale), count);
  });
}

void SoftmaxColumns(bool is_log, size_t rows, size_t n, size_t stride, const float* x, float* y, float* scratch) {
  const F32 zero = Splat(0.0f);
  for (size_t i = 0; i < n; i += kLanes) {
    const size_t count = n - i < kLanes ? n - i : kLanes;
    F32 max = Splat(-__builtin_inff());
    for (size_t r = 0; r < rows; ++r) max = Max(max, LoadUpTo(x + r * stride + i, count, zero));
    StoreUpTo(scratch + i, max, count);
  }
  float* sums = scratch + n;
  for (size_t i = 0; i < n; ++i) sums[i] = 0;
  for (size_t r = 0; r < rows; ++r) {
    for (size_t i = 0; i < n; i += kLanes) {
      const size_t count = n - i < kLanes ? n - i : kLanes;
      const size_t at = r * stride + i;
      const F32 d = Sub(LoadUpTo(x + at, count, zero), LoadUpTo(scratch + i, count, zero));
      const F32 e = ExpScaled(d);
      StoreUpTo(y + at, is_log ? d : e, count);
      StoreUpTo(sums + i, Add(LoadUpTo(sums + i, count, zero), e), count);
    }
  }
  for (size_t i = 0; i < n; i += kLanes) {
    const size_t count = n - i < kLanes ? n - i : kLanes;
    const F32 sum = LoadUpTo(sums + i, count, Splat(1.0f));
    StoreUpTo(sums + i, is_log ? Log(Mul(sum, Splat(1.0f / kExpScale))) : Div(Splat(1.0f), sum), count);
  }
  for (size_t r = 0; r < rows; ++r) {
    for (size_t i = 0; i < n; i += kLanes) {
      const size_t count = n - i < kLanes ? n - i : kLanes;
      float* p = y + r * stride + i;
      const F32 v = LoadUpTo(p, count, zero), s = LoadUpTo(sums + i, count, zero);
      StoreUpTo(p, is_log ? Sub(v, s) : Mul(v, s), count);
    }
  }
}

void LayerNorm(bool rms, float epsilon, size_t n, const float* x, const float* scale, const float* bias, float* y) {
  const float count_of_row = static_cast<float>(n);
  const F32 zero = Splat(0.0f);
  F32 mean = zero;
  if (!rms) {
    Lanes16 sums = SplatLanes16(0.0f);
    ForLanes16(n, [&](size_t v, size_t i, size_t count) { sums.v[v] = Add(sums.v[v], LoadUpTo(x + i, count, zero)); });
    mean = Splat(ReduceAdd(sums) / count_of_row);
  }
  Lanes16 squares = SplatLanes16(0.0f);
  ForLanes16(n, [&](size_t v, size_t i, size_t count) {
    const F32 d = Sub(LoadUpTo(x + i, count, mean), mean);
    squares.v[v] = Fma(d, d, squares.v[v]);
  });
  const float variance = ReduceAdd(squares) / count_of_row;
  const F32 factor = Splat(1.0f / __builtin_sqrtf(variance + epsilon));
  ForLanes16(n, [&](size_t, size_t i, size_t count) {
    F32 r = Mul(Sub(LoadUpTo(x + i, count, mean), mean), factor);
    if (scale != nullptr && bias != nullptr) {
      r = Fma(r, LoadUpTo(scale + i, count, zero), LoadUpTo(bias + i, count, zero));
    } else if (scale != nullptr) {
      r = Mul(r, LoadUpTo(scale + i, count, zero));
    } else if (bias != nullptr) {
      r = Add(r, LoadUpTo(bias + i, count, zero));
    }
    StoreUpTo(y + i, r, count);
  });
}

// V vectors of columns from column i on.
template <size_t V>
TL_INLINE void SumColumns(size_t rows, size_t n, size_t i, size_t count, const float* x, const float* mean, float* sums) {
  F32 acc[V], m[V];
  for (size_t v = 0; v < V; ++v) {
    acc[v] = Zero();
    m[v] = mean == nullptr ? Zero() : LoadUpTo(mean + i + v * kLanes, count, Zero());
  }
  for (size_t r = 0; r < rows; ++r) {
    for (size_t v = 0; v < V; ++v) {
      const F32 value = LoadUpTo(x + r * n + i + v * kLanes, count, Zero());
      if (mean == nullptr) {
        acc[v] = Add(acc[v], value);
      } else {
        const F32 d = Sub(value, m[v]);
        acc[v] = Fma(d, d, acc[v]);
      }
    }
  }
  for (size_t v = 0; v < V; ++v) StoreUpTo(sums + i + v * kLanes, acc[v], count);
}
void ColumnSums(size_t rows, size_t n, const float* x, const float* mean, float* sums) {
  size_t i = 0;
  for (; i + 4 * kLanes <= n; i += 4 * kLanes) SumColumns<4>(rows, n, i, kLanes, x, mean, sums);
  for (; i + kLanes <= n; i += kLanes) SumColumns<1>(rows, n, i, kLanes, x, mean, sums);
  if (i < n) SumColumns<1>(rows, n, i, n - i, x, mean, sums);
}

void Affine(size_t rows, size_t n, const float* x, const float* mean, const float* scale, const float* bias, float* y) {
  const F32 zero = Splat(0.0f);
  for (size_t r = 0; r < rows; ++r) {
    const float* in = x + r * n;
    float* out = y + r * n;
    size_t i = 0;
    for (; i + kLanes <= n; i += kLanes) {
      Store(out + i, Fma(Sub(Load(in + i), Load(mean + i)), Load(scale + i), Load(bias + i)));
    }
    if (i < n) {
      const size_t count = n - i;
      const F32 d = Sub(LoadUpTo(in + i, count, zero), LoadUpTo(mean + i, count, zero));
      StorePartial(out + i, Fma(d, LoadUpTo(scale + i, count, zero), LoadUpTo(bias + i, count, zero)), count);
    }
  }
}

constexpr NormalizeKernels kNormalize = {Softmax, SoftmaxColumns, LayerNorm, ColumnSums, Affine};

}  // namespace
}  // namespace TL_ISA
}  // namespace tealight
