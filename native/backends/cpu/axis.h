// SPDX-License-Identifier: Apache-2.0
// A shape seen around one axis: [outer, n, inner].
#ifndef TEALIGHT_BACKENDS_CPU_AXIS_H_
#define TEALIGHT_BACKENDS_CPU_AXIS_H_

#include "runtime/op.h"

namespace tealight {

struct AxisSplit {
  size_t outer = 1, n = 1, inner = 1;
  int axis = 0;  // in [0, rank)
};

/// Splits shape at axis, which counts from the end when negative; fails when it is out of range.
inline Status SplitAtAxis(const OpContext& context, const Shape& shape, int64_t axis, AxisSplit* split) {
  if (axis < -shape.rank || axis >= shape.rank) {
    return context.Error(TL_ERROR_WRONG_SHAPE, "axis %lld, expected in [%d, %d)", static_cast<long long>(axis),
                         -shape.rank, shape.rank);
  }
  split->axis = static_cast<int>(axis < 0 ? axis + shape.rank : axis);
  split->outer = static_cast<size_t>(shape.Product(0, split->axis));
  split->n = static_cast<size_t>(shape[split->axis]);
  split->inner = static_cast<size_t>(shape.Product(split->axis + 1, shape.rank));
  return Status::Ok();
}

}  // namespace tealight

#endif  // TEALIGHT_BACKENDS_CPU_AXIS_H_
