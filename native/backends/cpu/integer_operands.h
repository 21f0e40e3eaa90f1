// SPDX-License-Identifier: Apache-2.0
// The 8-bit operands and zero points of matmul_integer and conv_integer. uint8 operands are taken as int8: every value
// and zero point less 128.
#ifndef TEALIGHT_BACKENDS_CPU_INTEGER_OPERANDS_H_
#define TEALIGHT_BACKENDS_CPU_INTEGER_OPERANDS_H_

#include "runtime/op.h"

namespace tealight {

inline uint8_t FlipOf(const Tensor& tensor) { return tensor.dtype == DType::kUint8 ? 0x80 : 0; }

inline Status CheckByteOperand(const OpContext& context, const char* name, const Tensor* tensor) {
  if (tensor != nullptr && (tensor->dtype == DType::kInt8 || tensor->dtype == DType::kUint8) &&
      tensor->layout == Layout::kPlain) {
    return Status::Ok();
  }
  return context.Error(TL_ERROR_WRONG_DTYPE, "%s: %s, expected int8 or uint8", name,
                       tensor == nullptr ? "none" : DTypeName(tensor->dtype));
}

/// A zero point is absent (0), one value, or `many` along the rows or columns of its operand.
inline Status CheckZeroPoint(const OpContext& context, const char* name, const Tensor* zero_point,
                             const Tensor& operand, int64_t many) {
  if (zero_point == nullptr) return Status::Ok();
  const int64_t elements = zero_point->Elements();
  if (zero_point->dtype == operand.dtype && zero_point->layout == Layout::kPlain &&
      (elements == 1 || elements == many)) {
    return Status::Ok();
  }
  return context.Error(TL_ERROR_WRONG_SHAPE, "%s: %lld elements of %s, expected 1 or %lld of %s", name,
                       static_cast<long long>(elements), DTypeName(zero_point->dtype), static_cast<long long>(many),
                       DTypeName(operand.dtype));
}

/// Whether it is more than one value.
inline bool IsPerIndex(const Tensor* zero_point) { return zero_point != nullptr && zero_point->Elements() != 1; }

/// Value i of a zero point, of the operand taken as int8.
inline int32_t ZeroPointAt(const Tensor* zero_point, const Tensor& operand, size_t i) {
  const size_t at = IsPerIndex(zero_point) ? i : 0;
  if (operand.dtype == DType::kUint8) return (zero_point != nullptr ? zero_point->As<uint8_t>()[at] : 0) - 128;
  return zero_point != nullptr ? zero_point->As<int8_t>()[at] : 0;
}

/// a - b * c, wrapping around.
inline int32_t WrappingSubtractProduct(int32_t a, int32_t b, int32_t c) {
  return static_cast<int32_t>(static_cast<uint32_t>(a) - static_cast<uint32_t>(b) * static_cast<uint32_t>(c));
}

}  // namespace tealight

#endif  // TEALIGHT_BACKENDS_CPU_INTEGER_OPERANDS_H_
