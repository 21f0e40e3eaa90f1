// SPDX-License-Identifier: Apache-2.0
// Softmax, layer and group normalization over float32. Sums along a contiguous row have 16 virtual lanes
// (reduce.h); sums down columns run in ascending order of the rows.
#ifndef TEALIGHT_KERNELS_NORMALIZE_NORMALIZE_H_
#define TEALIGHT_KERNELS_NORMALIZE_NORMALIZE_H_

#include <stddef.h>

#include "base/cpu_features.h"

namespace tealight {

struct NormalizeKernels {
  /// One row: e = 2^64 exp(x - max(x)), y = e * (1 / sum(e)); is_log: y = (x - max) - log(sum). y may be x.
  void (*softmax)(bool is_log, size_t n, const float* x, float* y);
  /// The same down each of n columns of `rows` rows, `stride` elements apart; scratch holds 2 n floats. y may be x.
  void (*softmax_columns)(bool is_log, size_t rows, size_t n, size_t stride, const float* x, float* y, float* scratch);
  /// One row: d = x - mean (x for rms), y = d * (1 / sqrt(mean(d^2) + epsilon)), then fma(y, scale, bias), a product
  /// or a sum where one of them is null. y may be x.
  void (*layer_norm)(bool rms, float epsilon, size_t n, const float* x, const float* scale, const float* bias,
                     float* y);
  /// sums[i] = sum over rows of x[r * n + i], or of (x[r * n + i] - mean[i])^2 when mean is not null.
  void (*column_sums)(size_t rows, size_t n, const float* x, const float* mean, float* sums);
  /// y[r * n + i] = fma(x[r * n + i] - mean[i], scale[i], bias[i]). y may be x.
  void (*affine)(size_t rows, size_t n, const float* x, const float* mean, const float* scale, const float* bias,
                 float* y);
};

/// The kernels of one path, which must be compiled in.
const NormalizeKernels* FindNormalize(Isa isa);

}  // namespace tealight

#endif  // TEALIGHT_KERNELS_NORMALIZE_NORMALIZE_H_
