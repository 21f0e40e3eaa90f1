// SPDX-License-Identifier: Apache-2.0
// NonZero (sdk/tealight/ops/select.py): counts, then writes the positions.
#include "backends/cpu/operands.h"

namespace tealight {
namespace {

// Whether element i is not 0; -0 is 0, NaN is not.
bool IsSet(const Tensor& x, int64_t i) {
  switch (x.dtype) {
    case DType::kFloat32:
      return (x.As<uint32_t>()[i] & 0x7fffffffu) != 0;
    case DType::kFloat16:
    case DType::kBfloat16:
      return (x.As<uint16_t>()[i] & 0x7fff) != 0;
    case DType::kFloat64:
      return (x.As<uint64_t>()[i] & 0x7fffffffffffffffu) != 0;
    default:
      break;
  }
  switch (DTypeSize(x.dtype)) {
    case 1:
      return x.As<uint8_t>()[i] != 0;
    case 2:
      return x.As<uint16_t>()[i] != 0;
    case 4:
      return x.As<uint32_t>()[i] != 0;
    default:
      return x.As<uint64_t>()[i] != 0;
  }
}

Status Prepare(OpContext& context) {
  const Tensor* x;
  RETURN_IF_ERROR(PlainOperand(context, 0, "x", &x));
  return WantedResult(context, 0);
}

Status Run(OpContext& context) {
  const Tensor& x = *context.input(0);
  const int64_t elements = x.Elements();
  int64_t count = 0;
  for (int64_t i = 0; i < elements; ++i) count += IsSet(x, i) ? 1 : 0;
  Shape shape;
  shape.Append(x.shape.rank);
  shape.Append(count);
  RETURN_IF_ERROR(context.ResizeOutput(0, DType::kInt64, shape));
  int64_t* out = context.output(0)->As<int64_t>();
  int64_t found = 0;
  for (int64_t i = 0; i < elements && found < count; ++i) {
    if (!IsSet(x, i)) continue;
    int64_t rest = i;
    for (int d = x.shape.rank - 1; d >= 0; --d) {
      out[d * count + found] = rest % x.shape[d];
      rest /= x.shape[d];
    }
    ++found;
  }
  return Status::Ok();
}

}  // namespace

OpKernel Cpu_non_zero() {
  OpKernel kernel = {Prepare, Run};
  kernel.data_dependent = true;
  return kernel;
}

}  // namespace tealight
