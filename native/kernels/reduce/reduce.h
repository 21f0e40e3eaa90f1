// SPDX-License-Identifier: Apache-2.0
// Reductions of float32: of contiguous rows, and of columns (an outer axis, vectorised over the inner one).
//
//   rows:    y[r] = f over x[r, 0 .. n)         16 virtual lanes (element i in lane i mod 16), then the fixed tree
//   columns: y[c] = f over k of x[k, c]         ascending k
// The accumulation is one of: sum + x, sum * x, Max, Min, sum + |x|, fma(x, x, sum). The caller finishes (mean, sqrt).
#ifndef TEALIGHT_KERNELS_REDUCE_REDUCE_H_
#define TEALIGHT_KERNELS_REDUCE_REDUCE_H_

#include <stddef.h>
#include <stdint.h>

#include "base/cpu_features.h"

namespace tealight {

enum class Accumulation : uint8_t { kSum = 0, kProduct, kMax, kMin, kSumAbs, kSumSquare };

struct ReduceKernels {
  /// x: [rows, n], one row after another.
  void (*rows)(Accumulation kind, size_t rows, size_t n, const float* x, float* y);
  /// x: [n, width], rows `stride` elements apart.
  void (*columns)(Accumulation kind, size_t n, size_t width, size_t stride, const float* x, float* y);
};

/// The kernels of one path, which must be compiled in.
const ReduceKernels* FindReduce(Isa isa);

}  // namespace tealight

#endif  // TEALIGHT_KERNELS_REDUCE_REDUCE_H_
