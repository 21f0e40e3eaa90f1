// SPDX-License-Identifier: Apache-2.0
// ScatterND (sdk/tealight/ops/scatter.py). Threads share the elements of a slice; each makes all updates in order.
#include "backends/cpu/operands.h"
#include "backends/cpu/ops/scatter.h"

namespace tealight {
namespace {

struct State {
  int depth;
  ScatterUpdate update;
};

Status Prepare(OpContext& context) {
  State* state = context.state<State>();
  RETURN_IF_ERROR(PrepareScatter(context, context.attributes<schema::ScatterNd>().reduction(), &state->update));
  const Shape &x = context.input(0)->shape, &indices = context.input(1)->shape, &updates = context.input(2)->shape;
  if (x.rank < 1 || indices.rank < 1 || indices.back() > x.rank) {
    return context.Error(TL_ERROR_WRONG_SHAPE, "indices: positions of %lld for x of rank %d, expected at most its rank",
                         static_cast<long long>(indices.back()), x.rank);
  }
  state->depth = static_cast<int>(indices.back());
  bool fits = updates.rank == indices.rank - 1 + x.rank - state->depth;
  for (int i = 0; fits && i < updates.rank; ++i) {
    fits = updates[i] == (i < indices.rank - 1 ? indices[i] : x[state->depth + i - (indices.rank - 1)]);
  }
  if (!fits) {
    return context.Error(TL_ERROR_WRONG_SHAPE,
                         "updates: of another shape, expected the dims of the positions and slices");
  }
  return context.SetOutput(0, context.input(0)->dtype, x);
}

Status Run(OpContext& context) {
  const Tensor &x = *context.input(0), &indices = *context.input(1), &updates = *context.input(2);
  const Tensor& y = *context.output(0);
  const State state = *context.state<State>();
  CopyScattered(context, x, y);
  const int64_t slice = x.shape.Product(state.depth, x.shape.rank);
  const int64_t tuples = indices.shape.Product(0, indices.shape.rank - 1);
  if (slice == 0 || tuples == 0) return Status::Ok();
  const int64_t bytes = static_cast<int64_t>(DTypeSize(x.dtype));
  BadIndex bad;
  context.ParallelFor(static_cast<size_t>(slice), GrainOf(tuples * bytes), [&](size_t, size_t begin, size_t end) {
    const int64_t first = static_cast<int64_t>(begin), n = static_cast<int64_t>(end) - first;
    for (int64_t t = 0; t < tuples; ++t) {
      int64_t offset = 0;
      bool good = true;
      for (int d = 0; d < state.depth; ++d) {
        const int64_t position = t * state.depth + d;
        const int64_t index = bad.Resolve(IntAt(indices, position), x.shape[d], position);
        good = good && index >= 0;
        offset = good ? offset * x.shape[d] + index : 0;
      }
      if (!good) continue;
      state.update(y.As<char>() + (offset * slice + first) * bytes, updates.As<char>() + (t * slice + first) * bytes,
                   n);
    }
  });
  const int64_t at = bad.found() ? bad.position() % state.depth : 0;
  return bad.ToStatus(context, indices, bad.found() ? x.shape[static_cast<int>(at)] : 0);
}

}  // namespace

OpKernel Cpu_scatter_nd() { return {Prepare, Run}; }

}  // namespace tealight
