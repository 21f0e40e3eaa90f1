// SPDX-License-Identifier: Apache-2.0
// CPU conv_transpose2d, by output phases: pixel o has phase (o + pad) mod stride, and only the taps with
// tap * dilation of the same phase reach it. So each phase is a small convolution of stride 1 with its own weights
// (layout conv_transpose_n16); its pixels of one output row are the rows of a gemm. Stored weights are decoded first,
// all of them: every output row reads the weights of its phases.
#include "backends/cpu/activation.h"
#include "backends/cpu/conv_window.h"
#include "backends/cpu/gemm_grid.h"

namespace tealight {
namespace {

struct State {
  ConvWindow window;
  FusedActivation activation;
  const GemmKernels* gemm;
  GemmGrid grid;  // its rows are output rows
  StoredWeights weights;
  size_t zero_bytes;  // of the zeros in the shared scratch, before the decoded weights
  int64_t h, w, c, oh, ow, group, group_c, group_oc;
};

Status OutputSize(const OpContext& context, int64_t size, int64_t kernel, int64_t stride, int64_t dilation,
                  int64_t pads, int64_t padding, int64_t* result) {
  int64_t last = 0;
  if (size > 0 && (__builtin_mul_overflow(size - 1, stride, &last) || last > INT64_MAX / 2)) {
    return context.Error(TL_ERROR_WRONG_SHAPE, "x of size %lld, expected a smaller one", static_cast<long long>(size));
  }
  *result = size > 0 ? last + (kernel - 1) * dilation + 1 + padding - pads : 0;
  if (*result < 0 || (*result == 0 && size > 0)) {
    return context.Error(TL_ERROR_WRONG_SHAPE, "pads %lld, expected a result of at least one pixel",
                         static_cast<long long>(pads));
  }
  return Status::Ok();
}

Status Prepare(OpContext& context) {
  const schema::ConvTranspose2d& attributes = context.attributes<schema::ConvTranspose2d>();
  State* s = new (context.state<State>()) State();
  ConvWindow& window = s->window;
  int64_t padding_h = 0, padding_w = 0;
  int64_t* const output_padding[] = {&padding_h, &padding_w};
  RETURN_IF_ERROR(ReadConvWindow(context, attributes, &window));
  RETURN_IF_ERROR(ReadWindowList(context, "output_padding", attributes.output_padding(), 2, 0, output_padding));
  RETURN_IF_ERROR(ReadActivation(context, attributes.activation(), &s->activation));
  s->group = attributes.group();
  RETURN_IF_ERROR(CheckConvOperands(context, window, s->group, Layout::kConvTransposeN16));
  const Tensor& x = *context.input(0);
  const int64_t oc = context.input(1)->shape[0];
  s->h = x.shape[1];
  s->w = x.shape[2];
  s->c = x.shape[3];
  s->group_c = s->c / s->group;
  s->group_oc = oc / s->group;
  RETURN_IF_ERROR(
      OutputSize(context, s->h, window.kh, window.sh, window.dh, window.top + window.bottom, padding_h, &s->oh));
  RETURN_IF_ERROR(
      OutputSize(context, s->w, window.kw, window.sw, window.dw, window.left + window.right, padding_w, &s->ow));
  Shape shape;
  shape.Append(x.shape[0]);
  shape.Append(s->oh);
  shape.Append(s->ow);
  shape.Append(oc);
  RETURN_IF_ERROR(context.SetOutput(0, DType::kFloat32, shape));
  const size_t n = static_cast<size_t>(s->group_oc);
  const size_t taps = static_cast<size_t>(window.kh * window.kw);
  s->gemm = FindGemm(context.isa(), n);
  size_t output_rows = 0;
  RETURN_IF_ERROR(CountRows(context, shape[0], s->oh, s->ow > 0 ? 1 : 0, &output_rows));
  const double row_work = static_cast<double>(s->ow) / static_cast<double>(window.sh * window.sw);
  s->grid = PlanGemmGrid(output_rows, n, taps * static_cast<size_t>(s->group_c), 1, context.num_threads(), row_work);
  RETURN_IF_ERROR(ReadStoredWeights(context, 1, 3, 4, 0, &s->weights));
  s->zero_bytes = (static_cast<size_t>(s->group_c) * sizeof(float) + 63) / 64 * 64;
  const size_t decoded = DecodedFloats(s->weights, static_cast<size_t>(s->group)) * sizeof(float);
  context.RequestScratch(s->zero_bytes + decoded, taps * s->gemm->max_rows * sizeof(float*));
  return Status::Ok();
}

// Of `kernel` taps, those whose phase is below `phase`, and those whose phase it is.
struct PhaseTaps {
  int64_t before = 0, own = 0;
};
PhaseTaps CountTaps(int64_t kernel, int64_t dilation, int64_t stride, int64_t phase) {
  PhaseTaps taps;
  for (int64_t t = 0; t < kernel; ++t) {
    const int64_t p = t * dilation % stride;
    taps.before += p < phase;
    taps.own += p == phase;
  }
  return taps;
}

// The next phase that has taps; `stride` when there is none. Strides may be far larger than kernels.
int64_t NextPhase(int64_t kernel, int64_t dilation, int64_t stride, int64_t after) {
  int64_t next = stride;
  for (int64_t t = 0; t < kernel; ++t) {
    const int64_t p = t * dilation % stride;
    if (p > after && p < next) next = p;
  }
  return next;
}

// Where a run of output pixels of one phase lies: pixel i is (oy, ox + i * sw).
struct PhaseRun {
  int64_t image, oy, ox, phase_h, phase_w;
};

// rows[t * m + i] points to what tap t of the phase reads for pixel i.
void FillTable(const State& s, const float* x, const float* zeros, const PhaseRun& at, size_t m, const float** rows) {
  const ConvWindow& window = s.window;
  for (int64_t r = 0; r < window.kh; ++r) {
    if (r * window.dh % window.sh != at.phase_h) continue;
    const int64_t row = (at.oy + window.top - r * window.dh) / window.sh;  // exact, maybe negative
    for (int64_t q = 0; q < window.kw; ++q) {
      if (q * window.dw % window.sw != at.phase_w) continue;
      const int64_t column = (at.ox + window.left - q * window.dw) / window.sw;
      const bool row_inside = row >= 0 && row < s.h;
      const float* first = row_inside ? x + ((at.image * s.h + row) * s.w + column) * s.c : zeros;
      for (size_t i = 0; i < m; ++i) {
        const int64_t here = column + static_cast<int64_t>(i);
        const bool inside = row_inside && here >= 0 && here < s.w;
        *rows++ = inside ? first + static_cast<int64_t>(i) * s.c : zeros;
      }
    }
  }
}

float* DecodedWeights(const OpContext& context, const State& s) {
  return reinterpret_cast<float*>(static_cast<char*>(context.shared_scratch()) + s.zero_bytes);
}

// Decodes the panels of one phase after the other, each a gemm_n16 of its taps with the group's scales.
void DecodePhases(const OpContext& context, const State& s, size_t group) {
  const ConvWindow& window = s.window;
  StoredPanels phase = s.weights.Group(group);
  float* dst = DecodedWeights(context, s) + group * s.grid.panels * kGemmPanel * s.weights.panels.k;
  if (s.group_c == 0) return;
  for (int64_t h = 0; h < window.sh; h = NextPhase(window.kh, window.dh, window.sh, h)) {
    const int64_t row_taps = CountTaps(window.kh, window.dh, window.sh, h).own;
    for (int64_t w = 0; w < window.sw; w = NextPhase(window.kw, window.dw, window.sw, w)) {
      phase.k = static_cast<size_t>(row_taps * CountTaps(window.kw, window.dw, window.sw, w).own * s.group_c);
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
  const ConvWindow& window = s.window;
  const ElementwiseKernels& elementwise = *FindElementwise(context.isa());
  const size_t oc = static_cast<size_t>(s.group_oc * s.group);
  PhaseRun at = {image, oy, 0, (oy + window.top) % window.sh, 0};
  const PhaseTaps row_taps = CountTaps(window.kh, window.dh, window.sh, at.phase_h);
  const int64_t phases = window.sw < s.ow ? window.sw : s.ow;
  for (int64_t first = 0; first < phases; ++first) {
    at.phase_w = (first + window.left) % window.sw;
    const PhaseTaps column_taps = CountTaps(window.kw, window.dw, window.sw, at.phase_w);
    const size_t taps_before = static_cast<size_t>(row_taps.before * window.kw + row_taps.own * column_taps.before);
    args.taps = static_cast<size_t>(row_taps.own * column_taps.own);
    const size_t k = args.taps * args.run;
    SetPackedRhs(p.weight + s.grid.panels * kGemmPanel * taps_before * args.run, k, cell, &args);
    const size_t pixels = static_cast<size_t>((s.ow - first + window.sw - 1) / window.sw);
    const size_t step = static_cast<size_t>(window.sw) * oc;
    args.dst_stride = step;
    ForEachTile({0, pixels, 0, 0}, gemm.max_rows, [&](size_t begin, size_t end) {
      at.ox = first + static_cast<int64_t>(begin) * window.sw;
      FillTable(s, p.x, p.zeros, at, end - begin, p.rows);
      args.dst = p.y + static_cast<size_t>((image * s.oh + oy) * s.ow + at.ox) * oc;
      gemm.tile(p.rows, end - begin, args);
      s.activation.Apply(elementwise, args.dst, step, end - begin, args.n);
    });
  }
}

void RunCell(const OpContext& context, const State& s, const GemmKernels& gemm, size_t group, const GemmCell& cell,
             size_t thread) {
  const size_t group_c = static_cast<size_t>(s.group_c);
  const size_t taps = static_cast<size_t>(s.window.kh * s.window.kw);
  const size_t column = group * static_cast<size_t>(s.group_oc) + cell.n_begin;
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
    RunRow(context, s, gemm, cell, r / s.oh, r % s.oh, p, args);
  }
}

Status Run(OpContext& context) {
  const State& s = *context.state<State>();
  const GemmKernels& gemm = *s.gemm;
  memset(context.shared_scratch(), 0, static_cast<size_t>(s.group_c) * sizeof(float));
  if (!s.weights.is_float32()) {
    context.ParallelFor(static_cast<size_t>(s.group), 1, [&](size_t, size_t begin, size_t end) {
      for (size_t g = begin; g < end; ++g) DecodePhases(context, s, g);
    });
  }
  const size_t cells = s.grid.cells();
  context.ParallelFor(cells * static_cast<size_t>(s.group), 1, [&](size_t thread, size_t begin, size_t end) {
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
