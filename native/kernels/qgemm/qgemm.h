// SPDX-License-Identifier: Apache-2.0
// int8 matrix product of a few rows with packed columns, the inner part of the quantized convolutions, fully connected
// layers and matrix products:
//
//   sum(i, j) = bias[j] + row_offsets[i] - row_zero_points[i] * column_sum[j]
//             + sum over t < taps, k < run of lhs(t, i)[k] * rhs[t * run + k, j]            int32, wraps around
//
//   int8     y = requantize(sum, scale[j]); y = table[y + 128]; y = RescaledAdd(y, residual[i, j])
//   float32  y = fma(float(sum), row_scale[i] * scale[j], float_bias[j]) + residual[i, j]
//   int32    y = sum
//
// Absent (null) operands take no part: 0 for addends, 1 for row_scale. kernels/requantize.h has the two roundings. The
// same bits on every path, however rows and columns are cut into calls. A kernel allocates nothing, keeps no state, and
// touches no byte outside of the operands below.
#ifndef TEALIGHT_KERNELS_QGEMM_QGEMM_H_
#define TEALIGHT_KERNELS_QGEMM_QGEMM_H_

#include <stddef.h>
#include <stdint.h>

#include "base/cpu_features.h"
#include "kernels/requantize.h"

namespace tealight {

// Columns of one packed panel; layout gemm_n32k4 is [ceil(n / 32)]{int32 column sums [32], int8 [ceil(k / 4)][32][4]}.
constexpr size_t kQGemmPanel = 32;

/// Bytes of one panel of k rows.
constexpr size_t QGemmPanelBytes(size_t k) { return kQGemmPanel * 4 + (k + 3) / 4 * kQGemmPanel * 4; }

// Which of the three results dst gets.
enum class QGemmOutput : uint8_t { kInt8, kFloat32, kInt32 };

struct QGemmArgs {
  size_t taps = 1;                           // k = taps * run
  size_t run = 0;                            // bytes of each row pointer, a multiple of 4; what is past the real k is
                                             // any byte: it multiplies the zeros that the panel has there
  const void* rhs = nullptr;                 // the panel of column 0 of the call, gemm_n32k4, 4-byte aligned
  size_t rhs_panel_stride = 0;               // bytes from panel to panel: QGemmPanelBytes(k)
  size_t n = 0;                              // columns
  bool full_range = true;                    // rhs may hold -128; false where it does not, which is faster on NEON
  const int32_t* bias = nullptr;             // [n rounded up to 32] or null
  const int32_t* row_offsets = nullptr;      // [m] or null
  const int32_t* row_zero_points = nullptr;  // [m] or null
  const float* scale = nullptr;              // [n rounded up to 32]; null for int32
  QGemmOutput output = QGemmOutput::kInt8;
  void* dst = nullptr;             // [m, n] of the output's type
  size_t dst_stride = 0;           // elements
  const void* residual = nullptr;  // [m, n] of the output's type or null; may be dst; int8 and float32 only
  size_t residual_stride = 0;      // elements
  // int8
  Requantization requantization;
  RescaledAdd add;                // of the residual: a is y, b is the residual
  const int8_t* table = nullptr;  // [256] or null
  // float32
  const float* row_scale = nullptr;   // [m] or null
  const float* float_bias = nullptr;  // [n] or null
};

struct QGemmKernels {
  /// The most rows of one call.
  size_t max_rows;
  /// Computes m <= max_rows rows; rows[t * m + i] is lhs(t, i), `run` readable bytes.
  void (*tile)(const int8_t* const* rows, size_t m, const QGemmArgs& args);
};

// No kernel takes more rows.
constexpr size_t kQGemmMaxRows = 32;

/// Returns the kernels of a path that is compiled in, the best of it for n columns on this core. Asks the system about
/// the core on arm64: call it in Prepare.
const QGemmKernels* FindQGemm(Isa isa, size_t n);

/// Packs columns [begin, end) of panels of b into gemm_n32k4 with their sums: dst [ceil(n / 32)] panels, zeros past n
/// and k. b is [k, n] with row stride `stride`, or [n, k] when transposed.
void QGemmPackRhs(const int8_t* b, size_t stride, bool transposed, size_t k, size_t n, size_t panel_begin,
                  size_t panel_end, void* dst);

/// sums[i] = the sum of all bytes of row i: rows as of a tile, taps * run bytes each.
void QGemmRowSums(const int8_t* const* rows, size_t m, size_t taps, size_t run, int32_t* sums);

}  // namespace tealight

#endif  // TEALIGHT_KERNELS_QGEMM_QGEMM_H_
