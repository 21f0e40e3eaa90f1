// SPDX-License-Identifier: Apache-2.0
// CPU binary: float32 by the elementwise kernels on operands as they lie, other dtypes tile by tile in a wide type.
#include <string.h>

#include "backends/cpu/broadcast.h"
#include "backends/cpu/ops/convert.h"
#include "kernels/elementwise/scalar_math.h"

namespace tealight {
namespace {

static_assert(static_cast<int>(BinaryOp::kPrelu) == static_cast<int>(schema::BinaryKind::prelu), "");
static_assert(static_cast<int>(BinaryOp::kEqual) == static_cast<int>(schema::BinaryKind::equal), "");
static_assert(static_cast<int>(BinaryOp::kShiftRight) == static_cast<int>(schema::BinaryKind::shift_right), "");

bool IsComparison(BinaryOp op) { return op >= BinaryOp::kEqual && op <= BinaryOp::kGreaterOrEqual; }
bool IsLogic(BinaryOp op) { return op >= BinaryOp::kAnd && op <= BinaryOp::kXor; }
bool IsBits(BinaryOp op) { return op >= BinaryOp::kBitwiseAnd && op <= BinaryOp::kShiftRight; }

bool Takes(BinaryOp op, DType dtype) {
  const Wide wide = WideOf(dtype);
  if (op > BinaryOp::kPrelu || wide == Wide::kNone) return false;
  if (dtype == DType::kBool) return op == BinaryOp::kEqual || IsLogic(op);
  return !IsLogic(op) && (!IsBits(op) || wide == Wide::kInt || wide == Wide::kUint);
}

Status Prepare(OpContext& context) {
  const schema::Binary& attributes = context.attributes<schema::Binary>();
  const BinaryOp op = static_cast<BinaryOp>(attributes.kind());
  const Tensor* operands[2] = {context.input(0), context.input(1)};
  for (const Tensor* t : operands) {
    if (t == nullptr || t->layout != Layout::kPlain) {
      return context.Error(TL_ERROR_INVALID_BUNDLE, "operand absent or packed, expected a and b");
    }
  }
  const DType dtype = operands[0]->dtype;
  if (dtype != operands[1]->dtype || !Takes(op, dtype)) {
    return context.Error(TL_ERROR_WRONG_DTYPE, "%s and %s for kind %d, expected two of a dtype that it takes",
                         DTypeName(dtype), DTypeName(operands[1]->dtype), static_cast<int>(op));
  }
  Shape shape;
  if (!BroadcastShapes(operands, 2, &shape)) {
    return context.Error(TL_ERROR_WRONG_SHAPE, "operands do not broadcast, expected shapes that do");
  }
  const DType result = IsComparison(op) ? DType::kBool : dtype;
  const schema::Activation* activation = attributes.activation();
  if (activation != nullptr && (result != DType::kFloat32 || !IsFloatUnary(static_cast<UnaryOp>(activation->kind())))) {
    return context.Error(TL_ERROR_INVALID_BUNDLE, "activation %d of a %s result, expected one over float32",
                         static_cast<int>(activation->kind()), DTypeName(result));
  }
  context.RequestScratch(0, 3 * kTileBytes);
  return context.SetOutput(0, result, shape);
}

template <typename T>
bool Compare(BinaryOp op, T a, T b) {
  switch (op) {
    case BinaryOp::kLess:
      return a < b;
    case BinaryOp::kLessOrEqual:
      return a <= b;
    case BinaryOp::kGreater:
      return a > b;
    case BinaryOp::kGreaterOrEqual:
      return a >= b;
    default:
      return a == b;
  }
}

uint64_t IntegerPow(uint64_t a, uint64_t b, bool negative) {
  if (negative) {  // truncated 1 / a^-b
    const bool minus_one = a == ~uint64_t{0};
    return a == 1 ? 1 : minus_one ? ((b & 1) != 0 ? a : 1) : 0;
  }
  uint64_t r = 1;
  for (; b != 0; b >>= 1, a *= a) {
    if ((b & 1) != 0) r *= a;
  }
  return r;
}

// Wraps around; bits: of the narrow type, for shifts.
template <typename T>
T Integer(BinaryOp op, T a, T b, unsigned bits) {
  constexpr bool is_signed = T(-1) < T(0);
  const uint64_t u = static_cast<uint64_t>(a), v = static_cast<uint64_t>(b);
  switch (op) {
    case BinaryOp::kAdd:
      return static_cast<T>(u + v);
    case BinaryOp::kSub:
      return static_cast<T>(u - v);
    case BinaryOp::kMul:
      return static_cast<T>(u * v);
    case BinaryOp::kDiv:
      if (b == 0) return 0;
      return is_signed && v == ~uint64_t{0} ? static_cast<T>(0 - u) : static_cast<T>(a / b);
    case BinaryOp::kPow:
      return static_cast<T>(IntegerPow(u, v, is_signed && b < T(0)));
    case BinaryOp::kMax:
      return b > a ? b : a;
    case BinaryOp::kMin:
      return b < a ? b : a;
    case BinaryOp::kMod:
    case BinaryOp::kFmod: {
      if (b == 0 || (is_signed && v == ~uint64_t{0})) return 0;
      const T r = static_cast<T>(a % b);
      return op == BinaryOp::kMod && r != 0 && (r < T(0)) != (b < T(0)) ? static_cast<T>(r + b) : r;
    }
    case BinaryOp::kAnd:
    case BinaryOp::kBitwiseAnd:
      return static_cast<T>(u & v);
    case BinaryOp::kOr:
    case BinaryOp::kBitwiseOr:
      return static_cast<T>(u | v);
    case BinaryOp::kXor:
    case BinaryOp::kBitwiseXor:
      return static_cast<T>(u ^ v);
    case BinaryOp::kShiftLeft:
      return v >= bits ? T(0) : static_cast<T>(u << v);
    case BinaryOp::kShiftRight:
      return v >= bits ? T(0) : static_cast<T>(a >> v);
    case BinaryOp::kPrelu:
      return a < T(0) ? static_cast<T>(u * v) : a;
    default:
      return 0;
  }
}

double Double(BinaryOp op, double a, double b) {
  switch (op) {
    case BinaryOp::kAdd:
      return a + b;
    case BinaryOp::kSub:
      return a - b;
    case BinaryOp::kMul:
      return a * b;
    case BinaryOp::kDiv:
      return a / b;
    case BinaryOp::kMax:
      return b > a || b != b ? b : a;
    case BinaryOp::kMin:
      return b < a || b != b ? b : a;
    case BinaryOp::kPrelu:
      return a < 0 ? a * b : a;
    default:
      return ScalarBinary64(op, a, b);
  }
}

// n <= kTile elements of a wide type; y is uint8_t for comparisons.
template <typename T, typename F>
void Tile(BinaryOp op, size_t n, const void* a, size_t a_col, const void* b, size_t b_col, void* y, const F& f) {
  const T* u = static_cast<const T*>(a);
  const T* v = static_cast<const T*>(b);
  if (IsComparison(op)) {
    for (size_t i = 0; i < n; ++i) static_cast<uint8_t*>(y)[i] = Compare(op, u[i * a_col], v[i * b_col]);
  } else {
    for (size_t i = 0; i < n; ++i) static_cast<T*>(y)[i] = f(u[i * a_col], v[i * b_col]);
  }
}

// One row of any dtype.
void GenericRow(const ElementwiseKernels& kernels, BinaryOp op, DType dtype, size_t n, const char* a, size_t a_col,
                const char* b, size_t b_col, char* y, char* scratch) {
  const size_t size = DTypeSize(dtype), out_size = IsComparison(op) ? 1 : size;
  const unsigned bits = static_cast<unsigned>(size) * 8;
  for (size_t at = 0; at < n; at += kTile) {
    const size_t count = n - at < kTile ? n - at : kTile;
    const void* u = Widen(kernels, dtype, a + at * a_col * size, a_col != 0 ? count : 1, scratch);
    const void* v = Widen(kernels, dtype, b + at * b_col * size, b_col != 0 ? count : 1, scratch + kTileBytes);
    void* out = scratch + 2 * kTileBytes;
    switch (WideOf(dtype)) {
      case Wide::kFloat:
        if (!IsComparison(op)) {
          kernels.binary(op, 1, count, {static_cast<const float*>(u), 0, a_col},
                         {static_cast<const float*>(v), 0, b_col}, static_cast<float*>(out));
        } else {
          Tile<float>(op, count, u, a_col, v, b_col, out, [](float p, float) { return p; });
        }
        break;
      case Wide::kDouble:
        Tile<double>(op, count, u, a_col, v, b_col, out, [op](double p, double q) { return Double(op, p, q); });
        break;
      case Wide::kInt:
        Tile<int64_t>(op, count, u, a_col, v, b_col, out,
                      [op, bits](int64_t p, int64_t q) { return Integer(op, p, q, bits); });
        break;
      default:
        Tile<uint64_t>(op, count, u, a_col, v, b_col, out,
                       [op, bits](uint64_t p, uint64_t q) { return Integer(op, p, q, bits); });
    }
    if (IsComparison(op)) {
      memcpy(y + at, out, count);
    } else {
      Narrow(kernels, dtype, out, count, y + at * out_size);
    }
  }
}

Status Run(OpContext& context) {
  const schema::Binary& attributes = context.attributes<schema::Binary>();
  const BinaryOp op = static_cast<BinaryOp>(attributes.kind());
  const schema::Activation* activation = attributes.activation();
  const ElementwiseKernels& kernels = *FindElementwise(context.isa());
  const Tensor* operands[2] = {context.input(0), context.input(1)};
  const DType dtype = operands[0]->dtype;
  const BroadcastLoop loop = MakeBroadcastLoop(operands, 2, context.output(0)->shape);
  const size_t a_row = loop.row_stride(0), a_col = loop.column_stride(0);
  const size_t b_row = loop.row_stride(1), b_col = loop.column_stride(1);
  if (dtype == DType::kFloat32 && IsFloatBinary(op)) {
    const float* a = operands[0]->As<float>();
    const float* b = operands[1]->As<float>();
    float* y = context.output(0)->As<float>();
    // With an activation: blocks that stay in the first level cache between the two passes.
    const size_t most = activation != nullptr ? 4096 : ~size_t{0};
    ForEachBroadcastBlock(context, loop, 2, most, [&](size_t, const BroadcastBlock& block) {
      float* out = y + block.out;
      kernels.binary(op, block.rows, block.columns, {a + block.offsets[0], a_row, a_col},
                     {b + block.offsets[1], b_row, b_col}, out);
      if (activation != nullptr) {
        kernels.unary(static_cast<UnaryOp>(activation->kind()), activation->alpha(), activation->beta(),
                      block.rows * block.columns, out, out);
      }
    });
    return Status::Ok();
  }
  const size_t size = DTypeSize(dtype), out_size = IsComparison(op) ? 1 : size;
  const char* a = operands[0]->As<char>();
  const char* b = operands[1]->As<char>();
  char* y = context.output(0)->As<char>();
  ForEachBroadcastBlock(context, loop, 2, ~size_t{0}, [&](size_t thread, const BroadcastBlock& block) {
    char* scratch = static_cast<char*>(context.thread_scratch(thread));
    for (size_t r = 0; r < block.rows; ++r) {
      GenericRow(kernels, op, dtype, block.columns, a + (block.offsets[0] + r * a_row) * size, a_col,
                 b + (block.offsets[1] + r * b_row) * size, b_col, y + (block.out + r * block.columns) * out_size,
                 scratch);
    }
  });
  return Status::Ok();
}

}  // namespace

OpKernel Cpu_binary() {
  OpKernel kernel;
  kernel.prepare = Prepare;
  kernel.run = Run;
  kernel.in_place = true;
  return kernel;
}

}  // namespace tealight
