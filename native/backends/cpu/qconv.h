// SPDX-License-Identifier: Apache-2.0
// The int8 convolution that q_conv2d and its relatives share: the plan, and the loop over tiles of output pixels. The
// op says what becomes of the sums.
#ifndef TEALIGHT_BACKENDS_CPU_QCONV_H_
#define TEALIGHT_BACKENDS_CPU_QCONV_H_

#include "backends/cpu/conv_rows.h"
#include "backends/cpu/qgemm_rows.h"

namespace tealight {

struct QConvPlan {
  ConvGeometry geometry;
  const QGemmKernels* gemm = nullptr;
  GemmGrid grid;
  size_t fill_rows = 0;    // pixels whose rows are made at once
  size_t table_bytes = 0;  // of the pointers in the thread's scratch, before the patches

  /// Scratch: a run of padding for all threads, and what each thread needs.
  size_t padding_bytes() const { return ConvTapElems(geometry); }
  size_t thread_bytes() const { return table_bytes + ConvPatchElems(geometry, fill_rows); }
  /// The first channel of a cell's columns, in [oc] and in constants padded to 32 per group.
  size_t Channel(size_t group, const GemmCell& cell) const {
    return group * static_cast<size_t>(geometry.group_oc) + cell.n_begin;
  }
  size_t PaddedChannel(size_t group, const GemmCell& cell) const {
    return group * grid.panels * kQGemmPanel + cell.n_begin;
  }
};

/// Plans for x [n, h, w, c]; window and group of the geometry are set.
inline Status PlanQConv(const OpContext& context, const Shape& x, int64_t oc, QConvPlan* plan) {
  ConvGeometry& g = plan->geometry;
  PlanConvGeometry(x, oc, 4, &g);
  size_t pixels = 0;
  RETURN_IF_ERROR(CountRows(context, x[0], g.oh, g.ow, &pixels));
  const size_t n = static_cast<size_t>(g.group_oc);
  plan->gemm = FindQGemm(context.isa(), n);
  plan->grid = PlanQGemmGrid(pixels, n, g.taps * g.run, plan->gemm->max_rows, context.num_threads());
  // Bytes just written, a part by each of two stores, are slow to read: copies are made well ahead of their use.
  constexpr size_t kCopiedBytes = 16 * 1024;
  plan->fill_rows = plan->gemm->max_rows;
  if (g.copies) plan->fill_rows *= Most(1, Least(8, kCopiedBytes / (plan->gemm->max_rows * Most(g.run, 1))));
  plan->table_bytes = (g.taps * plan->fill_rows * sizeof(int8_t*) + 63) / 64 * 64;
  return Status::Ok();
}

// What RunQConv reads.
struct QConvOperands {
  const int8_t* x;
  const void* weight;     // gemm_n32k4
  const int8_t* padding;  // padding_bytes() of the value that stands for 0
  char* scratch;          // of thread 0; thread_bytes() each
  size_t scratch_stride;  // bytes from thread to thread
  int32_t x_zero_point = 0, weight_zero_point = 0;
};

/// Computes every tile. set_cell(group, cell, &args) fills in all of args that rows do not change but rhs, n, taps and
/// run; set_tile(group, cell, begin, &args) sets dst and residual for the pixels from `begin` on; finish_tile(args, m)
/// gets the m rows of dst when they are done.
template <typename F, typename G, typename H>
inline void RunQConv(const OpContext& context, const QConvPlan& plan, const QConvOperands& operands, const F& set_cell,
                     const G& set_tile, const H& finish_tile) {
  const ConvGeometry& g = plan.geometry;
  const size_t cells = plan.grid.cells(), k = g.taps * g.run;
  context.ParallelFor(cells * static_cast<size_t>(g.group), 1, [&](size_t thread, size_t first, size_t last) {
    char* scratch = operands.scratch + thread * operands.scratch_stride;
    const int8_t** rows = reinterpret_cast<const int8_t**>(scratch);
    for (size_t i = first; i < last; ++i) {
      const size_t group = i / cells;
      const GemmCell cell = QGemmCell(plan.grid, i % cells);
      const ConvSource<int8_t> source = {operands.x + group * static_cast<size_t>(g.group_c), operands.padding,
                                         reinterpret_cast<int8_t*>(scratch + plan.table_bytes)};
      QGemmArgs args;
      const char* weight = static_cast<const char*>(operands.weight);
      SetQGemmRhs(weight + group * plan.grid.panels * QGemmPanelBytes(k), k, cell, &args);
      args.taps = g.taps;
      args.run = g.run;
      set_cell(group, cell, &args);
      ForEachTile(cell, plan.fill_rows, [&](size_t fill_begin, size_t fill_end) {
        FillConvRows(g, source, fill_begin, fill_end, rows);
        ForEachTile({fill_begin, fill_end, 0, 0}, plan.gemm->max_rows, [&](size_t begin, size_t end) {
          const int8_t** tile_rows = rows + (begin - fill_begin);  // one tap, or begin is fill_begin
          const size_t m = end - begin;
          int32_t offsets[kQGemmMaxRows];
          if (operands.weight_zero_point != 0) {
            WeightZeroPointOffsets(tile_rows, m, g.taps, g.copies ? g.k : g.run, g.k, operands.x_zero_point,
                                   operands.weight_zero_point, offsets);
            args.row_offsets = offsets;
            args.full_range = true;
          }
          set_tile(group, cell, begin, &args);
          plan.gemm->tile(tile_rows, m, args);
          finish_tile(args, m);
        });
      });
    }
  });
}
template <typename F, typename G>
inline void RunQConv(const OpContext& context, const QConvPlan& plan, const QConvOperands& operands, const F& set_cell,
                     const G& set_tile) {
  RunQConv(context, plan, operands, set_cell, set_tile, [](const QGemmArgs&, size_t) {});
}

}  // namespace tealight

#endif  // TEALIGHT_BACKENDS_CPU_QCONV_H_
