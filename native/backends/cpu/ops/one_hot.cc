// SPDX-License-Identifier: Apache-2.0
// OneHot with values of any dtype of whole bytes (sdk/tealight/ops/one_hot.py).
#include "backends/cpu/operands.h"

namespace tealight {
namespace {

struct State {
  int axis;
};

// Index i as an integer; one that no depth can hold when it is no number or too large.
int64_t IndexAt(const Tensor& indices, int64_t i) {
  switch (indices.dtype) {
    case DType::kInt64:
    case DType::kInt32:
      return IntAt(indices, i);
    case DType::kInt8:
      return indices.As<int8_t>()[i];
    case DType::kUint8:
      return indices.As<uint8_t>()[i];
    default: {
      const float value = indices.As<float>()[i];
      return value > -9e18f && value < 9e18f ? static_cast<int64_t>(value) : INT64_MAX;
    }
  }
}

Status Prepare(OpContext& context) {
  const Tensor *indices, *depth, *values;
  RETURN_IF_ERROR(PlainOperand(context, 0, "indices", &indices));
  RETURN_IF_ERROR(IndexOperand(context, 1, "depth", &depth));
  RETURN_IF_ERROR(PlainOperand(context, 2, "values", &values));
  const DType dtype = indices->dtype;
  if (dtype != DType::kInt64 && dtype != DType::kInt32 && dtype != DType::kInt8 && dtype != DType::kUint8 &&
      dtype != DType::kFloat32) {
    return context.Error(TL_ERROR_INVALID_BUNDLE, "indices: %s, expected int32 or int64", DTypeName(dtype));
  }
  if (values->Elements() != 2) {
    return context.Error(TL_ERROR_INVALID_BUNDLE, "values: %lld elements, expected 2",
                         static_cast<long long>(values->Elements()));
  }
  if (indices->shape.rank >= kMaxRank) {
    return context.Error(TL_ERROR_INVALID_BUNDLE, "indices: rank %d, expected less than %d", indices->shape.rank,
                         kMaxRank);
  }
  int axis = 0, count = 0;
  RETURN_IF_ERROR(
      NormalAxis(context, "axis", context.attributes<schema::OneHot>().axis(), indices->shape.rank + 1, &axis));
  int64_t size = 0;
  RETURN_IF_ERROR(context.ReadInts(1, &size, 1, &count));
  if (count != 1 || size < 0) {
    return context.Error(TL_ERROR_WRONG_SHAPE, "depth: %lld, expected one number of at least 0",
                         static_cast<long long>(size));
  }
  Shape y;
  for (int i = 0; i <= indices->shape.rank; ++i) {
    y.Append(i == axis ? size : indices->shape[i < axis ? i : i - 1]);
  }
  context.state<State>()->axis = axis;
  return context.SetOutput(0, values->dtype, y);
}

Status Run(OpContext& context) {
  const Tensor &indices = *context.input(0), &values = *context.input(2), &y = *context.output(0);
  const int axis = context.state<State>()->axis;
  const int64_t depth = y.shape[axis], inner = y.shape.Product(axis + 1, y.shape.rank);
  const size_t bytes = DTypeSize(values.dtype);
  const int64_t row = static_cast<int64_t>(bytes);
  const int64_t outer = y.shape.Product(0, axis);
  context.ParallelFor(static_cast<size_t>(outer), GrainOf(depth * inner * row), [&](size_t, size_t begin, size_t end) {
    for (int64_t o = static_cast<int64_t>(begin); o < static_cast<int64_t>(end); ++o) {
      char* block = y.As<char>() + o * depth * inner * row;
      FillBytes(block, values.data, bytes, depth * inner);
      for (int64_t i = 0; i < inner; ++i) {
        int64_t index = IndexAt(indices, o * inner + i);
        index += index < 0 ? depth : 0;
        if (index >= 0 && index < depth) CopyItem(block + (index * inner + i) * row, values.As<char>() + row, row);
      }
    }
  });
  return Status::Ok();
}

}  // namespace

OpKernel Cpu_one_hot() {
  OpKernel kernel = {Prepare, Run};
  kernel.host_inputs = 1u << 1;
  return kernel;
}

}  // namespace tealight
