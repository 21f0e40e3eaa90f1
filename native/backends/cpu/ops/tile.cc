// SPDX-License-Identifier: Apache-2.0
// Tile of any dtype of whole bytes (sdk/tealight/ops/expand.py): for each position along the repeated axes, one
// strided copy of x. The repeats of the axis that comes first in memory are joined with what follows it.
#include "backends/cpu/copy_strided.h"
#include "backends/cpu/operands.h"

namespace tealight {
namespace {

struct State {
  int64_t repeats[kMaxRank];
};

Status Prepare(OpContext& context) {
  const Tensor *x, *repeats;
  RETURN_IF_ERROR(PlainOperand(context, 0, "x", &x));
  RETURN_IF_ERROR(IndexOperand(context, 1, "repeats", &repeats));
  State* state = context.state<State>();
  int count = 0;
  RETURN_IF_ERROR(context.ReadInts(1, state->repeats, kMaxRank, &count));
  if (count != x->shape.rank) {
    return context.Error(TL_ERROR_WRONG_SHAPE, "repeats: %d numbers, expected %d", count, x->shape.rank);
  }
  Shape y = x->shape;
  for (int i = 0; i < count; ++i) {
    if (state->repeats[i] < 0 || __builtin_mul_overflow(y[i], state->repeats[i], &y[i])) {
      return context.Error(TL_ERROR_WRONG_SHAPE, "repeats[%d]: %lld, expected a number of at least 0 that fits memory",
                           i, static_cast<long long>(state->repeats[i]));
    }
  }
  return context.SetOutput(0, x->dtype, y);
}

// y as [r0, d0, r1, d1, ...] has up to 16 dims, more than a copy takes: the dims of most repeats become dims of the
// copy until it is full, the others are walked here.
Status Run(OpContext& context) {
  const Tensor &x = *context.input(0), &y = *context.output(0);
  const State& state = *context.state<State>();
  const int rank = x.shape.rank;
  int64_t from[kMaxRank], to[kMaxRank];
  StridedCopy copy;
  copy.run = static_cast<int64_t>(DTypeSize(x.dtype));
  DenseStrides(x.shape, copy.run, from);
  DenseStrides(y.shape, copy.run, to);
  int64_t walked[kMaxRank], steps[kMaxRank], total = 1;
  int walks = 0, room = kMaxRank;
  for (int i = 0; i < rank; ++i) room -= x.shape[i] != 1 ? 1 : 0;
  for (int i = 0; i < rank; ++i) {
    if (state.repeats[i] != 1) {
      if (room > 0) {
        --room;
        copy.Append(state.repeats[i], 0, x.shape[i] * to[i]);
      } else {
        walked[walks] = state.repeats[i];
        steps[walks++] = x.shape[i] * to[i];
        total *= state.repeats[i];
      }
    }
    if (x.shape[i] != 1) copy.Append(x.shape[i], from[i], to[i]);
  }
  for (int64_t n = 0; n < total; ++n) {
    int64_t rest = n, offset = 0;
    for (int k = walks - 1; k >= 0; --k) {
      offset += rest % walked[k] * steps[k];
      rest /= walked[k];
    }
    RunStridedCopy(context, copy, x.data, y.As<char>() + offset);
  }
  return Status::Ok();
}

}  // namespace

OpKernel Cpu_tile() {
  OpKernel kernel = {Prepare, Run};
  kernel.host_inputs = 1u << 1;
  return kernel;
}

}  // namespace tealight
