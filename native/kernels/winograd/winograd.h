// SPDX-License-Identifier: Apache-2.0
// The transforms of Winograd's F(m x m, 3 x 3), m = 2 or 4, over channel vectors; between them stand (m + 2)^2
// matrix products of the gemm family.
//
//   v = B^T d B      d: (m + 2) x (m + 2) input pixels
//   s[p] = chain of fused multiply-adds over ascending input channels from +0 of v[p] * u[p]
//   y = A^T s A      then + bias, + residual, clamp
//   u = G g G^T      g: 3 x 3 weights. float32 weights come transformed in float64 and rounded once (layout
//                    winograd_n16); stored ones are transformed here, while running.
//
// Each transform here is done down the columns, then along the rows, by these sequences (one rounding per operation;
// fma(a, b, c) = a * b + c in one):
//   B, m = 2:  t0 = d0 - d2   t1 = d1 + d2   t2 = d2 - d1   t3 = d1 - d3
//   A, m = 2:  y0 = (s0 + s1) + s2           y1 = (s1 - s2) - s3
//   B, m = 4:  t0 = fma(4, d0, fma(-5, d2, d4))              t5 = fma(4, d1, fma(-5, d3, d5))
//              p = fma(-4, d2, d4)  q = fma(-4, d1, d3)      t1 = p + q   t2 = p - q
//              r = d4 - d2          w = d3 - d1              t3 = fma(2, w, r)   t4 = fma(-2, w, r)
//   A, m = 4:  a = s1 + s2  b = s1 - s2  c = s3 + s4  e = s3 - s4
//              y0 = (s0 + a) + c   y1 = fma(2, e, b)   y2 = fma(4, c, a)   y3 = fma(8, e, b) + s5
//   G, m = 2:  s = g0 + g2   u0 = g0   u1 = (s + g1) * 1/2   u2 = (s - g1) * 1/2   u3 = g2
//   G, m = 4:  s = g0 + g2   a = fma(4, g2, g0)              u0 = g0 * 1/4   u5 = g2
//              u1 = (s + g1) * -1/6   u2 = (s - g1) * -1/6
//              u3 = fma(2, g1, a) * 1/24   u4 = fma(-2, g1, a) * 1/24
#ifndef TEALIGHT_KERNELS_WINOGRAD_WINOGRAD_H_
#define TEALIGHT_KERNELS_WINOGRAD_WINOGRAD_H_

#include <stddef.h>

#include "base/cpu_features.h"

namespace tealight {

// Off in a selective build (TL_WINOGRAD) whose bundles hold no such convolution.
#ifdef TL_NO_WINOGRAD
constexpr bool kHaveWinograd = false;
#else
constexpr bool kHaveWinograd = true;
#endif

// Positions of the largest transform.
constexpr size_t kWinogradMaxPositions = 36;

// Where the m x m results of one tile go; the last tiles of a row or column keep fewer.
struct WinogradOutput {
  size_t rows, columns;  // <= m
  size_t channels;
  const float* bias;                 // [channels] or null
  float* dst;                        // pixel (0, 0)
  const float* residual;             // pixel (0, 0) or null; strides of dst
  size_t row_stride, column_stride;  // elements
  float lo, hi;                      // clamp, as in gemm.h
};

struct WinogradKernels {
  /// pixels: (m + 2)^2 pointers, row-major, to `channels` elements; v[p * stride + c] gets position p.
  void (*input)(int m, const float* const* pixels, size_t channels, float* v, size_t stride);
  /// s[p * stride + c] is the sum at position p.
  void (*output)(int m, const float* s, size_t stride, const WinogradOutput& output);
  /// One panel of 16 columns: g [9][channels][16], row-major; u[p * stride + (c * 16 + column)] gets position p.
  void (*weights)(int m, const float* g, size_t channels, float* u, size_t stride);
};

// Columns of a panel.
constexpr size_t kWinogradPanel = 16;

/// Returns the kernels of a path that is compiled in; null without kHaveWinograd.
const WinogradKernels* FindWinograd(Isa isa);

}  // namespace tealight

#endif  // TEALIGHT_KERNELS_WINOGRAD_WINOGRAD_H_
