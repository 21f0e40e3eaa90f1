// SPDX-License-Identifier: Apache-2.0
// The bodies of the Winograd transforms over the SIMD wrapper; winograd.h has the formulas.
#ifndef TEALIGHT_KERNELS_WINOGRAD_GENERIC_H_
#define TEALIGHT_KERNELS_WINOGRAD_GENERIC_H_

#include "base/simd/vec.h"
#include "kernels/winograd/winograd.h"

namespace tealight {
namespace TL_ISA {
namespace {

template <int M>
struct Transform;

template <>
struct Transform<2> {
  // t = B^T d, elements `step` apart.
  TL_INLINE void Input(const F32* d, F32* t, int step) {
    t[0] = Sub(d[0], d[2 * step]);
    t[step] = Add(d[step], d[2 * step]);
    t[2 * step] = Sub(d[2 * step], d[step]);
    t[3 * step] = Sub(d[step], d[3 * step]);
  }
  TL_INLINE void Output(const F32* s, F32* y, int step) {
    y[0] = Add(Add(s[0], s[step]), s[2 * step]);
    y[step] = Sub(Sub(s[step], s[2 * step]), s[3 * step]);
  }
  TL_INLINE void Weights(const F32* g, F32* u) {
    const F32 s = Add(g[0], g[2]), half = Splat(0.5f);
    u[0] = g[0];
    u[1] = Mul(Add(s, g[1]), half);
    u[2] = Mul(Sub(s, g[1]), half);
    u[3] = g[2];
  }
};

template <>
struct Transform<4> {
  TL_INLINE void Input(const F32* d, F32* t, int step) {
    const F32 d0 = d[0], d1 = d[step], d2 = d[2 * step], d3 = d[3 * step], d4 = d[4 * step], d5 = d[5 * step];
    const F32 two = Splat(2.0f), four = Splat(4.0f), five = Splat(5.0f);
    t[0] = Fma(four, d0, Fnma(five, d2, d4));
    t[5 * step] = Fma(four, d1, Fnma(five, d3, d5));
    const F32 p = Fnma(four, d2, d4), q = Fnma(four, d1, d3);
    t[step] = Add(p, q);
    t[2 * step] = Sub(p, q);
    const F32 r = Sub(d4, d2), w = Sub(d3, d1);
    t[3 * step] = Fma(two, w, r);
    t[4 * step] = Fnma(two, w, r);
  }
  TL_INLINE void Output(const F32* s, F32* y, int step) {
    const F32 a = Add(s[step], s[2 * step]), b = Sub(s[step], s[2 * step]);
    const F32 c = Add(s[3 * step], s[4 * step]), e = Sub(s[3 * step], s[4 * step]);
    const F32 last = s[5 * step];
    y[0] = Add(Add(s[0], a), c);
    y[step] = Fma(Splat(2.0f), e, b);
    y[2 * step] = Fma(Splat(4.0f), c, a);
    y[3 * step] = Add(Fma(Splat(8.0f), e, b), last);
  }
  TL_INLINE void Weights(const F32* g, F32* u) {
    const F32 s = Add(g[0], g[2]), a = Fma(Splat(4.0f), g[2], g[0]);
    const F32 two = Splat(2.0f), sixth = Splat(-1.0f / 6.0f), part = Splat(1.0f / 24.0f);
    u[0] = Mul(g[0], Splat(0.25f));
    u[1] = Mul(Add(s, g[1]), sixth);
    u[2] = Mul(Sub(s, g[1]), sixth);
    u[3] = Mul(Fma(two, g[1], a), part);
    u[4] = Mul(Fnma(two, g[1], a), part);
    u[5] = g[2];
  }
};

#define TL_UNROLL _Pragma("GCC unroll 8")

// One vector of channels of the input transform; `lanes` < kLanes at the end.
template <int M, bool kPartial>
TL_INLINE void InputVector(const float* const* pixels, size_t c, size_t lanes, float* v, size_t stride) {
  constexpr int N = M + 2;
  F32 t[N * N];
  TL_UNROLL for (int x = 0; x < N; ++x) {
    F32 d[N];
    TL_UNROLL for (int y = 0; y < N; ++y) {
      const float* p = pixels[y * N + x] + c;
      d[y] = kPartial ? LoadPartial(p, lanes) : Load(p);
    }
    F32 column[N];
    Transform<M>::Input(d, column, 1);
    TL_UNROLL for (int y = 0; y < N; ++y) t[y * N + x] = column[y];
  }
  TL_UNROLL for (int y = 0; y < N; ++y) {
    F32 row[N];
    Transform<M>::Input(t + y * N, row, 1);
    TL_UNROLL for (int x = 0; x < N; ++x) {
      float* out = v + static_cast<size_t>(y * N + x) * stride + c;
      if (kPartial) {
        StorePartial(out, row[x], lanes);
      } else {
        Store(out, row[x]);
      }
    }
  }
}

template <int M>
void InputTile(const float* const* pixels, size_t channels, float* v, size_t stride) {
  size_t c = 0;
  for (; c + kLanes <= channels; c += kLanes) InputVector<M, false>(pixels, c, kLanes, v, stride);
  if (c < channels) InputVector<M, true>(pixels, c, channels - c, v, stride);
}

// One vector of channels of the output transform. The full lanes of s are readable only when not kPartial.
template <int M, bool kPartial>
TL_INLINE void OutputVector(const float* s, size_t stride, size_t c, size_t lanes, const WinogradOutput& o) {
  constexpr int N = M + 2;
  F32 t[M * N];
  TL_UNROLL for (int x = 0; x < N; ++x) {
    F32 d[N];
    TL_UNROLL for (int y = 0; y < N; ++y) {
      const float* p = s + static_cast<size_t>(y * N + x) * stride + c;
      d[y] = kPartial ? LoadPartial(p, lanes) : Load(p);
    }
    F32 column[M];
    Transform<M>::Output(d, column, 1);
    TL_UNROLL for (int y = 0; y < M; ++y) t[y * N + x] = column[y];
  }
  const F32 lo = Splat(o.lo), hi = Splat(o.hi);
  F32 bias = Zero();
  if (o.bias != nullptr) bias = kPartial ? LoadPartial(o.bias + c, lanes) : Load(o.bias + c);
  for (size_t y = 0; y < o.rows; ++y) {
    F32 row[M];
    Transform<M>::Output(t + y * N, row, 1);
    TL_UNROLL for (size_t x = 0; x < M; ++x) {
      if (x >= o.columns) break;
      const size_t at = y * o.row_stride + x * o.column_stride + c;
      F32 value = Add(row[x], bias);
      if (o.residual != nullptr) {
        value = Add(value, kPartial ? LoadPartial(o.residual + at, lanes) : Load(o.residual + at));
      }
      value = ClampMax(ClampMin(value, lo), hi);
      if (kPartial) {
        StorePartial(o.dst + at, value, lanes);
      } else {
        Store(o.dst + at, value);
      }
    }
  }
}

template <int M>
void OutputTile(const float* s, size_t stride, const WinogradOutput& o) {
  size_t c = 0;
  for (; c + kLanes <= o.channels; c += kLanes) OutputVector<M, false>(s, stride, c, kLanes, o);
  if (c < o.channels) OutputVector<M, true>(s, stride, c, o.channels - c, o);
}

template <int M>
void WeightsPanel(const float* g, size_t channels, float* u, size_t stride) {
  constexpr int N = M + 2;
  const size_t tap = channels * kWinogradPanel;
  for (size_t i = 0; i < tap; i += kLanes) {
    F32 t[3 * N];  // [kernel column][N]
    TL_UNROLL for (size_t x = 0; x < 3; ++x) {
      F32 column[3];
      TL_UNROLL for (size_t y = 0; y < 3; ++y) column[y] = Load(g + (y * 3 + x) * tap + i);
      Transform<M>::Weights(column, t + x * N);
    }
    TL_UNROLL for (int y = 0; y < N; ++y) {
      const F32 row[3] = {t[y], t[N + y], t[2 * N + y]};
      F32 out[N];
      Transform<M>::Weights(row, out);
      TL_UNROLL for (int x = 0; x < N; ++x) Store(u + static_cast<size_t>(y * N + x) * stride + i, out[x]);
    }
  }
}

void Input(int m, const float* const* pixels, size_t channels, float* v, size_t stride) {
  return m == 2 ? InputTile<2>(pixels, channels, v, stride) : InputTile<4>(pixels, channels, v, stride);
}

void Output(int m, const float* s, size_t stride, const WinogradOutput& output) {
  return m == 2 ? OutputTile<2>(s, stride, output) : OutputTile<4>(s, stride, output);
}

void Weights(int m, const float* g, size_t channels, float* u, size_t stride) {
  return m == 2 ? WeightsPanel<2>(g, channels, u, stride) : WeightsPanel<4>(g, channels, u, stride);
}

}  // namespace
}  // namespace TL_ISA
}  // namespace tealight

#endif  // TEALIGHT_KERNELS_WINOGRAD_GENERIC_H_
