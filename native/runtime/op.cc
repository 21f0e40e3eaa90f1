// SPDX-License-Identifier: Apache-2.0
#include "runtime/op.h"

namespace tealight {
Status OpContext::SetOutput(int, DType, const Shape&) { return Status::Error(TL_ERROR_RUNTIME, "not yet"); }
Status OpContext::ResizeOutput(int, DType, const Shape&) { return Status::Error(TL_ERROR_RUNTIME, "not yet"); }
Status OpContext::ReadInts(int, int64_t*, int, int*) const { return Status::Error(TL_ERROR_RUNTIME, "not yet"); }
Status OpContext::RunProgram(int, const Tensor*, int, const Tensor**, int) {
  return Status::Error(TL_ERROR_RUNTIME, "not yet");
}
bool OpContext::ShouldStop() const { return false; }

Status OpContext::Error(tl_status code, const char* format, ...) const {
  char message[200];
  va_list args;
  va_start(args, format);
  vsnprintf(message, sizeof(message), format, args);
  va_end(args);
  return Status::Error(code, "%s '%.60s': %s", op_name_, name_, message);
}

}  // namespace tealight
