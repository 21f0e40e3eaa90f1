// SPDX-License-Identifier: Apache-2.0
// Which axes of x a reduction walks over, and what remains of them: behind reduce and q_reduce.
#ifndef TEALIGHT_BACKENDS_CPU_REDUCED_AXES_H_
#define TEALIGHT_BACKENDS_CPU_REDUCED_AXES_H_

#include "runtime/op.h"

namespace tealight {

// A walk over some axes of a row-major tensor.
struct AxesWalk {
  int rank = 0;
  size_t dims[kMaxRank] = {};
  size_t strides[kMaxRank] = {};
  size_t count = 1;

  void Append(size_t dim, size_t stride) {
    dims[rank] = dim;
    strides[rank++] = stride;
    count *= dim;
  }
  /// Offset of the i-th element of the walk, the last axis fastest.
  size_t Offset(size_t i) const {
    size_t offset = 0;
    for (int k = rank; k-- > 0; i /= dims[k]) offset += i % dims[k] * strides[k];
    return offset;
  }
};

struct ReducedAxes {
  AxesWalk kept, reduced;
  bool together = false;  // the reduced axes are [outer, count, inner]
  size_t inner = 1;       // elements behind the last of them
};

/// Reads the axes (operand 1, absent for all) of a reduction of x and gives the result's shape.
inline Status ReadReducedAxes(const OpContext& context, const Shape& x, bool keepdims, ReducedAxes* axes, Shape* y) {
  const int rank = x.rank;
  uint32_t mask = (1u << rank) - 1u;
  if (context.input(1) != nullptr) {
    int64_t values[kMaxRank];
    int count = 0;
    RETURN_IF_ERROR(context.ReadInts(1, values, kMaxRank, &count));
    mask = 0;
    for (int i = 0; i < count; ++i) {
      const int64_t axis = values[i] < 0 ? values[i] + rank : values[i];
      if (axis < 0 || axis >= rank || (mask >> axis & 1u) != 0) {
        return context.Error(TL_ERROR_WRONG_SHAPE, "axis %lld, expected distinct axes in [%d, %d)",
                             static_cast<long long>(values[i]), -rank, rank);
      }
      mask |= 1u << axis;
    }
  }
  int first = rank, last = -1;
  for (int i = 0; i < rank; ++i) {
    const size_t dim = static_cast<size_t>(x[i]), stride = static_cast<size_t>(x.Product(i + 1, rank));
    if ((mask >> i & 1u) == 0) {
      axes->kept.Append(dim, stride);
      y->Append(x[i]);
      continue;
    }
    axes->reduced.Append(dim, stride);
    if (keepdims) y->Append(1);
    if (dim == 1) continue;  // matters to no layout
    first = i < first ? i : first;
    last = i;
  }
  axes->together = true;
  for (int i = first; i <= last; ++i) axes->together = axes->together && ((mask >> i & 1u) != 0 || x[i] == 1);
  axes->inner = last < 0 ? 1 : static_cast<size_t>(x.Product(last + 1, rank));
  return Status::Ok();
}

}  // namespace tealight

#endif  // TEALIGHT_BACKENDS_CPU_REDUCED_AXES_H_
