// SPDX-License-Identifier: Apache-2.0
// CPU conv2d: a gemm whose rows are output pixels and whose k runs over kernel row, kernel column, input channel.
// No im2col: the kernel reads the image through a table of pointers (conv_rows.h). Padding is a run of zeros that takes
// part.
#include "backends/cpu/activation.h"
#include "backends/cpu/conv_rows.h"
#include "backends/cpu/stored_weights.h"
#include "backends/cpu/winograd_conv.h"

namespace tealight {
namespace {

struct State {
  ConvGeometry geometry;
  FusedActivation activation;
  const GemmKernels* gemm;
  GemmGrid grid;
  StoredWeights weights;
  WinogradPlan winograd;
  size_t table_bytes;  // of the pointers in the thread's scratch, before the patches
  size_t patch_bytes;  // of the patches, before the decoded weights
};

Status CheckWinograd(const OpContext& context, const State& s) {
  const ConvWindow& window = s.geometry.window;
  const bool fits = window.kh == 3 && window.kw == 3 && window.sh == 1 && window.sw == 1 && window.dh == 1 &&
                    window.dw == 1 && s.geometry.group == 1 && (s.winograd.m == 2 || s.winograd.m == 4);
  if (fits) return Status::Ok();
  return context.Error(TL_ERROR_INVALID_BUNDLE,
                       "winograd %d, expected 2 or 4 for a 3x3 kernel with stride, dilation and group 1", s.winograd.m);
}

Status PrepareWinograd(OpContext& context, const State& s, size_t images, size_t oc, WinogradPlan* plan) {
  const ConvGeometry& g = s.geometry;
  plan->h = static_cast<size_t>(g.h);
  plan->w = static_cast<size_t>(g.w);
  plan->c = static_cast<size_t>(g.c);
  plan->oh = static_cast<size_t>(g.oh);
  plan->ow = static_cast<size_t>(g.ow);
  plan->oc = oc;
  plan->top = static_cast<size_t>(g.window.top);
  plan->left = static_cast<size_t>(g.window.left);
  return PlanWinograd(context, images, s.weights, plan);
}

Status Prepare(OpContext& context) {
  const schema::Conv2d& attributes = context.attributes<schema::Conv2d>();
  State* s = new (context.state<State>()) State();
  ConvGeometry& g = s->geometry;
  RETURN_IF_ERROR(ReadConvWindow(context, attributes, &g.window));
  RETURN_IF_ERROR(ReadActivation(context, attributes.activation(), &s->activation));
  g.group = attributes.group();
  s->winograd.m = attributes.winograd();
  const bool winograd = s->winograd.m != 0;
  const Tensor* weight = context.input(1);
  const bool transformed = winograd && weight != nullptr && weight->dtype == DType::kFloat32;
  RETURN_IF_ERROR(CheckConvOperands(context, g.window, g.group, transformed ? Layout::kWinogradN16 : Layout::kGemmN16));
  RETURN_IF_ERROR(ReadStoredWeights(context, 1, 4, 5, attributes.block_size(), &s->weights));
  if (winograd) RETURN_IF_ERROR(CheckWinograd(context, *s));
  const Tensor& x = *context.input(0);
  const int64_t oc = context.input(1)->shape[0];
  PlanConvGeometry(x.shape, oc, 1, &g);
  const Shape shape = ConvOutputShape(g, x.shape[0]);
  RETURN_IF_ERROR(CheckResidual(context, context.input(3), shape));
  RETURN_IF_ERROR(context.SetOutput(0, DType::kFloat32, shape));

  size_t pixels = 0;
  RETURN_IF_ERROR(CountRows(context, shape[0], g.oh, g.ow, &pixels));
  if (winograd) {
    return PrepareWinograd(context, *s, static_cast<size_t>(shape[0]), static_cast<size_t>(oc), &s->winograd);
  }
  const GemmKernels* gemm = s->gemm = FindGemm(context.isa(), static_cast<size_t>(g.group_oc));
  s->grid = PlanGemmGrid(pixels, static_cast<size_t>(g.group_oc), g.k, gemm->max_rows, context.num_threads());
  // Per thread: the table of pointers, and copies of windows that cross an edge.
  s->table_bytes = (g.taps * gemm->max_rows * sizeof(float*) + 63) / 64 * 64;
  s->patch_bytes = (ConvPatchElems(g, gemm->max_rows) * sizeof(float) + 63) / 64 * 64;
  context.RequestScratch(ConvTapElems(g) * sizeof(float),
                         s->table_bytes + s->patch_bytes + DecodeScratchBytes(s->weights, s->grid));
  return Status::Ok();
}

void RunCell(const OpContext& context, const State& s, const GemmKernels& gemm, size_t group, const GemmCell& cell,
             size_t thread) {
  const ConvGeometry& g = s.geometry;
  const size_t oc = static_cast<size_t>(g.group_oc * g.group);
  const Tensor& x = *context.input(0);
  char* scratch = static_cast<char*>(context.thread_scratch(thread));
  const float** rows = reinterpret_cast<const float**>(scratch);
  const ConvSource<float> source = {x.As<float>() + group * static_cast<size_t>(g.group_c),
                                    static_cast<const float*>(context.shared_scratch()),
                                    reinterpret_cast<float*>(scratch + s.table_bytes)};
  float* decoded = reinterpret_cast<float*>(scratch + s.table_bytes + s.patch_bytes);
  const ElementwiseKernels& elementwise = *FindElementwise(context.isa());
  const Tensor* bias = context.input(2);
  const Tensor* residual = context.input(3);
  GemmArgs common;
  common.taps = g.taps;
  common.run = g.run;
  common.dst_stride = common.residual_stride = oc;
  common.lo = s.activation.lo;
  common.hi = s.activation.hi;
  ForEachRhs(context.isa(), gemm, s.weights, group, cell, decoded, common,
             [&](const GemmCell& part, const GemmRhs& rhs, GemmArgs args) {
               const size_t column = group * static_cast<size_t>(g.group_oc) + part.n_begin;
               args.bias = bias != nullptr ? bias->As<float>() + column : nullptr;
               ForEachTile(part, rhs.max_rows(), [&](size_t begin, size_t end) {
                 FillConvRows(g, source, begin, end, rows);
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
  if (kHaveWinograd && s.winograd.m != 0) {  // spares a selective build the code
    RunWinograd(context, s.winograd, s.weights, s.activation);
    return Status::Ok();
  }
  const GemmKernels& gemm = *s.gemm;
  memset(context.shared_scratch(), 0, ConvTapElems(s.geometry) * sizeof(float));
  const size_t cells = s.grid.cells();
  context.ParallelFor(cells * static_cast<size_t>(s.geometry.group), 1, [&](size_t thread, size_t begin, size_t end) {
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
