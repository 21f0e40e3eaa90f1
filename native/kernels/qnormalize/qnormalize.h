// SPDX-License-Identifier: Apache-2.0
// Softmax and normalisation of int8: the kernel family behind q_softmax, q_layer_norm and q_group_norm. Sums are
// integers, hence exact in any order; what follows them is one sequence of IEEE operations, the same on every path.
#ifndef TEALIGHT_KERNELS_QNORMALIZE_QNORMALIZE_H_
#define TEALIGHT_KERNELS_QNORMALIZE_QNORMALIZE_H_

#include <stddef.h>
#include <stdint.h>

#include "base/cpu_features.h"

namespace tealight {

// e[d] = round_half_even(65535 * exp(-x_scale * d)) for d = 0 .. 255, as bytes: entry 255 - d of each array, low bytes
// and high bytes. The entries past 255 are read (d below 0) but take no part. steps: of the result, in a probability
// of 1.
struct SoftmaxTable {
  uint8_t low[512], high[512];
  float e[256];  // the same numbers
  float steps;
  size_t first;  // a multiple of 64: the results of all entries before it are -128
};

/// Fills in a table from exp(-x_scale * d), d = 0 .. 255, NaN counts as 0; 1 <= steps <= 65536.
void FillSoftmaxTable(const float* exponentials, float steps, SoftmaxTable* table);

// Sequence of q_layer_norm over a row of n: with integers sum = sum(x), squares = sum(x^2), and in float64
//   mean = (sum - n * z) / n           variance = (n * squares - sum^2) / (n * n), one division each (rms: 0, and
//                                                 sum((x - z)^2) / n), z: x_zero_point
//   r = x_scale / sqrt(variance * (x_scale * x_scale) + epsilon)
// then in float32
//   t = fma(x, float(r), float(-(mean + z) * r))
//   y = rint(clamp(fma(t, scale, bias + zero_point), lo, hi)), NaN becomes lo
struct QLayerNormArgs {
  int32_t x_zero_point;
  float x_scale, epsilon;
  bool rms;
  int32_t zero_point, lo, hi;
};

// Longest row or group: n * squares stays within int64.
constexpr int64_t kMaxNormalized = 8 << 20;

struct QNormalizeKernels {
  /// y[i] = min(rint(e[max - x[i]] * (steps / sum of them)), 255) - 128, float32; n >= 1. y may be x.
  /// scratch: QSoftmaxScratchBytes(n), 64-byte aligned.
  void (*softmax)(const SoftmaxTable& table, size_t n, const int8_t* x, void* scratch, int8_t* y);
  /// Rows of q_layer_norm, x [rows, n], 1 <= n <= kMaxNormalized; scale and bias: [n] or null (1 and 0). y may be x.
  void (*layer_norm)(const QLayerNormArgs& args, size_t rows, size_t n, const int8_t* x, const float* scale,
                     const float* bias, int8_t* y);
  /// sums[j] = sum over rows of x[r, j], squares[j] of their squares; x [rows, n], rows <= 65536.
  void (*column_sums)(size_t rows, size_t n, const int8_t* x, int32_t* sums, int32_t* squares);
  /// y[r, j] = rint(clamp(fma(x[r, j], factor[j], offset[j]), lo, hi)), NaN becomes lo. y may be x.
  void (*affine)(size_t rows, size_t n, const int8_t* x, const float* factor, const float* offset, int lo, int hi,
                 int8_t* y);
};

/// Low and high bytes and the float32 of n entries, each padded to whole vectors; or a table of 256 results and as many
/// bytes that are read past it.
constexpr size_t QSoftmaxScratchBytes(size_t n) { return n <= 64 ? 512 : (n + 63) / 64 * 64 * 6; }

/// r and mean of QLayerNormArgs for n elements with these sums.
struct NormFactor {
  double r, mean;
};
NormFactor NormFactorOf(const QLayerNormArgs& args, int64_t n, int64_t sum, int64_t squares);

/// The kernels of one path, which must be compiled in.
const QNormalizeKernels* FindQNormalize(Isa isa);

}  // namespace tealight

#endif  // TEALIGHT_KERNELS_QNORMALIZE_QNORMALIZE_H_
