// SPDX-License-Identifier: Apache-2.0
// Split of any dtype of whole bytes (sdk/tealight/ops/split.py): one strided copy per result.
#include "backends/cpu/copy_strided.h"

namespace tealight {
namespace {

struct State {
  int axis;
};

Status Prepare(OpContext& context) {
  const Tensor* x = context.input(0);
  const auto& attributes = context.attributes<schema::Split>();
  if (x == nullptr || DTypeSize(x->dtype) == 0) {
    return context.Error(TL_ERROR_INVALID_BUNDLE, "x: absent or of 4 bits, expected a dtype of whole bytes");
  }
  const int rank = x->shape.rank;
  int axis = attributes.axis();
  if (axis < -rank || axis >= rank) {
    return context.Error(TL_ERROR_INVALID_BUNDLE, "axis: %d, expected in [%d, %d)", axis, -rank, rank);
  }
  axis = axis < 0 ? axis + rank : axis;
  const auto* sizes = attributes.sizes();
  const int count = sizes == nullptr ? 0 : static_cast<int>(sizes->size());
  if (count < context.num_outputs()) {
    return context.Error(TL_ERROR_INVALID_BUNDLE, "sizes: %d numbers, expected %d", count, context.num_outputs());
  }
  int64_t rest = x->shape[axis];
  for (int i = 0; i < count; ++i) {
    const int64_t part = sizes->Get(static_cast<flatbuffers::uoffset_t>(i));
    if (part < 0 || part > rest) {
      return context.Error(TL_ERROR_WRONG_SHAPE, "sizes: %lld, expected sizes that add up to %lld",
                           static_cast<long long>(part), static_cast<long long>(x->shape[axis]));
    }
    rest -= part;
    Shape y = x->shape;
    y[axis] = part;
    if (i < context.num_outputs()) RETURN_IF_ERROR(context.SetOutput(i, x->dtype, y));
  }
  if (rest != 0) {
    return context.Error(TL_ERROR_WRONG_SHAPE, "sizes: %lld left over, expected sizes that add up to %lld",
                         static_cast<long long>(rest), static_cast<long long>(x->shape[axis]));
  }
  context.state<State>()->axis = axis;
  return Status::Ok();
}

Status Run(OpContext& context) {
  const Tensor& x = *context.input(0);
  const auto* sizes = context.attributes<schema::Split>().sizes();
  const int axis = context.state<State>()->axis;
  const int64_t size = static_cast<int64_t>(DTypeSize(x.dtype));
  const int64_t outer = x.shape.Product(0, axis), row = x.shape.Product(axis, x.shape.rank) * size;
  const int64_t step = x.shape.Product(axis + 1, x.shape.rank) * size;
  int64_t offset = 0;
  for (int i = 0; i < context.num_outputs(); ++i) {
    StridedCopy copy;
    copy.run = sizes->Get(static_cast<flatbuffers::uoffset_t>(i)) * step;
    copy.Append(outer, row, copy.run);
    const Tensor* y = context.output(i);
    if (y != nullptr) RunStridedCopy(context, copy, x.As<char>() + offset, y->data);
    offset += copy.run;
  }
  return Status::Ok();
}

}  // namespace

OpKernel Cpu_split() { return {Prepare, Run}; }

}  // namespace tealight
