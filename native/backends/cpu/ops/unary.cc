// SPDX-License-Identifier: Apache-2.0
// CPU unary: float32 by the elementwise kernels, other dtypes tile by tile in a wide type.
#include <string.h>

#include "backends/cpu/ops/convert.h"
#include "kernels/elementwise/scalar_math.h"
#include "runtime/op.h"

namespace tealight {
namespace {

static_assert(static_cast<int>(UnaryOp::kSquare) == static_cast<int>(schema::UnaryKind::square), "");
static_assert(static_cast<int>(UnaryOp::kErf) == static_cast<int>(schema::UnaryKind::erf), "");
static_assert(static_cast<int>(UnaryOp::kShrink) == static_cast<int>(schema::UnaryKind::shrink), "");

bool IsTest(UnaryOp op) { return op == UnaryOp::kIsNan || op == UnaryOp::kIsInf; }

bool Takes(UnaryOp op, DType dtype) {
  const Wide wide = WideOf(dtype);
  if (op > UnaryOp::kSquare || wide == Wide::kNone) return false;
  if (op == UnaryOp::kIdentity) return true;
  if (dtype == DType::kBool) return op == UnaryOp::kNot;
  if (wide == Wide::kFloat) return IsFloatUnary(op) || IsTest(op);
  if (wide == Wide::kDouble) return IsTest(op) || HasScalarUnary64(op);
  return op == UnaryOp::kAbs || op == UnaryOp::kNeg || op == UnaryOp::kSign || op == UnaryOp::kRelu ||
         op == UnaryOp::kSquare || op == UnaryOp::kBitwiseNot;
}

Status Prepare(OpContext& context) {
  const UnaryOp op = static_cast<UnaryOp>(context.attributes<schema::Unary>().kind());
  const Tensor* x = context.input(0);
  if (x == nullptr || x->layout != Layout::kPlain || !Takes(op, x->dtype)) {
    return context.Error(TL_ERROR_WRONG_DTYPE, "%s for kind %d, expected an operand of a dtype that it takes",
                         x == nullptr ? "none" : DTypeName(x->dtype), static_cast<int>(op));
  }
  context.RequestScratch(0, 2 * kTileBytes);
  return context.SetOutput(0, IsTest(op) ? DType::kBool : x->dtype, x->shape);
}

uint64_t Integer(UnaryOp op, uint64_t x, bool is_signed) {
  const bool negative = is_signed && static_cast<int64_t>(x) < 0;
  switch (op) {
    case UnaryOp::kAbs:
      return negative ? 0 - x : x;
    case UnaryOp::kNeg:
      return 0 - x;
    case UnaryOp::kSign:
      return negative ? ~uint64_t{0} : x != 0;
    case UnaryOp::kRelu:
      return negative ? 0 : x;
    case UnaryOp::kSquare:
      return x * x;
    case UnaryOp::kNot:
      return x == 0;
    default:
      return ~x;
  }
}

template <typename T>
void Test(UnaryOp op, bool low, bool high, const T* x, size_t n, uint8_t* y) {
  const T infinity = static_cast<T>(__builtin_inff());
  for (size_t i = 0; i < n; ++i) {
    const T v = x[i];
    y[i] = op == UnaryOp::kIsNan ? v != v : (low && v == -infinity) || (high && v == infinity);
  }
}

// n <= kTile elements from x to y.
void Tile(const ElementwiseKernels& kernels, const schema::Unary& attributes, DType dtype, const char* x, size_t n,
          char* y, char* scratch) {
  const UnaryOp op = static_cast<UnaryOp>(attributes.kind());
  const float alpha = attributes.alpha(), beta = attributes.beta();
  const Wide type = WideOf(dtype);
  const void* wide = Widen(kernels, dtype, x, n, scratch);
  void* out = scratch + kTileBytes;
  if (IsTest(op)) {
    uint8_t* flags = reinterpret_cast<uint8_t*>(y);
    if (type == Wide::kFloat) {
      Test(op, alpha != 0, beta != 0, static_cast<const float*>(wide), n, flags);
    } else {
      Test(op, alpha != 0, beta != 0, static_cast<const double*>(wide), n, flags);
    }
    return;
  }
  if (type == Wide::kFloat) {
    kernels.unary(op, alpha, beta, n, static_cast<const float*>(wide), static_cast<float*>(out));
  } else if (type == Wide::kDouble) {
    const double a = static_cast<double>(alpha), b = static_cast<double>(beta);
    for (size_t i = 0; i < n; ++i) {
      static_cast<double*>(out)[i] = ScalarUnary64(op, a, b, static_cast<const double*>(wide)[i]);
    }
  } else {
    for (size_t i = 0; i < n; ++i) {
      static_cast<uint64_t*>(out)[i] = Integer(op, static_cast<const uint64_t*>(wide)[i], type == Wide::kInt);
    }
  }
  Narrow(kernels, dtype, out, n, y);
}

Status Run(OpContext& context) {
  const schema::Unary& attributes = context.attributes<schema::Unary>();
  const UnaryOp op = static_cast<UnaryOp>(attributes.kind());
  const Tensor& x = *context.input(0);
  Tensor& y = *context.output(0);
  const ElementwiseKernels& kernels = *FindElementwise(context.isa());
  const size_t n = static_cast<size_t>(x.Elements());
  if (op == UnaryOp::kIdentity) {
    if (x.data != y.data && x.Bytes() != 0) memcpy(y.data, x.data, x.Bytes());
    return Status::Ok();
  }
  if (x.dtype == DType::kFloat32 && !IsTest(op)) {
    context.ParallelFor((n + kTile - 1) / kTile, 16, [&](size_t, size_t begin, size_t end) {
      const size_t first = begin * kTile, last = end * kTile < n ? end * kTile : n;
      kernels.unary(op, attributes.alpha(), attributes.beta(), last - first, x.As<float>() + first,
                    y.As<float>() + first);
    });
    return Status::Ok();
  }
  const size_t x_size = DTypeSize(x.dtype), y_size = DTypeSize(y.dtype);
  context.ParallelFor((n + kTile - 1) / kTile, 16, [&](size_t thread, size_t begin, size_t end) {
    for (size_t tile = begin; tile < end; ++tile) {
      const size_t at = tile * kTile, count = n - at < kTile ? n - at : kTile;
      Tile(kernels, attributes, x.dtype, x.As<char>() + at * x_size, count, y.As<char>() + at * y_size,
           static_cast<char*>(context.thread_scratch(thread)));
    }
  });
  return Status::Ok();
}

}  // namespace

OpKernel Cpu_unary() {
  OpKernel kernel;
  kernel.prepare = Prepare;
  kernel.run = Run;
  kernel.in_place = true;
  return kernel;
}

}  // namespace tealight
