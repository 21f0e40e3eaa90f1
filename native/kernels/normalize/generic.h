// SPDX-License-Identifier: Apache-2.0
// The bodies of NormalizeKernels over the SIMD wrapper; see normalize.h.
#include "kernels/normalize/normalize.h"
#include "kernels/normalize/rows.h"

namespace tealight {
namespace TL_ISA {
namespace {

void Softmax(bool is_log, size_t n, const float* x, float* y) {
  const auto load = [x](size_t i) { return Load(x + i); };
  const Lanes16 tail = LoadTail(x, n, Zero());
  if (!is_log) return SoftmaxRow(n, load, tail, y);
  F32 max;
  Lanes16 e;
  const F32 shift = Log(Mul(Splat(SoftmaxSum(n, load, tail, false, y, &max, &e)), Splat(1.0f / kExpScale)));
  ForWhole(n, [&](size_t, size_t i) { Store(y + i, Sub(Sub(Load(x + i), max), shift)); });
  StoreTail(y, n, ForLanes([&](size_t v) { return Sub(Sub(tail.v[v], max), shift); }));
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
  F32 mean = Zero();
  if (!rms) {
    Lanes16 sums = SplatLanes16(0.0f);
    const Lanes16 last = LoadTail(x, n, Zero());
    ForWhole(n, [&](size_t v, size_t i) { sums.v[v] = Add(sums.v[v], Load(x + i)); });
    sums = ForLanes([&](size_t v) { return Add(sums.v[v], last.v[v]); });
    mean = Splat(ReduceAdd(sums) / count_of_row);
  }
  Lanes16 tail = LoadTail(x, n, mean);
  tail = ForLanes([&](size_t v) { return Sub(tail.v[v], mean); });
  Lanes16 squares = SplatLanes16(0.0f);
  ForWhole(n, [&](size_t v, size_t i) {
    const F32 d = Sub(Load(x + i), mean);
    squares.v[v] = Fma(d, d, squares.v[v]);
  });
  squares = ForLanes([&](size_t v) { return Fma(tail.v[v], tail.v[v], squares.v[v]); });
  const float variance = ReduceAdd(squares) / count_of_row;
  const F32 factor = Splat(1.0f / __builtin_sqrtf(variance + epsilon));
  const Lanes16 zero = SplatLanes16(0.0f);
  const Lanes16 s = scale != nullptr ? LoadTail(scale, n, Zero()) : zero;
  const Lanes16 b = bias != nullptr ? LoadTail(bias, n, Zero()) : zero;
  // fma(d, scale, bias), d * scale, d + bias or d
  const auto apply = [&](F32 d, F32 s_value, F32 b_value) {
    d = Mul(d, factor);
    if (scale != nullptr) return bias != nullptr ? Fma(d, s_value, b_value) : Mul(d, s_value);
    return bias != nullptr ? Add(d, b_value) : d;
  };
  ForWhole(n, [&](size_t, size_t i) {
    const F32 s_value = scale != nullptr ? Load(scale + i) : Zero();
    const F32 b_value = bias != nullptr ? Load(bias + i) : Zero();
    Store(y + i, apply(Sub(Load(x + i), mean), s_value, b_value));
  });
  StoreTail(y, n, ForLanes([&](size_t v) { return apply(tail.v[v], s.v[v], b.v[v]); }));
}

// V vectors of columns from column i on.
template <size_t V>
TL_INLINE void SumColumns(size_t rows, size_t n, size_t i, size_t count, const float* x, const float* mean,
                          float* sums) {
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
