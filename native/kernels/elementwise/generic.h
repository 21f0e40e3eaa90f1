// SPDX-License-Identifier: Apache-2.0
// The bodies of ElementwiseKernels over the SIMD wrapper; see elementwise.h.
#include <string.h>

#include "kernels/elementwise/elementwise.h"
#include "kernels/elementwise/math.h"
#include "kernels/elementwise/scalar_math.h"

namespace tealight {
namespace TL_ISA {
namespace {

// Two vectors at a time hide the latency of a chain on in-order cores.
template <typename F>
void Map(size_t n, const float* x, float* y, F f) {
  size_t i = 0;
  for (; i + 2 * kLanes <= n; i += 2 * kLanes) {
    const F32 a = f(Load(x + i));
    const F32 b = f(Load(x + i + kLanes));
    Store(y + i, a);
    Store(y + i + kLanes, b);
  }
  for (; i < n; i += kLanes) {
    if (n - i >= kLanes) {
      Store(y + i, f(Load(x + i)));
    } else {
      StorePartial(y + i, f(LoadPartial(x + i, n - i)), n - i);
    }
  }
}

void ScalarMap(UnaryOp kind, size_t n, const float* x, float* y) {
  for (size_t i = 0; i < n; ++i) y[i] = ScalarUnary(kind, x[i]);
}

void Unary(UnaryOp kind, float alpha, float beta, size_t n, const float* x, float* y) {
  const F32 zero = Splat(0.0f);
  const F32 one = Splat(1.0f);
  const F32 a = Splat(alpha);
  const F32 b = Splat(beta);
  switch (kind) {
    case UnaryOp::kIdentity:
      if (x != y && n != 0) memcpy(y, x, n * sizeof(float));
      return;
    case UnaryOp::kAbs:
      return Map(n, x, y, [](F32 v) { return Abs(v); });
    case UnaryOp::kNeg:
      return Map(n, x, y, [](F32 v) { return Neg(v); });
    case UnaryOp::kSign:
      return Map(n, x, y, [=](F32 v) {
        const F32 low = Select(CmpLt(v, zero), Splat(-1.0f), Select(CmpEq(v, zero), zero, v));
        return Select(CmpLt(zero, v), one, low);
      });
    case UnaryOp::kFloor:
      return Map(n, x, y, [](F32 v) { return Floor(v); });
    case UnaryOp::kCeil:
      return Map(n, x, y, [](F32 v) { return Ceil(v); });
    case UnaryOp::kRound:
      return Map(n, x, y, [](F32 v) { return RoundEven(v); });
    case UnaryOp::kSqrt:
      return Map(n, x, y, [](F32 v) { return Sqrt(v); });
    case UnaryOp::kRsqrt:
      return Map(n, x, y, [=](F32 v) { return Div(one, Sqrt(v)); });
    case UnaryOp::kReciprocal:
      return Map(n, x, y, [=](F32 v) { return Div(one, v); });
    case UnaryOp::kExp:
      return Map(n, x, y, [](F32 v) { return Exp(v); });
    case UnaryOp::kLog:
      return Map(n, x, y, [](F32 v) { return Log(v); });
    case UnaryOp::kExpm1:
      return Map(n, x, y, [](F32 v) { return Expm1(v); });
    case UnaryOp::kTanh:
      return Map(n, x, y, [](F32 v) { return Tanh(v); });
    case UnaryOp::kErf:
      return Map(n, x, y, [](F32 v) { return Erf(v); });
    case UnaryOp::kSigmoid:
      return Map(n, x, y, [](F32 v) { return Sigmoid(v); });
    case UnaryOp::kRelu:
      return Map(n, x, y, [=](F32 v) { return ClampMin(v, zero); });
    case UnaryOp::kClip:
      return Map(n, x, y, [=](F32 v) { return ClampMax(ClampMin(v, a), b); });
    case UnaryOp::kLeakyRelu:
      return Map(n, x, y, [=](F32 v) { return Select(CmpLt(v, zero), Mul(v, a), v); });
    case UnaryOp::kElu:
      return Map(n, x, y, [=](F32 v) { return Elu(v, a); });
    case UnaryOp::kSelu:
      return Map(n, x, y, [=](F32 v) { return Mul(Elu(v, a), b); });
    case UnaryOp::kCelu:
      return Map(n, x, y, [=](F32 v) {
        const F32 low = Mul(Expm1Negative(ClampMax(Div(v, a), zero)), a);
        return Add(ClampMin(v, zero), ClampMax(low, zero));
      });
    case UnaryOp::kGelu:
      return Map(n, x, y, [](F32 v) { return Gelu(v); });
    case UnaryOp::kGeluTanh:
      return Map(n, x, y, [](F32 v) { return GeluTanh(v); });
    case UnaryOp::kSilu:
      return Map(n, x, y, [](F32 v) { return Silu(v); });
    case UnaryOp::kHardSigmoid:
      return Map(n, x, y, [=](F32 v) { return ClampMax(ClampMin(Fma(v, a, b), zero), one); });
    case UnaryOp::kHardSwish:
      return Map(n, x, y,
                 [=](F32 v) { return Mul(v, ClampMax(ClampMin(Fma(v, Splat(1.0f / 6.0f), Splat(0.5f)), zero), one)); });
    case UnaryOp::kMish:
      return Map(n, x, y, [](F32 v) { return Mish(v); });
    case UnaryOp::kSoftplus:
      return Map(n, x, y, [](F32 v) { return Softplus(v); });
    case UnaryOp::kSoftsign:
      return Map(n, x, y, [=](F32 v) { return Div(v, Add(one, Abs(v))); });
    case UnaryOp::kThresholdedRelu:
      return Map(n, x, y, [=](F32 v) { return Select(CmpLt(a, v), v, zero); });
    case UnaryOp::kShrink:
      return Map(n, x, y, [=](F32 v) {
        const F32 high = Select(CmpLt(a, v), Sub(v, b), zero);
        return Select(CmpLt(v, Neg(a)), Add(v, b), high);
      });
    case UnaryOp::kSquare:
      return Map(n, x, y, [](F32 v) { return Mul(v, v); });
    default:
      return ScalarMap(kind, n, x, y);
  }
}

template <typename F>
void MapRow(size_t n, const float* a, size_t a_col, const float* b, size_t b_col, float* y, F f) {
  size_t i = 0;
  if (a_col != 0 && b_col != 0) {
    for (; i + kLanes <= n; i += kLanes) Store(y + i, f(Load(a + i), Load(b + i)));
    if (i < n) StorePartial(y + i, f(LoadPartial(a + i, n - i), LoadPartial(b + i, n - i)), n - i);
  } else if (a_col != 0) {
    const F32 vb = Splat(*b);
    for (; i + kLanes <= n; i += kLanes) Store(y + i, f(Load(a + i), vb));
    if (i < n) StorePartial(y + i, f(LoadPartial(a + i, n - i), vb), n - i);
  } else {
    const F32 va = Splat(*a);
    for (; i + kLanes <= n; i += kLanes) {
      const F32 vb = b_col != 0 ? Load(b + i) : Splat(*b);
      Store(y + i, f(va, vb));
    }
    if (i < n) {
      const F32 vb = b_col != 0 ? LoadPartial(b + i, n - i) : Splat(*b);
      StorePartial(y + i, f(va, vb), n - i);
    }
  }
}
template <typename F>
void MapRows(size_t rows, size_t n, Operand a, Operand b, float* y, F f) {
  if (n == 0) return;
  for (size_t r = 0; r < rows; ++r) {
    MapRow(n, a.data + r * a.row, a.col, b.data + r * b.row, b.col, y + r * n, f);
  }
}

void ScalarRows(BinaryOp kind, size_t rows, size_t n, Operand a, Operand b, float* y) {
  for (size_t r = 0; r < rows; ++r) {
    for (size_t i = 0; i < n; ++i) {
      y[r * n + i] = ScalarBinary(kind, a.data[r * a.row + i * a.col], b.data[r * b.row + i * b.col]);
    }
  }
}

void Binary(BinaryOp kind, size_t rows, size_t n, Operand a, Operand b, float* y) {
  switch (kind) {
    case BinaryOp::kAdd:
      return MapRows(rows, n, a, b, y, [](F32 p, F32 q) { return Add(p, q); });
    case BinaryOp::kSub:
      return MapRows(rows, n, a, b, y, [](F32 p, F32 q) { return Sub(p, q); });
    case BinaryOp::kMul:
      return MapRows(rows, n, a, b, y, [](F32 p, F32 q) { return Mul(p, q); });
    case BinaryOp::kDiv:
      return MapRows(rows, n, a, b, y, [](F32 p, F32 q) { return Div(p, q); });
    case BinaryOp::kMax:
      return MapRows(rows, n, a, b, y, [](F32 p, F32 q) { return Max(p, q); });
    case BinaryOp::kMin:
      return MapRows(rows, n, a, b, y, [](F32 p, F32 q) { return Min(p, q); });
    case BinaryOp::kPrelu:
      return MapRows(rows, n, a, b, y, [](F32 p, F32 q) { return Select(CmpLt(p, Splat(0.0f)), Mul(p, q), p); });
    default:
      return ScalarRows(kind, rows, n, a, b, y);
  }
}

void FromHalf(size_t n, const uint16_t* x, float* y) {
  size_t i = 0;
  for (; i + kLanes <= n; i += kLanes) Store(y + i, LoadHalf(x + i));
  if (i < n) StorePartial(y + i, LoadHalfPartial(x + i, n - i), n - i);
}
void ToHalf(size_t n, const float* x, uint16_t* y) {
  size_t i = 0;
  for (; i + kLanes <= n; i += kLanes) StoreHalf(y + i, Load(x + i));
  if (i < n) StoreHalfPartial(y + i, LoadPartial(x + i, n - i), n - i);
}

constexpr ElementwiseKernels kElementwise = {Unary, Binary, FromHalf, ToHalf};

}  // namespace
}  // namespace TL_ISA
}  // namespace tealight
