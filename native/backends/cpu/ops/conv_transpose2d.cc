// SPDX-License-Identifier: Apache-2.0
// CPU conv_transpose2d, by output phases (conv_transpose_rows.h), each with its own weights (layout
// conv_transpose_n16). Stored weights are decoded first, all of them: every output row reads the weights of its phases.
#include "backends/cpu/activation.h"
#include "backends/cpu/conv_transpose_rows.h"
#include "backends/cpu/gemm_grid.h"

namespace tealight {
namespace {

struct State {
  ConvTransposeGeometry geometry;
  FusedActivation activation;
  const GemmKernels* gemm;
  GemmGrid grid;  // its rows are output rows
  StoredWeights weights;
  size_t zero_bytes;  // of the zeros in the shared scratch, before the decoded weights
};

Status Prepare(OpContext& context) {
  const schema::ConvTranspose2d& attributes = context.attributes<schema::ConvTranspose2d>();
  State* s = new (context.state<State>()) State();
  ConvTransposeGeometry& g = s->geometry;
  const ConvWindow& window = g.window;
  RETURN_IF_ERROR(ReadConvWindow(context, attributes, &g.window));
  RETURN_IF_ERROR(ReadActivation(context, attributes.activation(), &s->activation));
  g.group = attributes.group();
  RETURN_IF_ERROR(CheckConvOperands(context, window, g.group, Layout::kConvTransposeN16));
  Shape shape;
  RETURN_IF_ERROR(
      PlanConvTranspose(context, attributes, context.input(0)->shape, context.input(1)->shape[0], &g, &shape));
  RETURN_IF_ERROR(context.SetOutput(0, DType::kFloat32, shape));
  const size_t n = static_cast<size_t>(g.group_oc);
  const size_t taps = static_cast<size_t>(window.kh * window.kw);
  s->gemm = FindGemm(context.isa(), n);
  size_t output_rows = 0;
  RETURN_IF_ERROR(CountRows(context, shape[0], g.oh, g.ow > 0 ? 1 : 0, &output_rows));
  const double row_work = static_cast<double>(g.ow) / static_cast<double>(window.sh * window.sw);
  s->grid = PlanGemmGrid(output_rows, n, taps * static_cast<size_t>(g.group_c), 1, context.num_threads(), row_work);
  RETURN_IF_ERROR(ReadStoredWeights(context, 1, 3, 4, 0, &s->weights));
  s->zero_bytes = (static_cast<size_t>(g.group_c) * sizeof(float) + 63) / 64 * 64;
  const size_t decoded = DecodedFloats(s->weights, static_cast<size_t>(g.group)) * sizeof(float);
  context.RequestScratch(s->zero_bytes + decoded, taps * s->gemm->max_rows * sizeof(float*));
  return Status::Ok();
}

float* DecodedWeights(const OpContext& context, const State& s) {
  return reinterpret_cast<float*>(static_cast<char*>(context.shared_scratch()) + s.zero_bytes);
}

// Decodes the panels of one phase after the other, each a gemm_n16 of its taps with the group's scales.
void DecodePhases(const OpContext& context, const State& s, size_t group) {
  const ConvWindow& window = s.geometry.window;
  StoredPanels phase = s.weights.Group(group);
  float* dst = DecodedWeights(context, s) + group * s.grid.panels * kGemmPanel * s.weights.panels.k;
  if (s.geometry.group_c == 0) return;
  for (int64_t h = 0; h < window.sh; h = NextPhase(window.kh, window.dh, window.sh, h)) {
    const int64_t row_taps = CountTaps(window.kh, window.dh, window.sh, h).own;
    for (int64_t w = 0; w < window.sw; w = NextPhase(window.kw, window.dw, window.sw, w)) {
      phase.k = static_cast<size_t>(row_taps * CountTaps(window.kw, window.dw, window.sw, w).own * s.geometry.group_c);
      phase.block = phase.k;
      FindDecode(context.isa())->panels(phase, 0, s.grid.panels, dst);
      dst += s.grid.panels * kGemmPanel * phase.k;
      phase.data += s.grid.panels * phase.k * StoredRowBytes(phase.dtype);
    }
  }
}

struct Pointers {
  const float* x;
  const float* zeros;
  const float* weight;  // of the group
  float* y;             // at the first column
  const float** rows;
};

// All pixels of one output row, phase by phase.
void RunRow(const OpContext& context, const State& s, const GemmKernels& gemm, const GemmCell& cell, int64_t image,
            int64_t oy, const Pointers& p, GemmArgs args) {
  const ConvWindow& window = s.geometry.window;
  const ElementwiseKernels& elementwise = *FindElementwise(context.isa());
  const size_t oc = static_cast<size_t>(s.geometry.group_oc * s.geometry.group);
  PhaseRun at = {image, oy, 0, (oy + window.top) % window.sh, 0};
  const PhaseTaps row_taps = CountTaps(window.kh, window.dh, window.sh, at.phase_h);
  const int64_t phases = window.sw < s.geometry.ow ? window.sw : s.geometry.ow;
  for (int64_t first = 0; first < phases; ++first) {
    at.phase_w = (first + window.left) % window.sw;
    const PhaseTaps column_taps = CountTaps(window.kw, window.dw, window.sw, at.phase_w);
    const size_t taps_before = static_cast<size_t>(row_taps.before * window.kw + row_taps.own * column_taps.before);
    args.taps = static_cast<size_t>(row_taps.own * column_taps.own);
    const size_t k = args.taps * args.run;
    SetPackedRhs(p.weight + s.grid.panels * kGemmPanel * taps_before * args.run, k, cell, &args);
    const size_t pixels = static_cast<size_t>((s.geometry.ow - first + window.sw - 1) / window.sw);
    const size_t step = static_cast<size_t>(window.sw) * oc;
    args.dst_stride = step;
    ForEachTile({0, pixels, 0, 0}, gemm.max_rows, [&](size_t begin, size_t end) {
      at.ox = first + static_cast<int64_t>(begin) * window.sw;
      FillPhaseRows(s.geometry, p.x, p.zeros, at, end - begin, p.rows);
      args.dst = p.y + static_cast<size_t>((image * s.geometry.oh + oy) * s.geometry.ow + at.ox) * oc;
      gemm.tile(p.rows, end - begin, args);
      s.activation.Apply(elementwise, args.dst, step, end - begin, args.n);
    });
  }
}

void RunCell(const OpContext& context, const State& s, const GemmKernels& gemm, size_t group, const GemmCell& cell,
             size_t thread) {
  const size_t group_c = static_cast<size_t>(s.geometry.group_c);
  const size_t taps = static_cast<size_t>(s.geometry.window.kh * s.geometry.window.kw);
  const size_t column = group * static_cast<size_t>(s.geometry.group_oc) + cell.n_begin;
  Pointers p;
  p.x = context.input(0)->As<float>() + group * group_c;
  p.zeros = static_cast<const float*>(context.shared_scratch());
  const float* weights = s.weights.is_float32() ? context.input(1)->As<float>() : DecodedWeights(context, s);
  p.weight = weights + group * s.grid.panels * kGemmPanel * taps * group_c;
  p.y = context.output(0)->As<float>() + column;
  p.rows = static_cast<const float**>(context.thread_scratch(thread));
  const Tensor* bias = context.input(2);
  GemmArgs args;
  args.run = group_c;
  args.bias = bias != nullptr ? bias->As<float>() + column : nullptr;
  args.lo = s.activation.lo;
  args.hi = s.activation.hi;
  for (size_t row = cell.m_begin; row < cell.m_end; ++row) {
    const int64_t r = static_cast<int64_t>(row);
    RunRow(context, s, gemm, cell, r / s.geometry.oh, r % s.geometry.oh, p, args);
  }
}

Status Run(OpContext& context) {
  const State& s = *context.state<State>();
  const GemmKernels& gemm = *s.gemm;
  memset(context.shared_scratch(), 0, static_cast<size_t>(s.geometry.group_c) * sizeof(float));
  if (!s.weights.is_float32()) {
    context.ParallelFor(static_cast<size_t>(s.geometry.group), 1, [&](size_t, size_t begin, size_t end) {
      for (size_t g = begin; g < end; ++g) DecodePhases(context, s, g);
    });
  }
  const size_t cells = s.grid.cells();
  context.ParallelFor(cells * static_cast<size_t>(s.geometry.group), 1, [&](size_t thread, size_t begin, size_t end) {
    for (size_t i = begin; i < end; ++i) RunCell(context, s, gemm, i / cells, s.grid.Cell(i % cells), thread);
  });
  return Status::Ok();
}

}  // namespace

OpKernel Cpu_conv_transpose2d() {
  OpKernel kernel;
  kernel.prepare = Prepare;
  kernel.run = Run;
  return kernel;
}

}  // namespace tealight
