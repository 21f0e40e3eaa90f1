// SPDX-License-Identifier: Apache-2.0
// What the norms share: their operands scale and bias, and how group norms cut channels-last samples into blocks.
#ifndef TEALIGHT_BACKENDS_CPU_NORM_OPERANDS_H_
#define TEALIGHT_BACKENDS_CPU_NORM_OPERANDS_H_

#include "runtime/op.h"

namespace tealight {

/// Checks operands 1 and 2, scale and bias: n float32 each, or absent.
inline Status CheckNormOperands(const OpContext& context, int64_t n) {
  for (int i = 1; i < 3; ++i) {
    const Tensor* p = context.input(i);
    if (p == nullptr) continue;
    if (p->dtype != DType::kFloat32 || p->layout != Layout::kPlain || p->Elements() != n) {
      return context.Error(TL_ERROR_WRONG_SHAPE, "%s: does not fit, expected %lld float32", i == 1 ? "scale" : "bias",
                           static_cast<long long>(n));
    }
  }
  return Status::Ok();
}

// Samples of [positions, channels], positions in blocks of kBlock.
template <size_t kBlock>
struct NormGroups {
  size_t samples, positions, channels, groups, blocks;

  size_t BlockRows(size_t block) const {
    const size_t left = positions - block * kBlock;
    return left < kBlock ? left : kBlock;
  }
};

/// Reads x [n, ..., c] of `dtype` (operand 0).
template <size_t kBlock>
Status ReadNormGroups(const OpContext& context, DType dtype, int num_groups, NormGroups<kBlock>* g) {
  const Tensor* x = context.input(0);
  if (x == nullptr || x->dtype != dtype || x->layout != Layout::kPlain || x->shape.rank < 2) {
    return context.Error(TL_ERROR_WRONG_DTYPE, "x: absent or another type, expected %s [n, ..., c]", DTypeName(dtype));
  }
  const int64_t c = x->shape.back();
  if (num_groups < 1 || c % num_groups != 0) {
    return context.Error(TL_ERROR_INVALID_ARGUMENT, "num_groups: %d, expected a divisor of %lld channels", num_groups,
                         static_cast<long long>(c));
  }
  g->samples = static_cast<size_t>(x->shape[0]);
  g->positions = static_cast<size_t>(x->shape.Product(1, x->shape.rank - 1));
  g->channels = static_cast<size_t>(c);
  g->groups = static_cast<size_t>(num_groups);
  g->blocks = (g->positions + kBlock - 1) / kBlock;
  return Status::Ok();
}

}  // namespace tealight

#endif  // TEALIGHT_BACKENDS_CPU_NORM_OPERANDS_H_
