// SPDX-License-Identifier: Apache-2.0
// How a matrix product [m, k] x [k, n] is cut: into cells, which threads claim, and cells into tiles of a few rows,
// which the kernel computes. The cut changes no bit of the result.
#ifndef TEALIGHT_BACKENDS_CPU_GEMM_GRID_H_
#define TEALIGHT_BACKENDS_CPU_GEMM_GRID_H_

#include "kernels/gemm/gemm.h"

namespace tealight {

// A block of rows and columns.
struct GemmCell {
  size_t m_begin, m_end;
  size_t n_begin, n_end;  // n_begin is a multiple of 16
};

struct GemmGrid {
  size_t m = 0, n = 0;
  size_t panels = 0;
  size_t m_cells = 0, n_cells = 0;
  size_t max_rows = 1;

  size_t cells() const { return m_cells * n_cells; }
  /// Cells that share columns follow each other, so that a thread finds them in its cache.
  GemmCell Cell(size_t i) const {
    const size_t column = i / m_cells, row = i % m_cells;
    const size_t n_end = panels * (column + 1) / n_cells * kGemmPanel;
    return {m * row / m_cells, m * (row + 1) / m_cells, panels * column / n_cells * kGemmPanel, n_end < n ? n_end : n};
  }
};

inline size_t CeilDiv(size_t a, size_t b) { return (a + b - 1) / b; }
inline size_t Least(size_t a, size_t b) { return a < b ? a : b; }
inline size_t Most(size_t a, size_t b) { return a > b ? a : b; }

/// Columns are cut so that their packed weights stay in a part of the L2 cache while all rows pass; then cells are
/// made until each thread has some, none under about 4 us of work on a 60 GMAC/s core. `row_work`: how many times
/// n * k multiplications one of the m rows stands for.
inline GemmGrid PlanGemmGrid(size_t m, size_t n, size_t k, size_t max_rows, size_t threads, double row_work = 1) {
  constexpr size_t kCacheFloats = 96 * 1024;
  constexpr double kCellMacs = 200e3;
  GemmGrid grid;
  grid.m = m;
  grid.n = n;
  grid.max_rows = max_rows;
  grid.panels = CeilDiv(n, kGemmPanel);
  const size_t row_tiles = CeilDiv(m, max_rows);
  const size_t cached_panels = Most(2, kCacheFloats / (kGemmPanel * Most(k, 1)) / 2 * 2);
  grid.n_cells = row_tiles <= 1 ? 1 : Most(1, CeilDiv(grid.panels, cached_panels));
  grid.m_cells = m > 0 && n > 0 ? 1 : 0;
  if (threads <= 1 || grid.m_cells == 0) return grid;
  const double macs = row_work * static_cast<double>(m) * static_cast<double>(n) * static_cast<double>(k);
  const double most = static_cast<double>(threads * 6);
  const size_t some = static_cast<size_t>(macs / kCellMacs < most ? macs / kCellMacs : most) + 1;
  const size_t wanted = CeilDiv(some, threads) * threads;
  if (grid.n_cells < wanted) {
    grid.m_cells = Least(row_tiles, CeilDiv(wanted, grid.n_cells));
    grid.m_cells = CeilDiv(row_tiles, row_tiles / grid.m_cells);  // whole tiles where there are few
  }
  if (grid.cells() < wanted)
    grid.n_cells = Most(grid.n_cells, Least(CeilDiv(grid.panels, 2), CeilDiv(wanted, grid.m_cells)));
  return grid;
}

// Elements between the copied rows of a tile: rows a power of two apart would fall into the same few cache sets.
constexpr size_t kRowGap = 16;

/// Whether rows of `row` elements, one after another, evict each other from an 8-way L1 cache while a tile reads them
/// for n columns, so that copying them apart pays.
inline bool RowsCollide(size_t row, size_t n) { return row >= 512 && row % 256 == 0 && n >= 64; }

/// Calls f(m_begin, m_end) for near equal runs of at most max_rows rows of a cell.
template <typename F>
inline void ForEachTile(const GemmCell& cell, size_t max_rows, const F& f) {
  const size_t m = cell.m_end - cell.m_begin;
  const size_t tiles = CeilDiv(m, max_rows);
  for (size_t i = 0; i < tiles; ++i) f(cell.m_begin + m * i / tiles, cell.m_begin + m * (i + 1) / tiles);
}

/// Describes rhs as a packed constant (gemm_n16) from column n_begin on.
inline void SetPackedRhs(const float* packed, size_t k, const GemmCell& cell, GemmArgs* args) {
  args->rhs = packed + cell.n_begin * k;
  args->rhs_k_stride = kGemmPanel;
  args->rhs_panel_stride = kGemmPanel * k;
  args->rhs_padded = true;
  args->n = cell.n_end - cell.n_begin;
}

}  // namespace tealight

#endif  // TEALIGHT_BACKENDS_CPU_GEMM_GRID_H_
