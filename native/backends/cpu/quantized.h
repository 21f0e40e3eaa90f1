// SPDX-License-Identifier: Apache-2.0
// What the ops that end in requantized int8 share: the attribute tables Requantization and RescaledAdd, and the
// operands bias, scale, residual and table.
#ifndef TEALIGHT_BACKENDS_CPU_QUANTIZED_H_
#define TEALIGHT_BACKENDS_CPU_QUANTIZED_H_

#include <math.h>
#include <string.h>

#include "kernels/requantize.h"
#include "runtime/op.h"

namespace tealight {

/// Checks an integer that stands for an int8 value.
inline Status CheckInt8(const OpContext& context, const char* name, int32_t value) {
  if (value >= -128 && value <= 127) return Status::Ok();
  return context.Error(TL_ERROR_INVALID_BUNDLE, "%s: %d, expected in [-128, 127]", name, value);
}

/// Checks a factor or offset of rounding: what infinity times 0 is, the paths do not agree on.
inline Status CheckFinite(const OpContext& context, const char* name, float value) {
  if (isfinite(value)) return Status::Ok();
  return context.Error(TL_ERROR_INVALID_BUNDLE, "%s: %g, expected a finite number", name, static_cast<double>(value));
}

/// Reads `output`; an absent table has the defaults of the schema.
inline Status ReadRequantization(const OpContext& context, const schema::Requantization* table, Requantization* q) {
  *q = Requantization();
  if (table == nullptr) return Status::Ok();
  q->zero_point = table->zero_point();
  q->lo = table->lo();
  q->hi = table->hi();
  q->wide = table->wide();
  RETURN_IF_ERROR(CheckInt8(context, "output zero_point", q->zero_point));
  RETURN_IF_ERROR(CheckInt8(context, "output lo", q->lo));
  return CheckInt8(context, "output hi", q->hi);
}

/// Reads the addition of a residual, which may be absent where there is no residual.
inline Status ReadRescaledAdd(const OpContext& context, const schema::RescaledAdd* table, bool needed,
                              RescaledAdd* add) {
  *add = RescaledAdd();
  if (table == nullptr) {
    if (!needed) return Status::Ok();
    return context.Error(TL_ERROR_INVALID_BUNDLE, "residual_add: absent, expected its scales beside a residual");
  }
  add->a_scale = table->a_scale();
  add->b_scale = table->b_scale();
  add->offset = table->offset();
  add->lo = table->lo();
  add->hi = table->hi();
  RETURN_IF_ERROR(CheckFinite(context, "residual_add a_scale", add->a_scale));
  RETURN_IF_ERROR(CheckFinite(context, "residual_add b_scale", add->b_scale));
  RETURN_IF_ERROR(CheckFinite(context, "residual_add offset", add->offset));
  RETURN_IF_ERROR(CheckInt8(context, "residual_add lo", add->lo));
  return CheckInt8(context, "residual_add hi", add->hi);
}

/// Checks a per-channel constant of the layout pad_n32: bias (int32) or scale (finite float32) of n channels.
inline Status CheckChannels(const OpContext& context, const char* name, const Tensor* tensor, DType dtype, int64_t n,
                            int64_t groups) {
  if (tensor == nullptr || tensor->dtype != dtype || !tensor->is_constant || tensor->layout != Layout::kPadN32 ||
      tensor->layout_groups != groups || tensor->shape.rank != 1 || tensor->shape[0] != n) {
    return context.Error(TL_ERROR_WRONG_SHAPE, "%s does not fit, expected a constant %s [%lld], padded to 32", name,
                         DTypeName(dtype), static_cast<long long>(n));
  }
  if (dtype != DType::kFloat32) return Status::Ok();
  const float* values = tensor->As<float>();
  for (size_t i = 0; i < tensor->data_bytes / sizeof(float); ++i)
    RETURN_IF_ERROR(CheckFinite(context, name, values[i]));
  return Status::Ok();
}

/// Checks the table [256] of an op's int8 result, which may be absent.
inline Status CheckTable(const OpContext& context, const Tensor* table) {
  if (table != nullptr && (table->dtype != DType::kInt8 || table->layout != Layout::kPlain || table->shape.rank != 1 ||
                           table->shape[0] != 256)) {
    return context.Error(TL_ERROR_WRONG_SHAPE, "table of another shape or type, expected int8 [256]");
  }
  return Status::Ok();
}

// The operands and attributes of an op's int8 result.
struct QuantizedOutput {
  Requantization requantization;
  RescaledAdd add;
  bool has_residual = false;
  bool has_table = false;
};

/// Reads and checks them: residual (of the result's shape) is operand `residual`, the table [256] the one after it.
inline Status ReadQuantizedOutput(const OpContext& context, const schema::Requantization* output,
                                  const schema::RescaledAdd* residual_add, int residual, const Shape& shape,
                                  QuantizedOutput* result) {
  const Tensor* b = context.input(residual);
  const Tensor* table = context.input(residual + 1);
  result->has_residual = b != nullptr;
  result->has_table = table != nullptr;
  RETURN_IF_ERROR(ReadRequantization(context, output, &result->requantization));
  RETURN_IF_ERROR(ReadRescaledAdd(context, residual_add, result->has_residual, &result->add));
  if (b != nullptr && (b->dtype != DType::kInt8 || b->layout != Layout::kPlain || b->shape != shape)) {
    return context.Error(TL_ERROR_WRONG_SHAPE,
                         "residual of another shape or type, expected int8 of the result's shape");
  }
  RETURN_IF_ERROR(CheckTable(context, table));
  return Status::Ok();
}

}  // namespace tealight

#endif  // TEALIGHT_BACKENDS_CPU_QUANTIZED_H_
