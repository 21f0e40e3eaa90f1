// SPDX-License-Identifier: Apache-2.0
// y = f(x) and y = f(a, b) over float32: the kernel family behind unary, binary, elementwise and every fused
// activation. Each function is one explicit sequence of IEEE operations, so all ISAs give the same bits; the bounds
// on its error are listed in math.h (vector functions) and scalar_math.h (the rare ones) and tested.
#ifndef TEALIGHT_KERNELS_ELEMENTWISE_ELEMENTWISE_H_
#define TEALIGHT_KERNELS_ELEMENTWISE_ELEMENTWISE_H_

#include <stddef.h>
#include <stdint.h>

#include "base/cpu_features.h"

namespace tealight {

// Values equal schema::UnaryKind.
enum class UnaryOp : uint8_t {
  kIdentity = 0,
  kAbs,
  kNeg,
  kSign,
  kFloor,
  kCeil,
  kRound,
  kSqrt,
  kRsqrt,
  kReciprocal,
  kExp,
  kLog,
  kLog1p,
  kExpm1,
  kSin,
  kCos,
  kTan,
  kAsin,
  kAcos,
  kAtan,
  kSinh,
  kCosh,
  kTanh,
  kAsinh,
  kAcosh,
  kAtanh,
  kErf,
  kSigmoid,
  kRelu,
  kClip,
  kLeakyRelu,
  kElu,
  kSelu,
  kCelu,
  kGelu,
  kGeluTanh,
  kSilu,
  kHardSigmoid,
  kHardSwish,
  kMish,
  kSoftplus,
  kSoftsign,
  kThresholdedRelu,
  kShrink,
  kNot,
  kBitwiseNot,
  kIsNan,
  kIsInf,
  kSquare
};

// Values equal schema::BinaryKind.
enum class BinaryOp : uint8_t {
  kAdd = 0,
  kSub,
  kMul,
  kDiv,
  kPow,
  kMax,
  kMin,
  kMod,
  kFmod,
  kEqual,
  kLess,
  kLessOrEqual,
  kGreater,
  kGreaterOrEqual,
  kAnd,
  kOr,
  kXor,
  kBitwiseAnd,
  kBitwiseOr,
  kBitwiseXor,
  kShiftLeft,
  kShiftRight,
  kPrelu
};

// A float32 operand of a binary kernel: element (r, i) is data[r * row + i * col]; col is 0 or 1.
struct Operand {
  const float* data;
  size_t row;
  size_t col;
};

struct ElementwiseKernels {
  /// y[i] = f(x[i]), i < n; y may be x. `kind` must satisfy IsFloatUnary.
  void (*unary)(UnaryOp kind, float alpha, float beta, size_t n, const float* x, float* y);
  /// y[r * n + i] = f(a(r, i), b(r, i)), r < rows, i < n; y may be the memory of an operand that has its shape.
  /// `kind` must satisfy IsFloatBinary.
  void (*binary)(BinaryOp kind, size_t rows, size_t n, Operand a, Operand b, float* y);
  /// y[i] = float32(x[i]) over IEEE float16.
  void (*from_half)(size_t n, const uint16_t* x, float* y);
  /// y[i] = float16(x[i]), round to nearest even.
  void (*to_half)(size_t n, const float* x, uint16_t* y);
};

/// Whether `kind` maps float32 to float32.
inline bool IsFloatUnary(UnaryOp kind) { return kind <= UnaryOp::kShrink || kind == UnaryOp::kSquare; }
/// Whether `kind` maps two float32 to float32.
inline bool IsFloatBinary(BinaryOp kind) { return kind <= BinaryOp::kFmod || kind == BinaryOp::kPrelu; }

/// The kernels of one path, which must be compiled in.
const ElementwiseKernels* FindElementwise(Isa isa);

}  // namespace tealight

#endif  // TEALIGHT_KERNELS_ELEMENTWISE_ELEMENTWISE_H_
