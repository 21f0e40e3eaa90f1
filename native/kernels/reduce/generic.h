// SPDX-License-Identifier: Apache-2.0
// The bodies of ReduceKernels over the SIMD wrapper; see reduce.h.
#include "base/simd/vec.h"
#include "kernels/reduce/reduce.h"

namespace tealight {
namespace TL_ISA {
namespace {

constexpr float kInfinity = __builtin_inff();

struct Sum {
  static constexpr float kStart = 0.0f;
  TL_INLINE F32 Step(F32 acc, F32 x) { return Add(acc, x); }
  TL_INLINE F32 Join(F32 a, F32 b) { return Add(a, b); }
};
struct Product {
  static constexpr float kStart = 1.0f;
  TL_INLINE F32 Step(F32 acc, F32 x) { return Mul(acc, x); }
  TL_INLINE F32 Join(F32 a, F32 b) { return Mul(a, b); }
};
struct Maximum {
  static constexpr float kStart = -kInfinity;
  TL_INLINE F32 Step(F32 acc, F32 x) { return Max(acc, x); }
  TL_INLINE F32 Join(F32 a, F32 b) { return Max(a, b); }
};
struct Minimum {
  static constexpr float kStart = kInfinity;
  TL_INLINE F32 Step(F32 acc, F32 x) { return Min(acc, x); }
  TL_INLINE F32 Join(F32 a, F32 b) { return Min(a, b); }
};
struct SumAbs {
  static constexpr float kStart = 0.0f;
  TL_INLINE F32 Step(F32 acc, F32 x) { return Add(acc, Abs(x)); }
  TL_INLINE F32 Join(F32 a, F32 b) { return Add(a, b); }
};
struct SumSquare {
  static constexpr float kStart = 0.0f;
  TL_INLINE F32 Step(F32 acc, F32 x) { return Fma(x, x, acc); }
  TL_INLINE F32 Join(F32 a, F32 b) { return Add(a, b); }
};

template <typename Op>
void Rows(size_t rows, size_t n, const float* x, float* y) {
  for (size_t r = 0; r < rows; ++r, x += n) {
    Lanes16 acc = SplatLanes16(Op::kStart);
    size_t i = 0;
    for (; i + 16 <= n; i += 16) {
      for (size_t j = 0; j < Lanes16::kVectors; ++j) acc.v[j] = Op::Step(acc.v[j], Load(x + i + j * kLanes));
    }
    if (i < n) {  // lanes past the end take the start value, which changes no result
      const Lanes16 last = LoadLanes16Partial(x + i, n - i, Op::kStart);
      for (size_t j = 0; j < Lanes16::kVectors; ++j) acc.v[j] = Op::Step(acc.v[j], last.v[j]);
    }
    y[r] = ReduceLanes16(acc, Op::Join);
  }
}

template <typename Op>
void Columns(size_t n, size_t width, size_t stride, const float* x, float* y) {
  size_t c = 0;
  for (; c + 4 * kLanes <= width; c += 4 * kLanes) {
    F32 acc[4];
    for (size_t j = 0; j < 4; ++j) acc[j] = Splat(Op::kStart);
    for (size_t k = 0; k < n; ++k) {
      for (size_t j = 0; j < 4; ++j) acc[j] = Op::Step(acc[j], Load(x + k * stride + c + j * kLanes));
    }
    for (size_t j = 0; j < 4; ++j) Store(y + c + j * kLanes, acc[j]);
  }
  for (; c < width; c += kLanes) {
    const size_t left = width - c < kLanes ? width - c : kLanes;
    F32 acc = Splat(Op::kStart);
    for (size_t k = 0; k < n; ++k) acc = Op::Step(acc, LoadPartial(x + k * stride + c, left));
    StorePartial(y + c, acc, left);
  }
}

void RowsOf(Accumulation kind, size_t rows, size_t n, const float* x, float* y) {
  switch (kind) {
    case Accumulation::kSum:
      return Rows<Sum>(rows, n, x, y);
    case Accumulation::kProduct:
      return Rows<Product>(rows, n, x, y);
    case Accumulation::kMax:
      return Rows<Maximum>(rows, n, x, y);
    case Accumulation::kMin:
      return Rows<Minimum>(rows, n, x, y);
    case Accumulation::kSumAbs:
      return Rows<SumAbs>(rows, n, x, y);
    default:
      return Rows<SumSquare>(rows, n, x, y);
  }
}

void ColumnsOf(Accumulation kind, size_t n, size_t width, size_t stride, const float* x, float* y) {
  switch (kind) {
    case Accumulation::kSum:
      return Columns<Sum>(n, width, stride, x, y);
    case Accumulation::kProduct:
      return Columns<Product>(n, width, stride, x, y);
    case Accumulation::kMax:
      return Columns<Maximum>(n, width, stride, x, y);
    case Accumulation::kMin:
      return Columns<Minimum>(n, width, stride, x, y);
    case Accumulation::kSumAbs:
      return Columns<SumAbs>(n, width, stride, x, y);
    default:
      return Columns<SumSquare>(n, width, stride, x, y);
  }
}

constexpr ReduceKernels kReduce = {RowsOf, ColumnsOf};

}  // namespace
}  // namespace TL_ISA
}  // namespace tealight
