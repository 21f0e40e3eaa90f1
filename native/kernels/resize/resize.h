// SPDX-License-Identifier: Apache-2.0
// Weighted sums of float32 rows and columns, what linear and cubic resampling are made of:
//
//   chain: acc = +0; for t < taps: acc = fma(weight[t], x[t], acc)
//
// One rounding per step, ascending taps: the same bits on every path. A kernel allocates nothing and keeps no state.
#ifndef TEALIGHT_KERNELS_RESIZE_RESIZE_H_
#define TEALIGHT_KERNELS_RESIZE_RESIZE_H_

#include <stddef.h>
#include <stdint.h>

#include "base/cpu_features.h"

namespace tealight {

struct ResizeKernels {
  /// y[i] = chain over rows[t][i], i < n.
  void (*rows)(const float* const* rows, const float* weight, size_t taps, size_t n, float* y);
  /// y[j * inner + i] = chain over x[index[j * taps + t] * inner + i] and weight[j * taps + t], j < n, i < inner.
  void (*columns)(const float* x, const int32_t* index, const float* weight, size_t taps, size_t n, size_t inner,
                  float* y);
};

/// Never null.
const ResizeKernels* FindResize(Isa isa);

const ResizeKernels* ResizeKernels_scalar();
const ResizeKernels* ResizeKernels_arm_neon();
const ResizeKernels* ResizeKernels_x86_avx2();
const ResizeKernels* ResizeKernels_x86_avx512();

}  // namespace tealight

#endif  // TEALIGHT_KERNELS_RESIZE_RESIZE_H_
