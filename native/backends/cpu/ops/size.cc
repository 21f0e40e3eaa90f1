// SPDX-License-Identifier: Apache-2.0
// Size (sdk/tealight/ops/shape.py): the number of elements.
#include "backends/cpu/operands.h"

namespace tealight {
namespace {

Status Prepare(OpContext& context) {
  if (context.input(0) == nullptr) return context.Error(TL_ERROR_INVALID_BUNDLE, "x: absent, expected an operand");
  return context.SetOutput(0, DType::kInt64, Shape());
}

Status Run(OpContext& context) {
  *context.output(0)->As<int64_t>() = context.input(0)->Elements();
  return Status::Ok();
}

}  // namespace

OpKernel Cpu_size() { return {Prepare, Run}; }

}  // namespace tealight
