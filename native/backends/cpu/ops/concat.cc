// SPDX-License-Identifier: Apache-2.0
// Concat of any dtype of whole bytes (sdk/tealight/ops/concat.py): one strided copy per operand.
#include "backends/cpu/copy_strided.h"

namespace tealight {
namespace {

struct State {
  int axis;
};

Status Prepare(OpContext& context) {
  const Tensor* first = context.input(0);
  if (first == nullptr) return context.Error(TL_ERROR_INVALID_BUNDLE, "operands: 0, expected at least 1");
  if (DTypeSize(first->dtype) == 0) {
    return context.Error(TL_ERROR_INVALID_BUNDLE, "operand: %s, expected a dtype of whole bytes",
                         DTypeName(first->dtype));
  }
  Shape shape = first->shape;
  int axis = context.attributes<schema::Concat>().axis();
  if (axis < -shape.rank || axis >= shape.rank) {
    return context.Error(TL_ERROR_INVALID_BUNDLE, "axis: %d, expected in [%d, %d)", axis, -shape.rank, shape.rank);
  }
  axis = axis < 0 ? axis + shape.rank : axis;
  for (int i = 1; i < context.num_inputs(); ++i) {
    const Tensor* x = context.input(i);
    if (x == nullptr || x->dtype != first->dtype || x->shape.rank != shape.rank) {
      return context.Error(TL_ERROR_INVALID_BUNDLE, "operand %d: another dtype or rank, expected those of operand 0",
                           i);
    }
    for (int d = 0; d < shape.rank; ++d) {
      if (d != axis && x->shape[d] != shape[d]) {
        return context.Error(TL_ERROR_WRONG_SHAPE, "operand %d: %lld on axis %d, expected %lld", i,
                             static_cast<long long>(x->shape[d]), d, static_cast<long long>(shape[d]));
      }
    }
    if (__builtin_add_overflow(shape[axis], x->shape[axis], &shape[axis])) {
      return context.Error(TL_ERROR_INVALID_BUNDLE, "axis %d: too long, expected 64 bits", axis);
    }
  }
  context.state<State>()->axis = axis;
  return context.SetOutput(0, first->dtype, shape);
}

Status Run(OpContext& context) {
  const Tensor& y = *context.output(0);
  const int axis = context.state<State>()->axis;
  const int64_t size = static_cast<int64_t>(DTypeSize(y.dtype));
  const int64_t outer = y.shape.Product(0, axis), row = y.shape.Product(axis, y.shape.rank) * size;
  int64_t offset = 0;
  for (int i = 0; i < context.num_inputs(); ++i) {
    const Tensor& x = *context.input(i);
    StridedCopy copy;
    copy.run = x.shape.Product(axis, x.shape.rank) * size;
    copy.Append(outer, copy.run, row);
    RunStridedCopy(context, copy, x.data, y.As<char>() + offset);
    offset += copy.run;
  }
  return Status::Ok();
}

}  // namespace

OpKernel Cpu_concat() { return {Prepare, Run}; }

}  // namespace tealight
