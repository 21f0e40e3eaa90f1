// SPDX-License-Identifier: Apache-2.0
// The int8 product of two computed operands: the columns that a cell works on are packed into the thread's scratch,
// then its rows pass through the int8 gemm. Behind q_matmul and matmul_integer.
#ifndef TEALIGHT_BACKENDS_CPU_QMATMUL_H_
#define TEALIGHT_BACKENDS_CPU_QMATMUL_H_

#include "backends/cpu/matmul_shape.h"
#include "backends/cpu/qgemm_rows.h"
#include "kernels/qpack/qpack.h"

namespace tealight {

struct QMatmul {
  MatmulShape shape;
  const QGemmKernels* gemm;
  GemmGrid grid;        // of one pair of matrices
  size_t run;           // k rounded up to 4
  size_t packed_bytes;  // of the thread's scratch; then come the bias of each column and the copied rows of a
  size_t bias_bytes;
  uint8_t a_flip, b_flip;  // 0x80 where the operand is uint8: its values less 128 are taken
};

// What the callback of RunQMatmul gets: rows [begin, end) of a batch, for the columns of cell.
struct QMatmulTile {
  size_t batch, begin, end;
  GemmCell cell;
  const int8_t* const* rows;
};

/// Cuts columns before rows: cells that share columns would each pack them.
inline GemmGrid PlanQMatmulGrid(const MatmulShape& shape, size_t run, size_t max_rows, size_t threads) {
  constexpr double kCellMacs = 800e3;
  GemmGrid grid = PlanQGemmGrid(shape.m, shape.n, run, max_rows, 1);
  if (threads <= 1 || grid.m_cells == 0) return grid;
  const double batches = static_cast<double>(Most(shape.batches, 1));
  const double macs = batches * static_cast<double>(shape.m) * static_cast<double>(shape.n) * static_cast<double>(run);
  const double most = static_cast<double>(threads * 4);
  const double wanted = (macs / kCellMacs < most ? macs / kCellMacs : most) / batches;
  const size_t cells = static_cast<size_t>(wanted) + 1;
  grid.n_cells = Most(grid.n_cells, Least(Most(grid.panels / 2, 1), cells));
  grid.m_cells = Least(CeilDiv(shape.m, max_rows), CeilDiv(cells, grid.n_cells));
  return grid;
}

/// Sets all but the shape and the flips; requests the scratch, `shared_bytes` of it for the op itself.
inline void PlanQMatmul(OpContext& context, size_t shared_bytes, QMatmul* q) {
  q->run = (q->shape.k + 3) / 4 * 4;
  q->gemm = FindQGemm(context.isa(), q->shape.n);
  q->grid = PlanQMatmulGrid(q->shape, q->run, q->gemm->max_rows, context.num_threads());
  const size_t panels = q->grid.n_cells > 0 ? CeilDiv(q->grid.panels, q->grid.n_cells) : 0;
  q->packed_bytes = panels * QGemmPanelBytes(q->shape.k);
  q->bias_bytes = panels * kQGemmPanel * sizeof(int32_t);
  context.RequestScratch(shared_bytes, q->packed_bytes + q->bias_bytes + kQGemmMaxRows * q->run);
}

// Points rows at rows [begin, begin + m) of a, or at copies of them where they are columns, uint8, or end where a does.
inline void PointMatmulRows(const QMatmul& q, const int8_t* a, size_t a_left, size_t begin, size_t m, int8_t* copies,
                            const int8_t** rows) {
  const MatmulShape& s = q.shape;
  const bool in_place = !s.transpose_a && q.a_flip == 0 && (begin + m - 1) * s.a_stride + q.run <= a_left;
  const int8_t flip = static_cast<int8_t>(q.a_flip);
  for (size_t i = 0; i < m; ++i) {
    if (!s.transpose_a) rows[i] = a + (begin + i) * s.a_stride;
    if (in_place) continue;
    int8_t* copy = copies + i * q.run;
    if (s.transpose_a) {
      for (size_t j = 0; j < s.k; ++j) copy[j] = static_cast<int8_t>(a[j * s.a_stride + begin + i] ^ flip);
    } else {
      for (size_t j = 0; j < s.k; ++j) copy[j] = static_cast<int8_t>(rows[i][j] ^ flip);
    }
    for (size_t j = s.k; j < q.run; ++j) copy[j] = 0;
    rows[i] = copy;
  }
}

// Packs the columns of a cell; writes -a_zero_point * (the sum of a column) to bias. b points to the first column.
inline void PackMatmulColumns(const QPackKernels& pack, const QMatmul& q, const int8_t* b, size_t columns,
                              int32_t a_zero_point, char* packed, int32_t* bias) {
  const MatmulShape& s = q.shape;
  for (size_t column = 0; column < columns; column += kQGemmPanel) {
    pack.panel(b + column * (s.transpose_b ? s.b_stride : 1), s.b_stride, s.transpose_b, q.b_flip, s.k,
               Least(columns - column, kQGemmPanel), packed);
    int32_t sums[kQGemmPanel];
    memcpy(sums, packed, sizeof(sums));
    for (size_t j = 0; j < kQGemmPanel; ++j) {
      bias[column + j] =
          static_cast<int32_t>(0u - static_cast<uint32_t>(a_zero_point) * static_cast<uint32_t>(sums[j]));
    }
    packed += QGemmPanelBytes(s.k);
  }
}

/// Calls f(tile, &args) for tiles that cover the product. args has its operands and the part of a_zero_point in the
/// sums; f adds what the result needs.
template <typename F>
void RunQMatmul(const OpContext& context, const QMatmul& q, int32_t a_zero_point, const F& f) {
  const MatmulShape& s = q.shape;
  const QPackKernels& pack = *FindQPack(context.isa());
  const size_t cells = q.grid.cells();
  const int64_t a_elements = context.input(0)->Elements();
  context.ParallelFor(s.batches * cells, 1, [&](size_t thread, size_t first, size_t last) {
    for (size_t i = first; i < last; ++i) {
      QMatmulTile tile;
      tile.batch = i / cells;
      tile.cell = QGemmCell(q.grid, i % cells);
      int64_t a_at, b_at;
      s.BatchOffsets(tile.batch, &a_at, &b_at);
      const int8_t* a = context.input(0)->As<int8_t>() + a_at;
      const int8_t* b = context.input(1)->As<int8_t>() + b_at;
      char* packed = static_cast<char*>(context.thread_scratch(thread));
      int32_t* bias = reinterpret_cast<int32_t*>(packed + q.packed_bytes);
      int8_t* copies = reinterpret_cast<int8_t*>(packed + q.packed_bytes + q.bias_bytes);
      const size_t column = tile.cell.n_begin, columns = tile.cell.n_end - column;
      PackMatmulColumns(pack, q, b + column * (s.transpose_b ? s.b_stride : 1), columns, a_zero_point, packed, bias);
      QGemmArgs args;
      SetQGemmRhs(packed, s.k, {0, 0, 0, columns}, &args);
      args.bias = a_zero_point != 0 ? bias : nullptr;
      args.run = q.run;
      args.dst_stride = q.grid.n;
      ForEachTile(tile.cell, q.gemm->max_rows, [&](size_t begin, size_t end) {
        const int8_t* rows[kQGemmMaxRows];
        PointMatmulRows(q, a, static_cast<size_t>(a_elements - a_at), begin, end - begin, copies, rows);
        tile.begin = begin, tile.end = end;
        tile.rows = rows;
        f(tile, &args);
      });
    }
  });
}

}  // namespace tealight

#endif  // TEALIGHT_BACKENDS_CPU_QMATMUL_H_
