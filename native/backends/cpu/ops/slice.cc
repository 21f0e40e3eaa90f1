// SPDX-License-Identifier: Apache-2.0
// Slice of any dtype of whole bytes, steps of either sign (sdk/tealight/ops/slice.py): one strided copy.
#include "backends/cpu/copy_strided.h"

namespace tealight {
namespace {

struct State {
  int64_t first[kMaxRank];
  int64_t step[kMaxRank];
};

// Clamps the bounds of one axis as ONNX does. The intermediate values cannot overflow: size is the dim of a tensor
// that exists, and a bound that is out of range is replaced before it is subtracted.
void Bounds(int64_t size, int64_t start, int64_t end, int64_t step, int64_t* first, int64_t* count) {
  if (start < 0) start += size;
  if (end < 0) end += size;
  const int64_t low = step > 0 ? 0 : -1, high = step > 0 ? size : size - 1;
  start = start < 0 ? 0 : start;
  start = start > high ? high : start;
  end = end < low ? low : end;
  end = end > high ? high : end;
  *first = start;
  const int64_t span = step > 0 ? end - start : start - end;
  const uint64_t stride = step > 0 ? static_cast<uint64_t>(step) : 0 - static_cast<uint64_t>(step);
  *count = span <= 0 ? 0 : static_cast<int64_t>((static_cast<uint64_t>(span) - 1) / stride) + 1;
}

Status Prepare(OpContext& context) {
  const Tensor* x = context.input(0);
  if (x == nullptr || DTypeSize(x->dtype) == 0) {
    return context.Error(TL_ERROR_INVALID_BUNDLE, "x: absent or of 4 bits, expected a dtype of whole bytes");
  }
  int64_t values[4][kMaxRank];
  int counts[4] = {0, 0, 0, 0};
  for (int i = 0; i < 4; ++i) {
    if (context.input(i + 1) == nullptr) {
      if (i < 2) return context.Error(TL_ERROR_INVALID_BUNDLE, "operand %d: absent, expected starts and ends", i + 1);
      counts[i] = counts[0];
      for (int k = 0; k < counts[0]; ++k) values[i][k] = i == 2 ? k : 1;
      continue;
    }
    RETURN_IF_ERROR(context.ReadInts(i + 1, values[i], kMaxRank, &counts[i]));
    if (counts[i] != counts[0]) {
      return context.Error(TL_ERROR_WRONG_SHAPE, "operand %d: %d numbers, expected %d", i + 1, counts[i], counts[0]);
    }
  }
  State* state = context.state<State>();
  Shape y = x->shape;
  const int rank = y.rank;
  for (int d = 0; d < rank; ++d) {
    state->first[d] = 0;
    state->step[d] = 1;
  }
  uint32_t seen = 0;
  for (int k = 0; k < counts[0]; ++k) {
    const int64_t axis = values[2][k] < 0 ? values[2][k] + rank : values[2][k];
    if (axis < 0 || axis >= rank || ((seen >> axis) & 1u) != 0) {
      return context.Error(TL_ERROR_INVALID_ARGUMENT, "axes: %lld, expected different axes in [%d, %d)",
                           static_cast<long long>(values[2][k]), -rank, rank);
    }
    if (values[3][k] == 0) return context.Error(TL_ERROR_INVALID_ARGUMENT, "steps: 0, expected another number");
    seen |= 1u << axis;
    const int d = static_cast<int>(axis);
    state->step[d] = values[3][k];
    Bounds(x->shape[d], values[0][k], values[1][k], values[3][k], &state->first[d], &y[d]);
  }
  return context.SetOutput(0, x->dtype, y);
}

Status Run(OpContext& context) {
  const Tensor& x = *context.input(0);
  const Tensor& y = *context.output(0);
  const State& state = *context.state<State>();
  int64_t from[kMaxRank], to[kMaxRank], offset = 0;
  StridedCopy copy;
  copy.run = static_cast<int64_t>(DTypeSize(x.dtype));
  DenseStrides(x.shape, copy.run, from);
  DenseStrides(y.shape, copy.run, to);
  for (int d = 0; d < y.shape.rank; ++d) {
    offset += state.first[d] * from[d];
    // The step of a single element may be any number: it is never taken.
    copy.Append(y.shape[d], y.shape[d] == 1 ? 0 : state.step[d] * from[d], to[d]);
  }
  RunStridedCopy(context, copy, x.As<char>() + offset, y.data);
  return Status::Ok();
}

}  // namespace

OpKernel Cpu_slice() {
  OpKernel kernel = {Prepare, Run};
  kernel.host_inputs = 0x1e;  // starts, ends, axes, steps
  return kernel;
}

}  // namespace tealight
