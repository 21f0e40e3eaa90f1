// SPDX-License-Identifier: Apache-2.0
// conv2d by Winograd's F(m x m, 3 x 3): the output is cut into m x m tiles; a block of tiles is transformed, multiplied
// with the transformed weights position by position, and transformed back, all in the thread's scratch. float32 weights
// come transformed (layout winograd_n16), stored ones are decoded and transformed first, into the shared scratch. For
// 3x3 kernels with stride, dilation and group 1.
#ifndef TEALIGHT_BACKENDS_CPU_WINOGRAD_CONV_H_
#define TEALIGHT_BACKENDS_CPU_WINOGRAD_CONV_H_

#include "backends/cpu/activation.h"
#include "backends/cpu/stored_weights.h"
#include "kernels/winograd/winograd.h"

namespace tealight {

struct WinogradPlan {
  int m = 0;  // 0: not in use
  const GemmKernels* gemm;
  size_t positions;
  size_t tile_rows, tile_columns;  // per image
  size_t tiles, blocks, block_tiles;
  size_t h, w, c, oh, ow, oc, top, left;
  size_t step;  // columns multiplied at a time

  /// Elements of the shared scratch: zeros for what lies outside of the image, then stored weights transformed.
  size_t zero_elems() const { return CeilDiv(c, 16) * 16; }
  size_t panels() const { return CeilDiv(oc, kGemmPanel); }
  size_t position_elems() const { return panels() * kGemmPanel * c; }
};

/// Fills the plan but for the sizes h .. left and m, which are set.
inline Status PlanWinograd(OpContext& context, size_t images, const StoredWeights& weights, WinogradPlan* plan) {
  if (!kHaveWinograd) {
    return Status::Error(TL_ERROR_UNSUPPORTED_OP,
                         "winograd %d, expected 0: this library is without it; build it with TL_WINOGRAD=ON", plan->m);
  }
  const size_t m = static_cast<size_t>(plan->m);
  plan->positions = (m + 2) * (m + 2);
  plan->tile_rows = CeilDiv(plan->oh, m);
  plan->tile_columns = CeilDiv(plan->ow, m);
  plan->tiles = images * plan->tile_rows * plan->tile_columns;
  plan->step = Least(plan->oc, 64);
  // A block's transformed input and sums stay in the L2 cache; at least the rows of one gemm tile, or the weights,
  // which pass once per block, would come in too often.
  plan->gemm = FindGemm(context.isa(), plan->step);
  const size_t max_rows = plan->gemm->max_rows;
  const size_t cached = 128 * 1024 / (plan->positions * Most(plan->c + plan->step, 1));
  const size_t most = Most(Most(cached / max_rows, 1) * max_rows, 14);
  plan->blocks = Most(CeilDiv(plan->tiles, most), Least(context.num_threads(), CeilDiv(plan->tiles, 4)));
  plan->block_tiles = plan->blocks > 0 ? CeilDiv(plan->tiles, plan->blocks) : 0;
  const bool stored = !weights.is_float32();
  const size_t transformed = stored ? plan->positions * plan->position_elems() : 0;
  const size_t decoded = stored ? kGemmPanel * weights.panels.k : 0;
  const size_t block = plan->positions * plan->block_tiles * (plan->c + plan->step);
  context.RequestScratch((plan->zero_elems() + transformed) * sizeof(float), Most(block, decoded) * sizeof(float));
  return Status::Ok();
}

// Tile i: image, and its row and column of tiles.
struct WinogradTile {
  size_t image, row, column;
};
inline WinogradTile TileAt(const WinogradPlan& plan, size_t i) {
  const size_t row = i / plan.tile_columns;
  return {row / plan.tile_rows, row % plan.tile_rows, i % plan.tile_columns};
}

// Transforms input tile i into v[p * stride + c].
inline void TransformInput(const WinogradKernels& kernels, const WinogradPlan& plan, const float* x, const float* zeros,
                           size_t i, float* v, size_t stride) {
  const WinogradTile tile = TileAt(plan, i);
  const size_t m = static_cast<size_t>(plan.m);
  const float* pixels[kWinogradMaxPositions];
  const float** pixel = pixels;
  for (size_t r = 0; r < m + 2; ++r) {
    const size_t row = tile.row * m + r - plan.top;  // wraps around when above the image
    const float* line = x + (tile.image * plan.h + row) * plan.w * plan.c;
    for (size_t q = 0; q < m + 2; ++q) {
      const size_t column = tile.column * m + q - plan.left;
      *pixel++ = row < plan.h && column < plan.w ? line + column * plan.c : zeros;
    }
  }
  kernels.input(plan.m, pixels, plan.c, v, stride);
}

struct WinogradOperands {
  const float* x;
  const float* weight;
  const float* bias;      // or null
  const float* residual;  // or null
  float* y;
};

// Transforms the sums of columns [n_begin, n_begin + n) of tile i back and stores them.
inline void TransformOutput(const OpContext& context, const WinogradPlan& plan, const FusedActivation& activation,
                            const WinogradOperands& p, size_t i, size_t n_begin, size_t n, const float* s,
                            size_t stride) {
  const WinogradTile tile = TileAt(plan, i);
  const size_t m = static_cast<size_t>(plan.m);
  const size_t row = tile.row * m, column = tile.column * m;
  const size_t at = ((tile.image * plan.oh + row) * plan.ow + column) * plan.oc + n_begin;
  WinogradOutput output;
  output.rows = Least(m, plan.oh - row);
  output.columns = Least(m, plan.ow - column);
  output.channels = n;
  output.bias = p.bias != nullptr ? p.bias + n_begin : nullptr;
  output.dst = p.y + at;
  output.residual = p.residual != nullptr ? p.residual + at : nullptr;
  output.row_stride = plan.ow * plan.oc;
  output.column_stride = plan.oc;
  output.lo = activation.lo;
  output.hi = activation.hi;
  FindWinograd(context.isa())->output(plan.m, s, stride, output);
  for (size_t r = 0; r < output.rows; ++r) {
    activation.Apply(*FindElementwise(context.isa()), output.dst + r * output.row_stride, plan.oc, output.columns, n);
  }
}

// Tiles [begin, end): v is [positions][tiles][c], s is [positions][tiles][step].
inline void RunWinogradBlock(const OpContext& context, const WinogradPlan& plan, const FusedActivation& activation,
                             const WinogradOperands& p, size_t begin, size_t end, float* scratch) {
  const size_t tiles = end - begin;
  float* v = scratch;
  float* s = scratch + plan.positions * plan.block_tiles * plan.c;
  const float* zeros = static_cast<const float*>(context.shared_scratch());
  const WinogradKernels& kernels = *FindWinograd(context.isa());
  const GemmKernels& gemm = *plan.gemm;
  for (size_t i = 0; i < tiles; ++i) {
    TransformInput(kernels, plan, p.x, zeros, begin + i, v + i * plan.c, tiles * plan.c);
  }
  for (size_t n_begin = 0; n_begin < plan.oc; n_begin += plan.step) {
    const GemmCell cell = {0, tiles, n_begin, Least(plan.oc, n_begin + plan.step)};
    const size_t n = cell.n_end - n_begin;
    GemmArgs args;
    args.run = plan.c;
    args.dst_stride = n;
    args.lo = -__builtin_inff();
    args.hi = __builtin_inff();
    for (size_t position = 0; position < plan.positions; ++position) {
      SetPackedRhs(p.weight + position * plan.position_elems(), plan.c, cell, &args);
      ForEachTile(cell, gemm.max_rows, [&](size_t first, size_t last) {
        const float* rows[kGemmMaxRows];
        for (size_t i = first; i < last; ++i) rows[i - first] = v + (position * tiles + i) * plan.c;
        args.dst = s + (position * tiles + first) * n;
        gemm.tile(rows, last - first, args);
      });
    }
    for (size_t i = 0; i < tiles; ++i) {
      TransformOutput(context, plan, activation, p, begin + i, n_begin, n, s + i * n, tiles * n);
    }
  }
}

// Decodes and transforms stored weights: to is [positions][panels][c][16].
inline void TransformWeights(const OpContext& context, const WinogradPlan& plan, const StoredWeights& weights,
                             float* to) {
  const WinogradKernels& kernels = *FindWinograd(context.isa());
  context.ParallelFor(plan.panels(), 1, [&](size_t thread, size_t begin, size_t end) {
    float* decoded = static_cast<float*>(context.thread_scratch(thread));
    for (size_t panel = begin; panel < end; ++panel) {
      FindDecode(context.isa())->panels(weights.panels, panel, panel + 1, decoded);
      kernels.weights(plan.m, decoded, plan.c, to + panel * kGemmPanel * plan.c, plan.position_elems());
    }
  });
}

inline void RunWinograd(const OpContext& context, const WinogradPlan& plan, const StoredWeights& weights,
                        const FusedActivation& activation) {
  const Tensor* bias = context.input(2);
  const Tensor* residual = context.input(3);
  float* shared = static_cast<float*>(context.shared_scratch());
  memset(shared, 0, plan.c * sizeof(float));
  float* transformed = shared + plan.zero_elems();
  if (!weights.is_float32()) TransformWeights(context, plan, weights, transformed);
  const WinogradOperands operands = {
      context.input(0)->As<float>(), weights.is_float32() ? context.input(1)->As<float>() : transformed,
      bias != nullptr ? bias->As<float>() : nullptr, residual != nullptr ? residual->As<float>() : nullptr,
      context.output(0)->As<float>()};
  context.ParallelFor(plan.blocks, 1, [&](size_t thread, size_t first, size_t last) {
    for (size_t i = first; i < last; ++i) {
      RunWinogradBlock(context, plan, activation, operands, plan.tiles * i / plan.blocks,
                       plan.tiles * (i + 1) / plan.blocks, static_cast<float*>(context.thread_scratch(thread)));
    }
  });
}

}  // namespace tealight

#endif  // TEALIGHT_BACKENDS_CPU_WINOGRAD_CONV_H_
