// SPDX-License-Identifier: Apache-2.0
// What the ops on the int8 gemm share: cells of whole panels of 32 columns, rows brought to a multiple of 4 bytes, and
// the arguments of the kernel for one cell.
#ifndef TEALIGHT_BACKENDS_CPU_QGEMM_ROWS_H_
#define TEALIGHT_BACKENDS_CPU_QGEMM_ROWS_H_

#include "backends/cpu/gemm_grid.h"
#include "backends/cpu/quantized.h"
#include "kernels/qgemm/qgemm.h"

namespace tealight {

/// Cuts [m, k] x [k, n] as PlanGemmGrid; weights are a quarter of the bytes and products four times as fast.
inline GemmGrid PlanQGemmGrid(size_t m, size_t n, size_t k, size_t max_rows, size_t threads, double row_work = 1) {
  // The grid counts panels of 16: half as many of the double width, so that cells end at multiples of 32.
  GemmGrid grid = PlanGemmGrid(m, CeilDiv(n, kQGemmPanel) * kGemmPanel, CeilDiv(k, 2), max_rows, threads, row_work / 2);
  grid.n = n;
  return grid;
}

/// Cell i of such a grid, in columns.
inline GemmCell QGemmCell(const GemmGrid& grid, size_t i) {
  const size_t column = i / grid.m_cells, row = i % grid.m_cells;
  const size_t begin = grid.panels * column / grid.n_cells, end = grid.panels * (column + 1) / grid.n_cells;
  return {grid.m * row / grid.m_cells, grid.m * (row + 1) / grid.m_cells, begin * kQGemmPanel,
          Least(end * kQGemmPanel, grid.n)};
}

/// Fills in rhs and n for a cell: `packed` points to the first panel of gemm_n32k4.
inline void SetQGemmRhs(const void* packed, size_t k, const GemmCell& cell, QGemmArgs* args) {
  args->rhs_panel_stride = QGemmPanelBytes(k);
  args->rhs = static_cast<const char*>(packed) + cell.n_begin / kQGemmPanel * args->rhs_panel_stride;
  args->n = cell.n_end - cell.n_begin;
}

/// Fills in what makes sums int8 results, from the column on. Symmetric weights are in [-127, 127] unless `wide` is
/// set: the builder sees to it.
inline void SetQGemmOutput(const QuantizedOutput& output, const Tensor* bias, const Tensor& scale, size_t column,
                           const Tensor* table, QGemmArgs* args) {
  args->bias = bias != nullptr ? bias->As<int32_t>() + column : nullptr;
  args->scale = scale.As<float>() + column;
  args->output = QGemmOutput::kInt8;
  args->requantization = output.requantization;
  args->full_range = output.requantization.wide;
  args->add = output.add;
  args->table = table != nullptr ? table->As<int8_t>() : nullptr;
}

/// The row_offsets of weights with a zero point: -weight_zero_point * (sum of the row - k * x_zero_point).
inline void WeightZeroPointOffsets(const int8_t* const* rows, size_t m, size_t taps, size_t run, size_t k,
                                   int32_t x_zero_point, int32_t weight_zero_point, int32_t* offsets) {
  QGemmRowSums(rows, m, taps, run, offsets);
  for (size_t i = 0; i < m; ++i) {
    const uint32_t sum =
        static_cast<uint32_t>(offsets[i]) - static_cast<uint32_t>(k) * static_cast<uint32_t>(x_zero_point);
    offsets[i] = static_cast<int32_t>(0u - static_cast<uint32_t>(weight_zero_point) * sum);
  }
}

}  // namespace tealight

#endif  // TEALIGHT_BACKENDS_CPU_QGEMM_ROWS_H_
