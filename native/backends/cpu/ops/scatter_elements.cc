// SPDX-License-Identifier: Apache-2.0
// ScatterElements (sdk/tealight/ops/scatter.py). Threads share the positions off the axis, so that the updates of one
// element are always made by one thread in order.
#include "backends/cpu/operands.h"
#include "backends/cpu/ops/scatter.h"

namespace tealight {
namespace {

struct State {
  int axis;
  ScatterUpdate update;
};

Status Prepare(OpContext& context) {
  const auto& attributes = context.attributes<schema::ScatterElements>();
  State* state = context.state<State>();
  RETURN_IF_ERROR(PrepareScatter(context, attributes.reduction(), &state->update));
  const Shape &x = context.input(0)->shape, &indices = context.input(1)->shape;
  RETURN_IF_ERROR(NormalAxis(context, "axis", attributes.axis(), x.rank, &state->axis));
  bool fits = indices.rank == x.rank;
  for (int i = 0; fits && i < x.rank; ++i) fits = i == state->axis || indices[i] <= x[i];
  if (!fits) {
    return context.Error(TL_ERROR_WRONG_SHAPE,
                         "indices: of another rank or larger than x, expected at most the dims of x");
  }
  if (context.input(2)->shape != indices) {
    return context.Error(TL_ERROR_WRONG_SHAPE, "updates: of another shape, expected that of the indices");
  }
  return context.SetOutput(0, context.input(0)->dtype, x);
}

Status Run(OpContext& context) {
  const Tensor &x = *context.input(0), &indices = *context.input(1), &updates = *context.input(2);
  const Tensor& y = *context.output(0);
  const State state = *context.state<State>();
  CopyScattered(context, x, y);
  if (indices.Elements() == 0) return Status::Ok();
  const int axis = state.axis, last = x.shape.rank - 1;
  const int64_t bytes = static_cast<int64_t>(DTypeSize(x.dtype));
  int64_t strides[kMaxRank], step = 1;
  for (int i = last; i >= 0; --i) {
    strides[i] = step;
    step *= x.shape[i];
  }
  // An item is a set of the leading dims other than the axis; along the axis its rows follow each other in order.
  const int64_t n = indices.shape[axis], size = x.shape[axis];
  const int64_t width = axis == last ? 1 : indices.shape[last];
  const int64_t inner = indices.shape.Product(axis + 1, last + 1);  // between neighbours on the axis
  const int64_t items = indices.Elements() / n / width;
  BadIndex bad;
  context.ParallelFor(static_cast<size_t>(items), GrainOf(n * width * 8), [&](size_t, size_t begin, size_t end) {
    for (int64_t item = static_cast<int64_t>(begin); item < static_cast<int64_t>(end); ++item) {
      int64_t rest = item, to = 0, from = 0, from_step = indices.shape[last];
      for (int i = last - 1; i >= 0; --i) {
        if (i == axis) {
          from_step *= n;
          continue;
        }
        const int64_t at = rest % indices.shape[i];
        rest /= indices.shape[i];
        to += at * strides[i];
        from += at * from_step;
        from_step *= indices.shape[i];
      }
      for (int64_t k = 0; k < n; ++k) {
        for (int64_t j = 0; j < width; ++j) {
          const int64_t source = from + k * inner + j;
          const int64_t index = bad.Resolve(IntAt(indices, source), size, source);
          if (index < 0) continue;
          state.update(y.As<char>() + (to + index * strides[axis] + j) * bytes, updates.As<char>() + source * bytes, 1);
        }
      }
    }
  });
  return bad.ToStatus(context, indices, size);
}

}  // namespace

OpKernel Cpu_scatter_elements() { return {Prepare, Run}; }

}  // namespace tealight
