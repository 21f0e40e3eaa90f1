// SPDX-License-Identifier: Apache-2.0
// Expand of any dtype of whole bytes (sdk/tealight/ops/expand.py): one strided copy whose source stands still on the
// new dims.
#include "backends/cpu/copy_strided.h"
#include "backends/cpu/operands.h"

namespace tealight {
namespace {

Status Prepare(OpContext& context) {
  const Tensor *x, *wanted;
  RETURN_IF_ERROR(PlainOperand(context, 0, "x", &x));
  RETURN_IF_ERROR(IndexOperand(context, 1, "shape", &wanted));
  int64_t dims[kMaxRank];
  int count = 0;
  RETURN_IF_ERROR(context.ReadInts(1, dims, kMaxRank, &count));
  const int own_rank = x->shape.rank, rank = count > own_rank ? count : own_rank;
  Shape y;
  for (int i = 0; i < rank; ++i) {
    const int64_t own = i < rank - own_rank ? 1 : x->shape[i - (rank - own_rank)];
    const int64_t target = i < rank - count ? 1 : dims[i - (rank - count)];
    if (target < 0 || (own != target && own != 1 && target != 1)) {
      return context.Error(TL_ERROR_WRONG_SHAPE, "shape[%d]: %lld for a dim of %lld, expected 1 or the same",
                           i - (rank - count), static_cast<long long>(target), static_cast<long long>(own));
    }
    y.Append(own == 1 ? target : own);
  }
  return context.SetOutput(0, x->dtype, y);
}

Status Run(OpContext& context) {
  const Tensor &x = *context.input(0), &y = *context.output(0);
  int64_t from[kMaxRank], to[kMaxRank];
  StridedCopy copy;
  copy.run = static_cast<int64_t>(DTypeSize(x.dtype));
  DenseStrides(x.shape, copy.run, from);
  DenseStrides(y.shape, copy.run, to);
  const int lead = y.shape.rank - x.shape.rank;
  for (int i = 0; i < y.shape.rank; ++i) {
    const bool stands = i < lead || x.shape[i - lead] == 1;
    copy.Append(y.shape[i], stands ? 0 : from[i - lead], to[i]);
  }
  RunStridedCopy(context, copy, x.data, y.data);
  return Status::Ok();
}

}  // namespace

OpKernel Cpu_expand() {
  OpKernel kernel = {Prepare, Run};
  kernel.host_inputs = 1u << 1;
  return kernel;
}

}  // namespace tealight
