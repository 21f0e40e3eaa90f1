// SPDX-License-Identifier: Apache-2.0
// EyeLike (sdk/tealight/ops/generate.py).
#include "backends/cpu/operands.h"

namespace tealight {
namespace {

Status Prepare(OpContext& context) {
  const Tensor* x = context.input(0);
  if (x == nullptr || x->shape.rank != 2) return context.Error(TL_ERROR_INVALID_BUNDLE, "x: no matrix, expected one");
  const uint8_t wanted = context.attributes<schema::EyeLike>().dtype();
  const DType dtype = wanted == 0 ? x->dtype : static_cast<DType>(wanted);
  if (wanted > static_cast<uint8_t>(DType::kUint4) || DTypeSize(dtype) == 0) {
    return context.Error(TL_ERROR_INVALID_BUNDLE, "dtype: %d, expected one of whole bytes", wanted);
  }
  return context.SetOutput(0, dtype, x->shape);
}

// The number 1 as bits.
uint64_t OneOf(DType dtype) {
  switch (dtype) {
    case DType::kFloat32:
      return 0x3f800000;
    case DType::kFloat16:
      return 0x3c00;
    case DType::kBfloat16:
      return 0x3f80;
    case DType::kFloat64:
      return 0x3ff0000000000000;
    default:
      return 1;
  }
}

Status Run(OpContext& context) {
  const Tensor& y = *context.output(0);
  const int64_t rows = y.shape[0], columns = y.shape[1], k = context.attributes<schema::EyeLike>().k();
  const int64_t bytes = static_cast<int64_t>(DTypeSize(y.dtype));
  const uint64_t bits = OneOf(y.dtype);
  char one[8];
  memcpy(one, &bits, 8);  // little-endian: its first bytes are the number in any width
  memset(y.data, 0, y.Bytes());
  for (int64_t i = k < 0 ? -k : 0; i < rows && i + k < columns; ++i) {
    CopyItem(y.As<char>() + (i * columns + i + k) * bytes, one, bytes);
  }
  return Status::Ok();
}

}  // namespace

OpKernel Cpu_eye_like() { return {Prepare, Run}; }

}  // namespace tealight
