// SPDX-License-Identifier: Apache-2.0
// GatherElements of any dtype of whole bytes (sdk/tealight/ops/gather.py), row by row of the indices.
#include "backends/cpu/operands.h"

namespace tealight {
namespace {

struct State {
  int axis;
};

Status Prepare(OpContext& context) {
  const Tensor *x, *indices;
  RETURN_IF_ERROR(PlainOperand(context, 0, "x", &x));
  RETURN_IF_ERROR(IndexOperand(context, 1, "indices", &indices));
  int axis = 0;
  const int wanted = context.attributes<schema::GatherElements>().axis();
  RETURN_IF_ERROR(NormalAxis(context, "axis", wanted, x->shape.rank, &axis));
  bool fits = indices->shape.rank == x->shape.rank;
  for (int i = 0; fits && i < x->shape.rank; ++i) fits = i == axis || indices->shape[i] <= x->shape[i];
  if (!fits) {
    return context.Error(TL_ERROR_WRONG_SHAPE,
                         "indices: of another rank or larger than x, expected at most the dims of x");
  }
  context.state<State>()->axis = axis;
  return context.SetOutput(0, x->dtype, indices->shape);
}

// The items of one row of the indices; x points to the row's place in x at index 0 of the axis.
template <typename T>
void Row(const Tensor& indices, int64_t first, int64_t n, int64_t size, int64_t axis_stride, int64_t item_stride,
         const T* x, T* y, BadIndex* bad) {
  for (int64_t j = 0; j < n; ++j) {
    const int64_t index = bad->Resolve(IntAt(indices, first + j), size, first + j);
    if (index >= 0) y[j] = x[index * axis_stride + j * item_stride];
  }
}

template <typename T>
Status RunTyped(OpContext& context) {
  const Tensor &x = *context.input(0), &indices = *context.input(1), &y = *context.output(0);
  const int axis = context.state<State>()->axis, last = x.shape.rank - 1;
  int64_t strides[kMaxRank];
  int64_t step = 1;
  for (int i = last; i >= 0; --i) {
    strides[i] = step;
    step *= x.shape[i];
  }
  const int64_t n = indices.shape[last], size = x.shape[axis];
  const int64_t item_stride = axis == last ? 0 : 1;
  BadIndex bad;
  context.ParallelFor(static_cast<size_t>(y.Elements() / n), GrainOf(n * 8), [&](size_t, size_t begin, size_t end) {
    for (int64_t row = static_cast<int64_t>(begin); row < static_cast<int64_t>(end); ++row) {
      int64_t rest = row, offset = 0;
      for (int i = last - 1; i >= 0; --i) {
        if (i != axis) offset += rest % indices.shape[i] * strides[i];
        rest /= indices.shape[i];
      }
      Row(indices, row * n, n, size, strides[axis], item_stride, x.As<T>() + offset, y.As<T>() + row * n, &bad);
    }
  });
  return bad.ToStatus(context, indices, size);
}

Status Run(OpContext& context) {
  const Tensor& y = *context.output(0);
  switch (DTypeSize(y.dtype)) {
    case 1:
      return RunTyped<uint8_t>(context);
    case 2:
      return RunTyped<uint16_t>(context);
    case 4:
      return RunTyped<uint32_t>(context);
    default:
      return RunTyped<uint64_t>(context);
  }
}

}  // namespace

OpKernel Cpu_gather_elements() { return {Prepare, Run}; }

}  // namespace tealight
