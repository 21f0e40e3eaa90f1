// SPDX-License-Identifier: Apache-2.0
// Weighted integer sums of rows and columns, what integer resampling is made of:
//
//   sum = sum over t < taps of weight[t] * x[t]     int32, wraps around;  y = saturate((sum + 2^(shift - 1)) >> shift)
//
// A kernel allocates nothing and keeps no state.
#ifndef TEALIGHT_KERNELS_QRESIZE_QRESIZE_H_
#define TEALIGHT_KERNELS_QRESIZE_QRESIZE_H_

#include <stddef.h>
#include <stdint.h>

#include "base/cpu_features.h"

namespace tealight {

struct QResizeKernels {
  /// sums[j * inner + i] = sum over x[index[j * taps + t] * inner + i] and weight[j * taps + t], j < n, i < inner.
  void (*columns_s8)(const int8_t* x, const int32_t* index, const int32_t* weight, size_t taps, size_t n, size_t inner,
                     int32_t* sums);
  void (*columns_s32)(const int32_t* x, const int32_t* index, const int32_t* weight, size_t taps, size_t n,
                      size_t inner, int32_t* sums);
  /// sums[i] = sum over rows[t][i], i < n.
  void (*rows_s8)(const int8_t* const* rows, const int32_t* weight, size_t taps, size_t n, int32_t* sums);
  void (*rows_s32)(const int32_t* const* rows, const int32_t* weight, size_t taps, size_t n, int32_t* sums);
  /// The same, rounded: shift >= 1.
  void (*round_rows_s32)(const int32_t* const* rows, const int32_t* weight, size_t taps, size_t n, int shift,
                         int8_t* y);
  /// y[i] = sums[i] rounded.
  void (*round)(const int32_t* sums, size_t n, int shift, int8_t* y);
};

/// The kernels of a path that is compiled in.
const QResizeKernels* FindQResize(Isa isa);

const QResizeKernels* QResizeKernels_scalar();
const QResizeKernels* QResizeKernels_arm_neon();
const QResizeKernels* QResizeKernels_x86_avx2();
const QResizeKernels* QResizeKernels_x86_avx512();

}  // namespace tealight

#endif  // TEALIGHT_KERNELS_QRESIZE_QRESIZE_H_
