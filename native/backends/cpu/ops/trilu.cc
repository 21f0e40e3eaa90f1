// SPDX-License-Identifier: Apache-2.0
// Trilu of any dtype of whole bytes (sdk/tealight/ops/trilu.py): row by row, one copied and one cleared part.
#include "backends/cpu/operands.h"

namespace tealight {
namespace {

Status Prepare(OpContext& context) {
  const Tensor *x, *k;
  RETURN_IF_ERROR(PlainOperand(context, 0, "x", &x));
  if (context.input(1) != nullptr) RETURN_IF_ERROR(ScalarOperand(context, 1, "k", DType::kInt64, &k));
  if (x->shape.rank < 2) return context.Error(TL_ERROR_WRONG_SHAPE, "x: rank %d, expected 2 or more", x->shape.rank);
  return context.SetOutput(0, x->dtype, x->shape);
}

Status Run(OpContext& context) {
  const Tensor &x = *context.input(0), &y = *context.output(0);
  const bool upper = context.attributes<schema::Trilu>().upper();
  const int64_t rows = x.shape[x.shape.rank - 2], columns = x.shape.back();
  // y may lie on k, so k is read before anything is written.
  int64_t k = context.input(1) == nullptr ? 0 : *context.input(1)->As<int64_t>();
  k = k < -rows - 1 ? -rows - 1 : k;
  k = k > columns + 1 ? columns + 1 : k;
  const int64_t bytes = static_cast<int64_t>(DTypeSize(x.dtype)), pitch = columns * bytes;
  const size_t all = static_cast<size_t>(x.Elements() / columns);
  context.ParallelFor(all, GrainOf(pitch), [&](size_t, size_t begin, size_t end) {
    for (int64_t row = static_cast<int64_t>(begin); row < static_cast<int64_t>(end); ++row) {
      int64_t split = row % rows + k + (upper ? 0 : 1);  // upper keeps [split, columns), lower [0, split)
      split = split < 0 ? 0 : split > columns ? columns : split;
      const char* from = x.As<char>() + row * pitch;
      char* to = y.As<char>() + row * pitch;
      const int64_t keep = upper ? split : 0, kept = upper ? columns - split : split;
      if (to != from) memcpy(to + keep * bytes, from + keep * bytes, static_cast<size_t>(kept * bytes));
      memset(to + (upper ? 0 : split) * bytes, 0, static_cast<size_t>((columns - kept) * bytes));
    }
  });
  return Status::Ok();
}

}  // namespace

OpKernel Cpu_trilu() {
  OpKernel kernel = {Prepare, Run};
  kernel.in_place = true;
  return kernel;
}

}  // namespace tealight
