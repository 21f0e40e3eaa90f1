// SPDX-License-Identifier: Apache-2.0
// float32 matrix product of a few rows with packed columns, the inner part of conv2d, fully_connected and matmul:
//
//   dst[i, j] = clamp(chain(i, j) + residual[i, j])
//   chain(i, j): acc = bias[j] (or +0); for t < taps, for k < run: acc = fma(lhs(t, i)[k], rhs[t * run + k, j], acc)
//
// One rounding per step, ascending k: the same bits on every path, however rows and columns are cut into calls.
// A kernel allocates nothing, keeps no state, and touches no byte outside of the operands below.
#ifndef TEALIGHT_KERNELS_GEMM_GEMM_H_
#define TEALIGHT_KERNELS_GEMM_GEMM_H_

#include <stddef.h>

#include "base/cpu_features.h"

namespace tealight {

// Columns of one packed panel; layout gemm_n16 is [ceil(n / 16)][k][16].
constexpr size_t kGemmPanel = 16;

struct GemmArgs {
  size_t taps = 1;                  // k = taps * run
  size_t run = 0;                   // contiguous elements of each row pointer
  const float* rhs = nullptr;       // column 0 of the call
  size_t rhs_panel_stride = 0;      // elements from one panel of 16 columns to the next
  size_t rhs_k_stride = 0;          // elements from k to k + 1: 16 when packed
  bool rhs_padded = true;           // the last panel has 16 readable columns; else only n % 16 are read
  size_t n = 0;                     // columns
  const float* bias = nullptr;      // [n] or null
  const float* residual = nullptr;  // [m, n] or null; may be dst
  size_t residual_stride = 0;       // elements
  float* dst = nullptr;             // [m, n]
  size_t dst_stride = 0;            // elements
  float lo = 0;                     // clamp(x) = ClampMax(ClampMin(x, lo), hi); -inf and +inf for none
  float hi = 0;
};

struct GemmKernels {
  /// The most rows of one call.
  size_t max_rows;
  /// Computes m <= max_rows rows; rows[t * m + i] is lhs(t, i), `run` readable elements.
  void (*tile)(const float* const* rows, size_t m, const GemmArgs& args);
};

// No kernel takes more rows.
constexpr size_t kGemmMaxRows = 16;

/// Returns the kernels of a path that is compiled in, the best of it for n columns on this core. Asks the system
/// about the core on arm64: call it in Prepare.
const GemmKernels* FindGemm(Isa isa, size_t n);

/// Packs columns [begin, end) of panels of b into gemm_n16: dst [ceil(n / 16)][k][16], zeros past n.
/// b is [k, n] with row stride `stride`, or [n, k] when transposed.
void GemmPackRhs(const float* b, size_t stride, bool transposed, size_t k, size_t n, size_t panel_begin,
                 size_t panel_end, float* dst);
/// dst [cols, rows] (row stride dst_stride) = src [rows, cols]^T (row stride src_stride).
void GemmTranspose(const float* src, size_t src_stride, size_t rows, size_t cols, float* dst, size_t dst_stride);

}  // namespace tealight

#endif  // TEALIGHT_KERNELS_GEMM_GEMM_H_
