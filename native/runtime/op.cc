// SPDX-License-Identifier: Apache-2.0
#include "runtime/op.h"

#include "runtime/executor.h"

namespace tealight {

Status OpContext::SetOutput(int i, DType dtype, const Shape& shape) {
  return output(i) == nullptr ? Status::Ok() : executor_->SetOutput(*this, i, dtype, shape);
}

Status OpContext::ResizeOutput(int i, DType dtype, const Shape& shape) {
  return output(i) == nullptr ? Status::Ok() : executor_->ResizeOutput(*this, i, dtype, shape);
}

Status OpContext::ReadInts(int i, int64_t* values, int capacity, int* count) const {
  const Tensor* tensor = input(i);
  if (tensor == nullptr) return Error(TL_ERROR_INVALID_BUNDLE, "operand %d is absent, expected integers", i);
  const int64_t elements = tensor->Elements();
  if (elements > capacity || tensor->layout != Layout::kPlain || (tensor->data == nullptr && elements > 0)) {
    return Error(TL_ERROR_INVALID_BUNDLE, "operand %d has %lld values, expected at most %d that are known", i,
                 static_cast<long long>(elements), capacity);
  }
  *count = static_cast<int>(elements);
  for (int j = 0; j < *count; ++j) {
    if (tensor->dtype == DType::kInt64) {
      values[j] = tensor->As<int64_t>()[j];
    } else if (tensor->dtype == DType::kInt32) {
      values[j] = tensor->As<int32_t>()[j];
    } else {
      return Error(TL_ERROR_INVALID_BUNDLE, "operand %d is %s, expected int64 or int32", i, DTypeName(tensor->dtype));
    }
  }
  return Status::Ok();
}

Shape OpContext::DeclaredShape(int i) const { return executor_->DeclaredShape(*this, i); }

Status OpContext::RunProgram(int program, const Tensor* inputs, int num_inputs, const Tensor** outputs,
                             int num_outputs) {
  return executor_->RunProgram(*this, program, inputs, num_inputs, outputs, num_outputs);
}

bool OpContext::ShouldStop() const { return executor_->control().ShouldStop(); }

Status OpContext::Error(tl_status code, const char* format, ...) const {
  char message[200];
  va_list args;
  va_start(args, format);
  vsnprintf(message, sizeof(message), format, args);
  va_end(args);
  return Status::Error(code, "%s '%.60s': %s", op_name_, name_, message);
}

}  // namespace tealight
