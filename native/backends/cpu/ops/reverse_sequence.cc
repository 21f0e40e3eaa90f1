// SPDX-License-Identifier: Apache-2.0
// ReverseSequence of any dtype of whole bytes (sdk/tealight/ops/reverse_sequence.py).
#include "backends/cpu/operands.h"

namespace tealight {
namespace {

struct State {
  int batch;
  int time;
};

Status Prepare(OpContext& context) {
  const Tensor *x, *lens;
  RETURN_IF_ERROR(PlainOperand(context, 0, "x", &x));
  RETURN_IF_ERROR(TypedOperand(context, 1, "sequence_lens", DType::kInt64, &lens));
  const auto& attributes = context.attributes<schema::ReverseSequence>();
  State* state = context.state<State>();
  RETURN_IF_ERROR(NormalAxis(context, "batch_axis", attributes.batch_axis(), x->shape.rank, &state->batch));
  RETURN_IF_ERROR(NormalAxis(context, "time_axis", attributes.time_axis(), x->shape.rank, &state->time));
  if (state->batch == state->time) {
    return context.Error(TL_ERROR_INVALID_BUNDLE, "batch_axis: %d, expected another than time_axis", state->batch);
  }
  if (lens->Elements() != x->shape[state->batch]) {
    return context.Error(TL_ERROR_WRONG_SHAPE, "sequence_lens: %lld numbers, expected %lld",
                         static_cast<long long>(lens->Elements()), static_cast<long long>(x->shape[state->batch]));
  }
  return context.SetOutput(0, x->dtype, x->shape);
}

Status Run(OpContext& context) {
  const Tensor &x = *context.input(0), &y = *context.output(0);
  const State state = *context.state<State>();
  const int64_t* lens = context.input(1)->As<int64_t>();
  const int64_t batches = x.shape[state.batch], steps = x.shape[state.time];
  for (int64_t b = 0; b < batches; ++b) {
    if (lens[b] < 0 || lens[b] > steps) {
      return context.Error(TL_ERROR_RUNTIME, "length %lld at element %lld, expected in [0, %lld]",
                           static_cast<long long>(lens[b]), static_cast<long long>(b), static_cast<long long>(steps));
    }
  }
  // An item is what lies behind both axes; strides are in items.
  const int last = state.batch > state.time ? state.batch : state.time;
  const int64_t row = x.shape.Product(last + 1, x.shape.rank) * static_cast<int64_t>(DTypeSize(x.dtype));
  const int64_t batch_stride = x.shape.Product(state.batch + 1, last + 1);
  const int64_t time_stride = x.shape.Product(state.time + 1, last + 1);
  const size_t items = static_cast<size_t>(x.shape.Product(0, last + 1));
  context.ParallelFor(items, GrainOf(row), [&](size_t, size_t begin, size_t end) {
    for (int64_t item = static_cast<int64_t>(begin); item < static_cast<int64_t>(end); ++item) {
      const int64_t t = item / time_stride % steps, length = lens[item / batch_stride % batches];
      const int64_t from = t < length ? item + (length - 1 - 2 * t) * time_stride : item;
      CopyItem(y.As<char>() + item * row, x.As<char>() + from * row, row);
    }
  });
  return Status::Ok();
}

}  // namespace

OpKernel Cpu_reverse_sequence() { return {Prepare, Run}; }

}  // namespace tealight
