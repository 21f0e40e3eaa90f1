// SPDX-License-Identifier: Apache-2.0
// Float32 rows that are quantized to int8 while running, each by its own range (numerics.dynamic_params):
//
//   least, greatest: of the row and 0, NaN passed over; scale = (greatest - least) / 255, 1 where that is 0
//   zero_point = clamp(rint(-least / scale), 0, 255) - 128
//   q = rint(clamp(x / scale, -128 - zero_point, 127 - zero_point)) + zero_point, NaN as 0
//
// and the arguments that make float32 of their int8 products: fma(float(sum), row_scale * scale, bias) + residual.
#ifndef TEALIGHT_BACKENDS_CPU_DYNAMIC_ROWS_H_
#define TEALIGHT_BACKENDS_CPU_DYNAMIC_ROWS_H_

#include <math.h>
#include <string.h>

#include "backends/cpu/qgemm_rows.h"
#include "kernels/qelementwise/qelementwise.h"

namespace tealight {

struct RowQuantization {
  float scale;
  int32_t zero_point;
};

inline RowQuantization QuantizationOf(float least, float greatest) {
  float scale = (greatest - least) / 255.0f;
  if (scale == 0.0f) scale = 1.0f;
  const float steps = rintf(-least / scale);  // NaN where both are infinite
  const int32_t zero_point = steps >= 255.0f ? 255 : steps >= 0.0f ? static_cast<int32_t>(steps) : 0;
  return {scale, zero_point - 128};
}

/// Quantizes n elements by their own range.
inline RowQuantization QuantizeRow(const QElementwiseKernels& kernels, size_t n, const float* x, int8_t* q) {
  float least = 0, greatest = 0;
  kernels.range(n, x, &least, &greatest);
  const RowQuantization row = QuantizationOf(least, greatest);
  kernels.quantize_s8(n, x, {&row.scale, &row.zero_point, 0}, -128, 127, q);
  return row;
}

// Quantized rows in memory of the op: bytes [m][stride], then scales [m], then zero points [m].
struct DynamicRows {
  size_t m = 0, k = 0;
  size_t run = 0;     // readable bytes of a row: k rounded up
  size_t stride = 0;  // bytes from row to row
  char* memory = nullptr;

  /// Rows of k elements for n columns; run_multiple: what run must divide by.
  static DynamicRows Plan(size_t m, size_t k, size_t n, size_t run_multiple) {
    DynamicRows rows;
    rows.m = m;
    rows.k = k;
    rows.run = CeilDiv(k, run_multiple) * run_multiple;
    rows.stride = CeilDiv(rows.run, 4) * 4 + (m > 1 && RowsCollide(rows.run / 4, n) ? 4 * kRowGap : 0);
    return rows;
  }
  size_t Bytes() const { return (m * (stride + sizeof(float) + sizeof(int32_t)) + 63) / 64 * 64; }
  int8_t* Row(size_t i) const { return reinterpret_cast<int8_t*>(memory) + i * stride; }
  float* Scales() const { return reinterpret_cast<float*>(memory + m * stride); }
  int32_t* ZeroPoints() const { return reinterpret_cast<int32_t*>(memory + m * (stride + sizeof(float))); }

  void Set(size_t i, const RowQuantization& q) const {
    Scales()[i] = q.scale;
    ZeroPoints()[i] = q.zero_point;
  }
  /// Quantizes row i from x [k].
  void Quantize(const QElementwiseKernels& kernels, size_t i, const float* x) const {
    Set(i, QuantizeRow(kernels, k, x, Row(i)));
  }
  /// Points at rows [begin, end), and the kernel at their scales and zero points.
  void Point(size_t begin, size_t end, const int8_t** rows, QGemmArgs* args) const {
    for (size_t i = begin; i < end; ++i) rows[i - begin] = Row(i);
    args->row_scale = Scales() + begin;
    args->row_zero_points = ZeroPoints() + begin;
  }
};

/// Quantizes all rows of x [m, k]: each by itself, or by the range of all of them.
inline void QuantizeRows(const OpContext& context, const float* x, bool per_row, const DynamicRows& rows) {
  const QElementwiseKernels& kernels = *FindQElementwise(context.isa());
  RowQuantization all = {1, 0};
  if (!per_row) {
    float least = 0, greatest = 0;
    kernels.range(rows.m * rows.k, x, &least, &greatest);
    all = QuantizationOf(least, greatest);
  }
  const size_t grain = 4096 / (rows.k + 1) + 1;
  context.ParallelFor(rows.m, grain, [&](size_t, size_t begin, size_t end) {
    for (size_t i = begin; i < end; ++i) {
      const float* row = x + i * rows.k;
      if (rows.run != rows.k) memset(rows.Row(i) + rows.k, 0, rows.run - rows.k);
      if (per_row) {
        rows.Quantize(kernels, i, row);
      } else {
        rows.Set(i, all);
        kernels.quantize_s8(rows.k, row, {&all.scale, &all.zero_point, 0}, -128, 127, rows.Row(i));
      }
    }
  });
}

/// The float32 bias [n] of the op, which may be absent.
inline Status CheckFloatBias(const OpContext& context, const Tensor* bias, int64_t n) {
  if (bias == nullptr || (bias->dtype == DType::kFloat32 && bias->layout == Layout::kPlain && bias->shape.rank == 1 &&
                          bias->shape[0] == n)) {
    return Status::Ok();
  }
  return context.Error(TL_ERROR_WRONG_SHAPE, "bias does not fit, expected float32 [%lld]", static_cast<long long>(n));
}

}  // namespace tealight

#endif  // TEALIGHT_BACKENDS_CPU_DYNAMIC_ROWS_H_
