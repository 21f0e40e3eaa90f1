// SPDX-License-Identifier: Apache-2.0
// ConstantOfShape with a value of any dtype of whole bytes (sdk/tealight/ops/generate.py).
#include "backends/cpu/operands.h"

namespace tealight {
namespace {

Status Prepare(OpContext& context) {
  const Tensor *shape, *value;
  RETURN_IF_ERROR(IndexOperand(context, 0, "shape", &shape));
  RETURN_IF_ERROR(PlainOperand(context, 1, "value", &value));
  if (value->Elements() != 1) {
    return context.Error(TL_ERROR_INVALID_BUNDLE, "value: %lld elements, expected 1",
                         static_cast<long long>(value->Elements()));
  }
  Shape y;
  RETURN_IF_ERROR(context.ReadInts(0, y.dims, kMaxRank, &y.rank));
  for (int i = 0; i < y.rank; ++i) {
    if (y[i] < 0) {
      return context.Error(TL_ERROR_WRONG_SHAPE, "shape[%d]: %lld, expected at least 0", i,
                           static_cast<long long>(y[i]));
    }
  }
  return context.SetOutput(0, value->dtype, y);
}

Status Run(OpContext& context) {
  const Tensor &value = *context.input(1), &y = *context.output(0);
  const size_t bytes = DTypeSize(y.dtype);
  char item[8];
  memcpy(item, value.data, bytes);
  context.ParallelFor(static_cast<size_t>(y.Elements()), 65536, [&](size_t, size_t begin, size_t end) {
    FillBytes(y.As<char>() + begin * bytes, item, bytes, static_cast<int64_t>(end - begin));
  });
  return Status::Ok();
}

}  // namespace

OpKernel Cpu_constant_of_shape() {
  OpKernel kernel = {Prepare, Run};
  kernel.host_inputs = 1u << 0;
  return kernel;
}

}  // namespace tealight
