// SPDX-License-Identifier: Apache-2.0
// CPU conv2d: a gemm whose rows are output pixels and whose k runs over kernel row, kernel column, input channel.
// No im2col: the kernel reads the image through a table of pointers. A tap is a whole kernel row (kw * c adjacent
// elements) where the window has no gaps, else one kernel column. Padding is a run of zeros that takes part.
#include "backends/cpu/activation.h"
#include "backends/cpu/conv_window.h"
#include "backends/cpu/stored_weights.h"
#include "backends/cpu/winograd_conv.h"

namespace tealight {
namespace {

struct State {
  ConvWindow window;
  FusedActivation activation;
  const GemmKernels* gemm;
  GemmGrid grid;
  StoredWeights weights;
  int64_t h, w, c, oh, ow, group;
  int64_t group_c;  // channels of one group
  int64_t group_oc;
  bool pointwise;  // row i of the gemm is pixel i of x
  bool row_taps;   // a tap is a kernel row
  size_t taps, run;
  WinogradPlan winograd;
  size_t table_bytes;  // of the pointers in the thread's scratch, before the patches
  size_t patch_bytes;  // of the patches, before the decoded weights
};

int64_t OutputSize(int64_t size, int64_t kernel, int64_t stride, int64_t dilation, int64_t pad_begin, int64_t pad_end) {
  const int64_t span = size + pad_begin + pad_end - ((kernel - 1) * dilation + 1);
  return span < 0 ? 0 : span / stride + 1;
}

Status CheckWinograd(const OpContext& context, const State& s) {
  const ConvWindow& window = s.window;
  if (!s.weights.is_float32()) {
    return context.Error(TL_ERROR_UNSUPPORTED_OP, "winograd with a %s weight, expected float32",
                         DTypeName(s.weights.panels.dtype));
  }
  const bool fits = window.kh == 3 && window.kw == 3 && window.sh == 1 && window.sw == 1 && window.dh == 1 &&
                    window.dw == 1 && s.group == 1 && (s.winograd.m == 2 || s.winograd.m == 4);
  if (fits) return Status::Ok();
  return context.Error(TL_ERROR_INVALID_BUNDLE,
                       "winograd %d, expected 2 or 4 for a 3x3 kernel with stride, dilation and group 1", s.winograd.m);
}

Status PrepareWinograd(OpContext& context, const State& s, size_t images, size_t oc, WinogradPlan* plan) {
  plan->h = static_cast<size_t>(s.h);
  plan->w = static_cast<size_t>(s.w);
  plan->c = static_cast<size_t>(s.c);
  plan->oh = static_cast<size_t>(s.oh);
  plan->ow = static_cast<size_t>(s.ow);
  plan->oc = oc;
  plan->top = static_cast<size_t>(s.window.top);
  plan->left = static_cast<size_t>(s.window.left);
  return PlanWinograd(context, images, plan);
}

Status Prepare(OpContext& context) {
  const schema::Conv2d& attributes = context.attributes<schema::Conv2d>();
  State* s = new (context.state<State>()) State();
  RETURN_IF_ERROR(ReadConvWindow(context, attributes, &s->window));
  RETURN_IF_ERROR(ReadActivation(context, attributes.activation(), &s->activation));
  s->group = attributes.group();
  s->winograd.m = attributes.winograd();
  const bool winograd = s->winograd.m != 0;
  RETURN_IF_ERROR(CheckConvOperands(context, s->window, s->group, winograd ? Layout::kWinogradN16 : Layout::kGemmN16));
  RETURN_IF_ERROR(ReadStoredWeights(context, 1, 4, 5, attributes.block_size(), &s->weights));
  if (winograd) RETURN_IF_ERROR(CheckWinograd(context, *s));
  const Tensor& x = *context.input(0);
  const ConvWindow& window = s->window;
  s->h = x.shape[1];
  s->w = x.shape[2];
  s->c = x.shape[3];
  s->oh = OutputSize(s->h, window.kh, window.sh, window.dh, window.top, window.bottom);
  s->ow = OutputSize(s->w, window.kw, window.sw, window.dw, window.left, window.right);
  s->group_c = s->c / s->group;
  const int64_t oc = context.input(1)->shape[0];
  s->group_oc = oc / s->group;
  Shape shape;
  shape.Append(x.shape[0]);
  shape.Append(s->oh);
  shape.Append(s->ow);
  shape.Append(oc);
  RETURN_IF_ERROR(CheckResidual(context, context.input(3), shape));
  RETURN_IF_ERROR(context.SetOutput(0, DType::kFloat32, shape));

  size_t pixels = 0;
  RETURN_IF_ERROR(CountRows(context, shape[0], s->oh, s->ow, &pixels));
  if (winograd) {
    return PrepareWinograd(context, *s, static_cast<size_t>(shape[0]), static_cast<size_t>(oc), &s->winograd);
  }
  s->pointwise = window.kh * window.kw == 1 && window.sh * window.sw == 1 &&
                 window.top + window.left + window.bottom + window.right == 0;
  s->row_taps = s->group == 1 && (window.dw == 1 || window.kw == 1);
  s->taps = static_cast<size_t>(s->row_taps ? window.kh : window.kh * window.kw);
  s->run = static_cast<size_t>(s->row_taps ? window.kw * s->group_c : s->group_c);
  const size_t k = s->taps * s->run;
  const GemmKernels* gemm = s->gemm = FindGemm(context.isa(), static_cast<size_t>(s->group_oc));
  s->grid = PlanGemmGrid(pixels, static_cast<size_t>(s->group_oc), k, gemm->max_rows, context.num_threads());
  // Per thread: the table of pointers, and with row_taps a copy of each row's window where it crosses an edge.
  s->table_bytes = (s->taps * gemm->max_rows * sizeof(float*) + 63) / 64 * 64;
  s->patch_bytes = s->row_taps && (window.left > 0 || window.right > 0) ? gemm->max_rows * k * sizeof(float) : 0;
  context.RequestScratch(s->run * sizeof(float),
                         s->table_bytes + s->patch_bytes + DecodeScratchBytes(s->weights, s->grid));
  return Status::Ok();
}

// The window of one output pixel: its upper left corner may lie outside of the image.
struct Corner {
  int64_t image, row, column;
};

// Fills a patch [kh][kw * c] with the window and zeros around the image.
void CopyPatch(const State& s, const float* x, const Corner& at, float* patch) {
  const ConvWindow& window = s.window;
  const int64_t begin = at.column < 0 ? -at.column : 0;
  const int64_t end = at.column + window.kw > s.w ? s.w - at.column : window.kw;
  const size_t run = s.run, c = static_cast<size_t>(s.c);
  for (int64_t r = 0; r < window.kh; ++r, patch += run) {
    const int64_t row = at.row + r * window.dh;
    if (row < 0 || row >= s.h || begin >= end) {
      memset(patch, 0, run * sizeof(float));
      continue;
    }
    const size_t before = static_cast<size_t>(begin) * c, after = static_cast<size_t>(end) * c;
    memset(patch, 0, before * sizeof(float));
    memcpy(patch + before, x + ((at.image * s.h + row) * s.w + at.column + begin) * s.c,
           (after - before) * sizeof(float));
    memset(patch + after, 0, (run - after) * sizeof(float));
  }
}

// Pointers to the taps of the pixel at the corner, and of those right of it while their windows stay inside of the
// image's columns, at most `most`: table[t * step + i]. Returns how many pixels that were.
size_t PointRowTaps(const State& s, const float* x, const float* zeros, const Corner& at, size_t most, float* patch,
                    const float** table, size_t step) {
  const ConvWindow& window = s.window;
  if (at.column < 0 || at.column + window.kw > s.w) {
    CopyPatch(s, x, at, patch);
    for (size_t t = 0; t < s.taps; ++t) table[t * step] = patch + t * s.run;
    return 1;
  }
  const size_t count = Least(most, static_cast<size_t>((s.w - window.kw - at.column) / window.sw) + 1);
  const int64_t row_elems = s.w * s.c;
  const float* corner = x + (at.image * s.h + at.row) * row_elems + at.column * s.c;
  const int64_t next = window.sw * s.c;
  for (size_t t = 0; t < s.taps; ++t) {
    const int64_t row = at.row + static_cast<int64_t>(t) * window.dh;
    const bool inside = row >= 0 && row < s.h;
    const float* tap = inside ? corner + static_cast<int64_t>(t) * window.dh * row_elems : zeros;
    for (size_t i = 0; i < count; ++i) table[t * step + i] = inside ? tap + static_cast<int64_t>(i) * next : zeros;
  }
  return count;
}

void PointColumnTaps(const State& s, const float* x, const float* zeros, const Corner& at, const float** table,
                     size_t step) {
  const ConvWindow& window = s.window;
  for (int64_t r = 0; r < window.kh; ++r) {
    const int64_t row = at.row + r * window.dh;
    for (int64_t q = 0; q < window.kw; ++q, table += step) {
      const int64_t column = at.column + q * window.dw;
      const bool inside = row >= 0 && row < s.h && column >= 0 && column < s.w;
      *table = inside ? x + ((at.image * s.h + row) * s.w + column) * s.c : zeros;
    }
  }
}

// The pointer table of pixels [begin, end): rows[t * (end - begin) + i].
void FillTable(const State& s, const float* x, const float* zeros, size_t begin, size_t end, float* patches,
               const float** rows) {
  const size_t m = end - begin;
  if (s.pointwise) {
    const size_t c = static_cast<size_t>(s.c);
    for (size_t i = 0; i < m; ++i) rows[i] = x + (begin + i) * c;
    return;
  }
  const int64_t first = static_cast<int64_t>(begin);
  int64_t ox = first % s.ow, oy = first / s.ow % s.oh, image = first / s.ow / s.oh;
  for (size_t i = 0; i < m;) {
    const Corner at = {image, oy * s.window.sh - s.window.top, ox * s.window.sw - s.window.left};
    size_t done = 1;
    if (s.row_taps) {
      const size_t most = Least(m - i, static_cast<size_t>(s.ow - ox));
      done = PointRowTaps(s, x, zeros, at, most, patches + i * s.taps * s.run, rows + i, m);
    } else {
      PointColumnTaps(s, x, zeros, at, rows + i, m);
    }
    i += done;
    ox += static_cast<int64_t>(done);
    if (ox == s.ow) {
      ox = 0;
      if (++oy == s.oh) {
        oy = 0;
        ++image;
      }
    }
  }
}

void RunCell(const OpContext& context, const State& s, const GemmKernels& gemm, size_t group, const GemmCell& cell,
             size_t thread) {
  const size_t oc = static_cast<size_t>(s.group_oc * s.group);
  const float* x = context.input(0)->As<float>() + group * static_cast<size_t>(s.group_c);
  const float* zeros = static_cast<const float*>(context.shared_scratch());
  char* scratch = static_cast<char*>(context.thread_scratch(thread));
  const float** rows = reinterpret_cast<const float**>(scratch);
  float* patches = reinterpret_cast<float*>(scratch + s.table_bytes);
  float* decoded = reinterpret_cast<float*>(scratch + s.table_bytes + s.patch_bytes);
  const ElementwiseKernels& elementwise = *FindElementwise(context.isa());
  const Tensor* bias = context.input(2);
  const Tensor* residual = context.input(3);
  GemmArgs common;
  common.taps = s.taps;
  common.run = s.run;
  common.dst_stride = common.residual_stride = oc;
  common.lo = s.activation.lo;
  common.hi = s.activation.hi;
  ForEachRhs(context.isa(), gemm, s.weights, group, cell, decoded, common,
             [&](const GemmCell& part, const GemmRhs& rhs, GemmArgs args) {
               const size_t column = group * static_cast<size_t>(s.group_oc) + part.n_begin;
               args.bias = bias != nullptr ? bias->As<float>() + column : nullptr;
               ForEachTile(part, gemm.max_rows, [&](size_t begin, size_t end) {
                 FillTable(s, x, zeros, begin, end, patches, rows);
                 const size_t at = begin * oc + column;
                 args.dst = context.output(0)->As<float>() + at;
                 args.residual = residual != nullptr ? residual->As<float>() + at : nullptr;
                 rhs.Multiply(rows, end - begin, args);
                 s.activation.Apply(elementwise, args.dst, oc, end - begin, args.n);
               });
             });
}

Status Run(OpContext& context) {
  const State& s = *context.state<State>();
  if (s.winograd.m != 0) {
    RunWinograd(context, s.winograd, s.activation);
    return Status::Ok();
  }
  const GemmKernels& gemm = *s.gemm;
  memset(context.shared_scratch(), 0, s.run * sizeof(float));
  const size_t cells = s.grid.cells();
  context.ParallelFor(cells * static_cast<size_t>(s.group), 1, [&](size_t thread, size_t begin, size_t end) {
    for (size_t i = begin; i < end; ++i) RunCell(context, s, gemm, i / cells, s.grid.Cell(i % cells), thread);
  });
  return Status::Ok();
}

}  // namespace

OpKernel Cpu_conv2d() {
  OpKernel kernel;
  kernel.prepare = Prepare;
  kernel.run = Run;
  return kernel;
}

}  // namespace tealight
