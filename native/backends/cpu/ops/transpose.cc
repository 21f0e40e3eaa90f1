// SPDX-License-Identifier: Apache-2.0
// Transpose of any dtype of whole bytes (sdk/tealight/ops/transpose.py).
#include "backends/cpu/copy_strided.h"

namespace tealight {
namespace {

struct State {
  int perm[kMaxRank];
};

Status Prepare(OpContext& context) {
  const Tensor* x = context.input(0);
  const auto* perm = context.attributes<schema::Transpose>().perm();
  if (x == nullptr) return context.Error(TL_ERROR_INVALID_BUNDLE, "x: absent, expected a tensor");
  if (DTypeSize(x->dtype) == 0) {
    return context.Error(TL_ERROR_INVALID_BUNDLE, "x: %s, expected a dtype of whole bytes", DTypeName(x->dtype));
  }
  State* state = context.state<State>();
  const int rank = x->shape.rank;
  const bool reverse = perm == nullptr || perm->size() == 0;
  if (!reverse && static_cast<int>(perm->size()) != rank) {
    return context.Error(TL_ERROR_INVALID_BUNDLE, "perm: %d numbers, expected %d", static_cast<int>(perm->size()),
                         rank);
  }
  Shape y;
  uint32_t seen = 0;
  for (int i = 0; i < rank; ++i) {
    const int p = reverse ? rank - 1 - i : perm->Get(static_cast<flatbuffers::uoffset_t>(i));
    if (p < 0 || p >= rank || ((seen >> p) & 1u) != 0) {
      return context.Error(TL_ERROR_INVALID_BUNDLE, "perm: %d, expected each of 0 to %d once", p, rank - 1);
    }
    seen |= 1u << p;
    state->perm[i] = p;
    y.Append(x->shape[p]);
  }
  return context.SetOutput(0, x->dtype, y);
}

Status Run(OpContext& context) {
  const Tensor& x = *context.input(0);
  const Tensor& y = *context.output(0);
  const State& state = *context.state<State>();
  const int64_t size = static_cast<int64_t>(DTypeSize(x.dtype));
  int64_t from[kMaxRank], to[kMaxRank];
  DenseStrides(x.shape, size, from);
  DenseStrides(y.shape, size, to);
  StridedCopy copy;
  copy.run = size;
  for (int i = 0; i < y.shape.rank; ++i) copy.Append(y.shape[i], from[state.perm[i]], to[i]);
  RunStridedCopy(context, copy, x.data, y.data);
  return Status::Ok();
}

}  // namespace

OpKernel Cpu_transpose() { return {Prepare, Run}; }

}  // namespace tealight
