// SPDX-License-Identifier: Apache-2.0
// GatherND of any dtype of whole bytes (sdk/tealight/ops/gather.py): one slice of x for each position.
#include "backends/cpu/operands.h"

namespace tealight {
namespace {

struct State {
  int batch_dims;
  int depth;
};

Status Prepare(OpContext& context) {
  const Tensor *x, *indices;
  RETURN_IF_ERROR(PlainOperand(context, 0, "x", &x));
  RETURN_IF_ERROR(IndexOperand(context, 1, "indices", &indices));
  const int batch_dims = context.attributes<schema::GatherNd>().batch_dims();
  const int rank = x->shape.rank, index_rank = indices->shape.rank;
  const int64_t depth = index_rank > 0 ? indices->shape[index_rank - 1] : -1;
  if (batch_dims < 0 || batch_dims >= rank || batch_dims >= index_rank || depth < 0 || depth > rank - batch_dims) {
    return context.Error(TL_ERROR_INVALID_BUNDLE,
                         "batch_dims: %d and positions of %lld for x of rank %d, expected positions that are in x",
                         batch_dims, static_cast<long long>(depth), rank);
  }
  const int after = batch_dims + static_cast<int>(depth);
  if (index_rank - 1 + rank - after > kMaxRank) {
    return context.Error(TL_ERROR_INVALID_BUNDLE, "result: rank %d, expected at most %d", index_rank - 1 + rank - after,
                         kMaxRank);
  }
  Shape y;
  for (int i = 0; i < index_rank - 1; ++i) {
    if (i < batch_dims && indices->shape[i] != x->shape[i]) {
      return context.Error(TL_ERROR_WRONG_SHAPE, "indices: dim %d is %lld, expected %lld as x has", i,
                           static_cast<long long>(indices->shape[i]), static_cast<long long>(x->shape[i]));
    }
    y.Append(indices->shape[i]);
  }
  for (int i = after; i < rank; ++i) y.Append(x->shape[i]);
  *context.state<State>() = {batch_dims, static_cast<int>(depth)};
  return context.SetOutput(0, x->dtype, y);
}

Status Run(OpContext& context) {
  const Tensor &x = *context.input(0), &indices = *context.input(1), &y = *context.output(0);
  const State state = *context.state<State>();
  const int first = state.batch_dims, after = first + state.depth;
  const int64_t row = x.shape.Product(after, x.shape.rank) * static_cast<int64_t>(DTypeSize(x.dtype));
  const int64_t batch = x.shape.Product(first, after) * row;
  const int64_t tuples = indices.shape.Product(0, indices.shape.rank - 1);
  const int64_t per_batch = indices.shape.Product(first, indices.shape.rank - 1);
  BadIndex bad;
  context.ParallelFor(static_cast<size_t>(tuples), GrainOf(row), [&](size_t, size_t begin, size_t end) {
    for (int64_t t = static_cast<int64_t>(begin); t < static_cast<int64_t>(end); ++t) {
      int64_t offset = 0;
      bool good = true;
      for (int d = 0; d < state.depth; ++d) {
        const int64_t size = x.shape[first + d];
        const int64_t position = t * state.depth + d;
        const int64_t index = bad.Resolve(IntAt(indices, position), size, position);
        good = good && index >= 0;
        offset = good ? offset * size + index : 0;
      }
      if (good) CopyItem(y.As<char>() + t * row, x.As<char>() + t / per_batch * batch + offset * row, row);
    }
  });
  const int64_t at = bad.found() ? bad.position() % state.depth : 0;
  return bad.ToStatus(context, indices, bad.found() ? x.shape[first + static_cast<int>(at)] : 0);
}

}  // namespace

OpKernel Cpu_gather_nd() { return {Prepare, Run}; }

}  // namespace tealight
