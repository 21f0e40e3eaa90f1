// SPDX-License-Identifier: Apache-2.0
// CPU reshape: the same elements under another shape; nothing is copied when the result lies on the operand.
#include <string.h>

#include "runtime/op.h"

namespace tealight {
namespace {

Status Prepare(OpContext& context) {
  const Tensor* x = context.input(0);
  if (x == nullptr || context.input(1) == nullptr) {
    return context.Error(TL_ERROR_INVALID_BUNDLE, "%d operands, expected x and shape", context.num_inputs());
  }
  int64_t wanted[kMaxRank];
  int rank = 0;
  RETURN_IF_ERROR(context.ReadInts(1, wanted, kMaxRank, &rank));
  const bool allow_zero = context.attributes<schema::Reshape>().allow_zero();
  Shape shape;
  int inferred = -1;
  int64_t known = 1;
  for (int i = 0; i < rank; ++i) {
    int64_t dim = wanted[i];
    if (dim == 0 && !allow_zero) dim = i < x->shape.rank ? x->shape[i] : -2;
    if (dim < -1 || (dim == -1 && inferred >= 0)) {
      return context.Error(TL_ERROR_INVALID_BUNDLE, "shape[%d] is %lld, expected a dim or a single -1", i,
                           static_cast<long long>(wanted[i]));
    }
    if (dim == -1) {
      inferred = i;
    } else if (__builtin_mul_overflow(known, dim, &known)) {
      return context.Error(TL_ERROR_INVALID_BUNDLE, "shape has too many elements, expected fewer than 2^63");
    }
    shape.Append(dim);
  }
  const int64_t elements = x->Elements();
  if (inferred >= 0) shape[inferred] = known > 0 ? elements / known : 0;
  if (known * (inferred >= 0 ? shape[inferred] : 1) != elements) {
    return context.Error(TL_ERROR_WRONG_SHAPE, "operand of %lld elements, expected a multiple of %lld",
                         static_cast<long long>(elements), static_cast<long long>(known));
  }
  return context.SetOutput(0, x->dtype, shape);
}

Status Run(OpContext& context) {
  const Tensor* x = context.input(0);
  Tensor* y = context.output(0);
  if (y != nullptr && y->data != x->data && x->Bytes() != 0) memcpy(y->data, x->data, x->Bytes());
  return Status::Ok();
}

}  // namespace

OpKernel Cpu_reshape() {
  OpKernel kernel = {Prepare, Run};
  kernel.host_inputs = 1u << 1;
  kernel.in_place = true;
  return kernel;
}

}  // namespace tealight
