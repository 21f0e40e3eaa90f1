// SPDX-License-Identifier: Apache-2.0
// Sums and maxima of 8-bit integers over windows and runs, what integer pooling and reductions are made of. Sums are
// int32 and wrap around. The same bits on every path. A kernel allocates nothing and keeps no state.
#ifndef TEALIGHT_KERNELS_QPOOL_QPOOL_H_
#define TEALIGHT_KERNELS_QPOOL_QPOOL_H_

#include <stddef.h>
#include <stdint.h>

#include "base/cpu_features.h"
#include "kernels/requantize.h"

namespace tealight {

// The taps of a window: element (r, q) lies r * row_stride + q * column_stride bytes on.
struct QWindow {
  ptrdiff_t rows = 0, columns = 0;
  ptrdiff_t row_stride = 0, column_stride = 0;
};

struct QPoolKernels {
  /// sums[i] = sum over the window's taps of x[tap + i], i < n.
  void (*sum_window)(const int8_t* x, const QWindow& window, size_t n, int32_t* sums);
  /// Returns x[0] + ... + x[n - 1].
  int32_t (*sum_run)(const int8_t* x, size_t n);
  /// y[i] = requantize(sums[i] + offset, scale), i < n.
  void (*requantize)(const int32_t* sums, size_t n, int32_t offset, float scale, const Requantization& requantization,
                     int8_t* y);
  /// y[i] = max over the window's taps of x[tap + i], i < n; the least value where there are none.
  void (*max_window_s8)(const int8_t* x, const QWindow& window, size_t n, int8_t* y);
  void (*max_window_u8)(const uint8_t* x, const QWindow& window, size_t n, uint8_t* y);
};

/// scale / count in float32: the scale of a sum that is divided by `count` (0 for none).
float ScaleOfMean(float scale, int64_t count);

/// The kernels of a path that is compiled in.
const QPoolKernels* FindQPool(Isa isa);

const QPoolKernels* QPoolKernels_scalar();
const QPoolKernels* QPoolKernels_arm_neon();
const QPoolKernels* QPoolKernels_x86_avx2();
const QPoolKernels* QPoolKernels_x86_avx512();

}  // namespace tealight

#endif  // TEALIGHT_KERNELS_QPOOL_QPOOL_H_
