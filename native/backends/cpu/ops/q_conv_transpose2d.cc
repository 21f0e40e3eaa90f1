// SPDX-License-Identifier: Apache-2.0
// CPU q_conv_transpose2d, by output phases (conv_transpose_rows.h): the int8 gemm over the pixels of one output row and
// phase. The bias of a phase is bias - x_zero_point * the sums of its weights, so that taps outside of x read
// x_zero_point.
#include "backends/cpu/conv_transpose_rows.h"
#include "backends/cpu/qgemm_rows.h"

namespace tealight {
namespace {

struct State {
  ConvTransposeGeometry geometry;
  QuantizedOutput output;
  const QGemmKernels* gemm;
  GemmGrid grid;         // its rows are output rows
  size_t padding_bytes;  // of the shared scratch, before the offsets of the phases
  size_t table_bytes;    // of the thread's scratch: pointers, then copies of windows, then the bias of a phase
  size_t patch_bytes;
  int32_t x_zero_point, weight_zero_point;
  bool copies;  // channels are no multiple of 4: the pixels' taps are copied together
};

size_t RoundUp(size_t n, size_t to) { return (n + to - 1) / to * to; }

// Calls f(phase, k) for the phases in the order of the layout; k: elements of one column.
template <typename F>
void ForEachPhase(const ConvTransposeGeometry& g, const F& f) {
  const ConvWindow& window = g.window;
  for (int64_t h = 0; h < window.sh; ++h) {
    const int64_t row_taps = CountTaps(window.kh, window.dh, window.sh, h).own;
    for (int64_t w = 0; w < window.sw; ++w) {
      const int64_t taps = row_taps == 0 ? 0 : row_taps * CountTaps(window.kw, window.dw, window.sw, w).own;
      f(static_cast<size_t>(h * window.sw + w), static_cast<size_t>(taps * g.group_c));
    }
  }
}

// The weight holds every phase of every group: at least the sums of each panel.
Status CheckWeightBytes(const OpContext& context, const ConvTransposeGeometry& g, size_t panels) {
  const Tensor& weight = *context.input(1);
  const uint64_t most = weight.data_bytes / (4 * kQGemmPanel);
  const uint64_t per_phase = static_cast<uint64_t>(g.group) * panels;
  const int64_t sh = g.window.sh, sw = g.window.sw;
  if (per_phase > 0 && static_cast<uint64_t>(sh) <= most && static_cast<uint64_t>(sw) <= most &&
      static_cast<uint64_t>(sh * sw) <= most / per_phase) {
    uint64_t bytes = 0;  // of one panel of each phase
    ForEachPhase(g, [&](size_t, size_t k) { bytes += 4 * kQGemmPanel * (uint64_t{1} + (uint64_t{k} + 3) / 4); });
    if (bytes * per_phase == weight.data_bytes) return Status::Ok();
  }
  return context.Error(TL_ERROR_INVALID_BUNDLE, "weight of %llu bytes, expected the panels of %lld x %lld phases",
                       static_cast<unsigned long long>(weight.data_bytes), static_cast<long long>(sh),
                       static_cast<long long>(sw));
}

Status CheckOperands(const OpContext& context, const State& s, int64_t oc) {
  RETURN_IF_ERROR(CheckChannels(context, "bias", context.input(2), DType::kInt32, oc, s.geometry.group));
  RETURN_IF_ERROR(CheckChannels(context, "scale", context.input(3), DType::kFloat32, oc, s.geometry.group));
  RETURN_IF_ERROR(CheckInt8(context, "x_zero_point", s.x_zero_point));
  return CheckInt8(context, "weight_zero_point", s.weight_zero_point);
}

Status Prepare(OpContext& context) {
  const schema::QConvTranspose2d& attributes = context.attributes<schema::QConvTranspose2d>();
  State* s = new (context.state<State>()) State();
  ConvTransposeGeometry& g = s->geometry;
  RETURN_IF_ERROR(ReadConvWindow(context, attributes, &g.window));
  g.group = attributes.group();
  s->x_zero_point = attributes.x_zero_point();
  s->weight_zero_point = attributes.weight_zero_point();
  const Tensor* operands[] = {context.input(0), context.input(1)};
  for (const Tensor* tensor : operands) {
    if (tensor != nullptr && tensor->dtype == DType::kInt8) continue;
    return context.Error(TL_ERROR_WRONG_DTYPE, "operands of other types, expected int8 x and weight");
  }
  RETURN_IF_ERROR(CheckConvShapes(context, g.window, g.group, Layout::kConvTransposeN32K4));
  const int64_t oc = operands[1]->shape[0];
  RETURN_IF_ERROR(CheckOperands(context, *s, oc));
  Shape shape;
  RETURN_IF_ERROR(PlanConvTranspose(context, attributes, operands[0]->shape, oc, &g, &shape));
  RETURN_IF_ERROR(ReadRequantization(context, attributes.output(), &s->output.requantization));
  RETURN_IF_ERROR(CheckTable(context, context.input(4)));
  RETURN_IF_ERROR(context.SetOutput(0, DType::kInt8, shape));

  const size_t n = static_cast<size_t>(g.group_oc), group_c = static_cast<size_t>(g.group_c);
  const size_t taps = static_cast<size_t>(g.window.kh * g.window.kw);
  s->gemm = FindQGemm(context.isa(), n);
  size_t output_rows = 0;
  RETURN_IF_ERROR(CountRows(context, shape[0], g.oh, g.ow > 0 ? 1 : 0, &output_rows));
  const double row_work = static_cast<double>(g.ow) / static_cast<double>(g.window.sh * g.window.sw);
  s->grid = PlanQGemmGrid(output_rows, n, taps * group_c, 1, context.num_threads(), row_work);
  RETURN_IF_ERROR(CheckWeightBytes(context, g, s->grid.panels));
  s->copies = group_c % 4 != 0;
  s->padding_bytes = RoundUp(group_c, 64);
  s->table_bytes = RoundUp(taps * s->gemm->max_rows * sizeof(int8_t*), 64);
  s->patch_bytes = s->copies ? RoundUp(s->gemm->max_rows * RoundUp(taps * group_c, 4), 64) : 0;
  context.RequestScratch(s->padding_bytes + static_cast<size_t>(g.window.sh * g.window.sw) * sizeof(size_t),
                         s->table_bytes + s->patch_bytes + s->grid.panels * kQGemmPanel * sizeof(int32_t));
  return Status::Ok();
}

// What the pixels of one cell share.
struct Work {
  const int8_t* x;  // of the group
  const int8_t* padding;
  const char* weight;     // of the group
  const size_t* offsets;  // bytes of each phase in it
  const int32_t* bias;    // of the first column
  int8_t* y;              // at the first column
  const int8_t** rows;
  int8_t* patches;
  int32_t* phase_bias;
};

// Joins the taps of each of m pixels into one row of k bytes.
void CopyTaps(const State& s, const Work& work, size_t m, size_t taps, size_t run) {
  const size_t tap = static_cast<size_t>(s.geometry.group_c);
  for (size_t i = 0; i < m; ++i) {
    int8_t* patch = work.patches + i * run;
    for (size_t t = 0; t < taps; ++t) memcpy(patch + t * tap, work.rows[t * m + i], tap);
    memset(patch + taps * tap, 0, run - taps * tap);
  }
  for (size_t i = 0; i < m; ++i) work.rows[i] = work.patches + i * run;
}

// The pixels of one output row and phase, from column `first` on.
void RunPhase(const State& s, const Work& work, const GemmCell& cell, const PhaseRun& start, QGemmArgs args) {
  const ConvTransposeGeometry& g = s.geometry;
  const ConvWindow& window = g.window;
  const size_t oc = static_cast<size_t>(g.group_oc * g.group);
  const size_t taps = static_cast<size_t>(CountTaps(window.kh, window.dh, window.sh, start.phase_h).own *
                                          CountTaps(window.kw, window.dw, window.sw, start.phase_w).own);
  const size_t k = taps * static_cast<size_t>(g.group_c);
  SetQGemmRhs(work.weight + work.offsets[start.phase_h * window.sw + start.phase_w], k, cell, &args);
  args.taps = s.copies ? 1 : taps;
  args.run = s.copies ? RoundUp(k, 4) : static_cast<size_t>(g.group_c);
  for (size_t j = 0; j < args.n; j += kQGemmPanel) {
    const char* panel = static_cast<const char*>(args.rhs) + j / kQGemmPanel * args.rhs_panel_stride;
    const int32_t* sums = reinterpret_cast<const int32_t*>(panel);
    for (size_t l = 0; l < kQGemmPanel; ++l) {
      const uint32_t term = static_cast<uint32_t>(s.x_zero_point) * static_cast<uint32_t>(sums[l]);
      work.phase_bias[j + l] = static_cast<int32_t>(static_cast<uint32_t>(work.bias[j + l]) - term);
    }
  }
  args.bias = work.phase_bias;
  args.dst_stride = static_cast<size_t>(window.sw) * oc;
  const size_t pixels = static_cast<size_t>((g.ow - start.ox + window.sw - 1) / window.sw);
  ForEachTile({0, pixels, 0, 0}, s.gemm->max_rows, [&](size_t begin, size_t end) {
    const size_t m = end - begin;
    int32_t offsets[kQGemmMaxRows];
    PhaseRun at = start;
    at.ox += static_cast<int64_t>(begin) * window.sw;
    FillPhaseRows(g, work.x, work.padding, at, m, work.rows);
    if (s.copies) CopyTaps(s, work, m, taps, args.run);
    if (s.weight_zero_point != 0) {
      WeightZeroPointOffsets(work.rows, m, args.taps, args.run, k, s.x_zero_point, s.weight_zero_point, offsets);
      args.row_offsets = offsets;
      args.full_range = true;
    }
    args.dst = work.y + static_cast<size_t>((at.image * g.oh + at.oy) * g.ow + at.ox) * oc;
    s.gemm->tile(work.rows, m, args);
  });
}

void RunCell(const OpContext& context, const State& s, size_t group, const GemmCell& cell, size_t group_bytes,
             size_t thread) {
  const ConvTransposeGeometry& g = s.geometry;
  const ConvWindow& window = g.window;
  const size_t padded = group * s.grid.panels * kQGemmPanel + cell.n_begin;
  char* scratch = static_cast<char*>(context.thread_scratch(thread));
  const char* shared = static_cast<const char*>(context.shared_scratch());
  Work work;
  work.x = context.input(0)->As<int8_t>() + group * static_cast<size_t>(g.group_c);
  work.padding = reinterpret_cast<const int8_t*>(shared);
  work.offsets = reinterpret_cast<const size_t*>(shared + s.padding_bytes);
  work.weight = context.input(1)->As<char>() + group * group_bytes;
  work.bias = context.input(2)->As<int32_t>() + padded;
  work.y = context.output(0)->As<int8_t>() + group * static_cast<size_t>(g.group_oc) + cell.n_begin;
  work.rows = reinterpret_cast<const int8_t**>(scratch);
  work.patches = reinterpret_cast<int8_t*>(scratch + s.table_bytes);
  work.phase_bias = reinterpret_cast<int32_t*>(scratch + s.table_bytes + s.patch_bytes);
  QGemmArgs args;
  SetQGemmOutput(s.output, nullptr, *context.input(3), padded, context.input(4), &args);
  const int64_t phases = window.sw < g.ow ? window.sw : g.ow;
  for (size_t row = cell.m_begin; row < cell.m_end; ++row) {
    const int64_t r = static_cast<int64_t>(row), oy = r % g.oh;
    for (int64_t ox = 0; ox < phases; ++ox) {
      RunPhase(s, work, cell, {r / g.oh, oy, ox, (oy + window.top) % window.sh, (ox + window.left) % window.sw}, args);
    }
  }
}

Status Run(OpContext& context) {
  const State& s = *context.state<State>();
  char* shared = static_cast<char*>(context.shared_scratch());
  memset(shared, s.x_zero_point, static_cast<size_t>(s.geometry.group_c));
  size_t* offsets = reinterpret_cast<size_t*>(shared + s.padding_bytes);
  size_t group_bytes = 0;
  ForEachPhase(s.geometry, [&](size_t phase, size_t k) {
    offsets[phase] = group_bytes;
    group_bytes += s.grid.panels * QGemmPanelBytes(k);
  });
  const size_t cells = s.grid.cells();
  context.ParallelFor(cells * static_cast<size_t>(s.geometry.group), 1, [&](size_t thread, size_t begin, size_t end) {
    for (size_t i = begin; i < end; ++i) {
      RunCell(context, s, i / cells, QGemmCell(s.grid, i % cells), group_bytes, thread);
    }
  });
  return Status::Ok();
}

}  // namespace

OpKernel Cpu_q_conv_transpose2d() {
  OpKernel kernel;
  kernel.prepare = Prepare;
  kernel.run = Run;
  return kernel;
}

}  // namespace tealight
