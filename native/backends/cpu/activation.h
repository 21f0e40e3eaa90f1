// SPDX-License-Identifier: Apache-2.0
// The activation fused behind conv2d, fully_connected and the like: a clamp that the kernel applies in registers, or
// any other unary function, applied to finished results while they are in the cache.
#ifndef TEALIGHT_BACKENDS_CPU_ACTIVATION_H_
#define TEALIGHT_BACKENDS_CPU_ACTIVATION_H_

#include "kernels/elementwise/elementwise.h"
#include "runtime/op.h"

namespace tealight {

struct FusedActivation {
  float lo = -__builtin_inff();  // the clamp; infinite bounds change nothing
  float hi = __builtin_inff();
  UnaryOp after = UnaryOp::kIdentity;  // applied after the clamp when not kIdentity
  float alpha = 0;
  float beta = 0;

  /// y[r * stride + i], r < rows, i < n.
  void Apply(const ElementwiseKernels& kernels, float* y, size_t stride, size_t rows, size_t n) const {
    if (after == UnaryOp::kIdentity) return;
    if (stride == n) {
      kernels.unary(after, alpha, beta, rows * n, y, y);
      return;
    }
    for (size_t r = 0; r < rows; ++r) kernels.unary(after, alpha, beta, n, y + r * stride, y + r * stride);
  }
  /// The same with the clamp, for kernels that do not take it.
  void ApplyAll(const ElementwiseKernels& kernels, float* y, size_t stride, size_t rows, size_t n) const {
    if (lo > -__builtin_inff() || hi < __builtin_inff() || lo != lo || hi != hi) {
      FusedActivation clamp;
      clamp.after = UnaryOp::kClip;
      clamp.alpha = lo;
      clamp.beta = hi;
      clamp.Apply(kernels, y, stride, rows, n);
    }
    Apply(kernels, y, stride, rows, n);
  }
};

/// Reads an attribute that may be null (none).
inline Status ReadActivation(const OpContext& context, const schema::Activation* attribute, FusedActivation* result) {
  *result = FusedActivation();
  if (attribute == nullptr) return Status::Ok();
  const UnaryOp op = static_cast<UnaryOp>(attribute->kind());
  if (!IsFloatUnary(op)) {
    return context.Error(TL_ERROR_INVALID_BUNDLE, "activation %d, expected one that maps float32 to float32",
                         static_cast<int>(op));
  }
  if (op == UnaryOp::kRelu) {
    result->lo = 0;
  } else if (op == UnaryOp::kClip) {
    result->lo = attribute->alpha();
    result->hi = attribute->beta();
  } else {
    result->after = op;
    result->alpha = attribute->alpha();
    result->beta = attribute->beta();
  }
  return Status::Ok();
}

}  // namespace tealight

#endif  // TEALIGHT_BACKENDS_CPU_ACTIVATION_H_
