// SPDX-License-Identifier: Apache-2.0
// float32 depthwise convolution over channels-last images:
//
//   y[i, j, c] = clamp(chain(i, j, c) + residual[i, j, c])
//   chain: acc = bias[c] (or +0); for a < kh, for b < kw: acc = fma(x[i * sh - top + a * dh, j * sw - left + b * dw,
//   c],
//          weight[c, a, b], acc); a tap outside of the image is left out
//
// One rounding per step, taps in row-major order: the same bits on every path, however rows, columns and channels are
// cut into calls. Clamp is ClampMax(ClampMin(acc, lo), hi); -inf and +inf for none; hi is neither 0 nor NaN.
// A kernel allocates nothing and keeps no state.
#ifndef TEALIGHT_KERNELS_DWCONV_DWCONV_H_
#define TEALIGHT_KERNELS_DWCONV_DWCONV_H_

#include <stddef.h>
#include <stdint.h>

#include "base/cpu_features.h"

namespace tealight {

// Off in a selective build (TL_DEPTHWISE_5X5) whose bundles hold no such window: its tiles take 15 KB.
#ifdef TL_NO_DEPTHWISE_5X5
constexpr bool kHaveDepthwise5x5 = false;
#else
constexpr bool kHaveDepthwise5x5 = true;
#endif

struct DwconvArgs {
  const float* x = nullptr;         // one image [h, w, c]
  const float* weight = nullptr;    // dwconv_c16: [ceil(c / 16)][kh * kw][16]
  const float* bias = nullptr;      // [c], or null
  const float* residual = nullptr;  // one image [oh, ow, c], or null
  float* y = nullptr;               // one image [oh, ow, c]
  ptrdiff_t h = 0, w = 0, c = 0, oh = 0, ow = 0;
  int kh = 0, kw = 0, sh = 1, sw = 1, dh = 1, dw = 1, top = 0, left = 0;
  float lo = 0, hi = 0;
};

struct DwconvKernels {
  /// Lanes of a vector.
  size_t lanes;
  /// Output rows that share their loads: calls with a multiple of it are fastest.
  size_t rows;
  /// Computes output rows [row_begin, row_end), all columns, channels [c_begin, c_end); c_begin is a multiple of 16,
  /// c_end too or c. When c is no multiple of 16 the call that ends with it also writes up to 15 channels before
  /// c_begin: do not compute those at the same time.
  void (*run)(const DwconvArgs& args, ptrdiff_t row_begin, ptrdiff_t row_end, ptrdiff_t c_begin, ptrdiff_t c_end);
};

/// The kernels for a path on the core that calls; never null. Asks the system which core that is: call it once.
const DwconvKernels* FindDwconv(Isa isa);

const DwconvKernels* DwconvKernels_scalar();
const DwconvKernels* DwconvKernels_arm_neon();
const DwconvKernels* DwconvKernels_arm_neon_inorder();  // arm64
const DwconvKernels* DwconvKernels_x86_avx2();
const DwconvKernels* DwconvKernels_x86_avx512();

}  // namespace tealight

#endif  // TEALIGHT_KERNELS_DWCONV_DWCONV_H_
