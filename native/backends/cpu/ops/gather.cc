// SPDX-License-Identifier: Apache-2.0
// Gather of any dtype of whole bytes (sdk/tealight/ops/gather.py): rows of an embedding, or single elements.
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
  RETURN_IF_ERROR(WantedResult(context, 0));
  int axis = 0;
  RETURN_IF_ERROR(NormalAxis(context, "axis", context.attributes<schema::Gather>().axis(), x->shape.rank, &axis));
  if (x->shape.rank - 1 + indices->shape.rank > kMaxRank) {
    return context.Error(TL_ERROR_INVALID_BUNDLE,
                         "indices: rank %d for x of rank %d, expected a result of rank %d at most", indices->shape.rank,
                         x->shape.rank, kMaxRank);
  }
  Shape y;
  for (int i = 0; i < axis; ++i) y.Append(x->shape[i]);
  for (int i = 0; i < indices->shape.rank; ++i) y.Append(indices->shape[i]);
  for (int i = axis + 1; i < x->shape.rank; ++i) y.Append(x->shape[i]);
  context.state<State>()->axis = axis;
  return context.SetOutput(0, x->dtype, y);
}

Status Run(OpContext& context) {
  const Tensor &x = *context.input(0), &indices = *context.input(1), &y = *context.output(0);
  if (y.Elements() == 0) return Status::Ok();
  const int axis = context.state<State>()->axis;
  const int64_t count = indices.Elements(), size = x.shape[axis], outer = x.shape.Product(0, axis);
  const int64_t row = x.shape.Product(axis + 1, x.shape.rank) * static_cast<int64_t>(DTypeSize(x.dtype));
  const char* from = x.As<char>();
  char* to = y.As<char>();
  BadIndex bad;
  context.ParallelFor(static_cast<size_t>(outer * count), GrainOf(row), [&](size_t, size_t begin, size_t end) {
    int64_t block = static_cast<int64_t>(begin) / count, i = static_cast<int64_t>(begin) % count;
    char* out = to + static_cast<int64_t>(begin) * row;
    for (size_t item = begin; item < end; ++item, out += row) {
      const int64_t index = bad.Resolve(IntAt(indices, i), size, i);
      if (index >= 0) CopyItem(out, from + (block * size + index) * row, row);
      if (++i == count) {
        i = 0;
        ++block;
      }
    }
  });
  return bad.ToStatus(context, indices, size);
}

}  // namespace

OpKernel Cpu_gather() { return {Prepare, Run}; }

}  // namespace tealight
