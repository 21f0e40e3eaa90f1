// SPDX-License-Identifier: Apache-2.0
// CPU depthwise_conv2d: pairs of output rows, and ranges of channels where there are few rows, go to the threads.
// Stored weights are decoded first, all of them: they are few.
#include "backends/cpu/activation.h"
#include "backends/cpu/conv_window.h"
#include "kernels/dwconv/dwconv.h"

namespace tealight {
namespace {

struct State {
  DwconvArgs args;  // without the pointers
  const DwconvKernels* kernels;
  FusedActivation activation;
  StoredWeights weights;
  ptrdiff_t images;
  ptrdiff_t row_step;           // output rows of one item
  ptrdiff_t row_items, chunks;  // items of one image: row_items * chunks
  ptrdiff_t channel_blocks;     // whole blocks of 16 channels, at least 1; the last takes what is left
};

Status CheckOperands(OpContext& context, const ConvWindow& window) {
  const Tensor* x = context.input(0);
  const Tensor* weight = context.input(1);
  const Tensor* bias = context.input(2);
  if (x == nullptr || weight == nullptr || x->dtype != DType::kFloat32 || !IsWeightDType(weight->dtype)) {
    return context.Error(TL_ERROR_WRONG_DTYPE, "operands of other types, expected float32 x and a weight");
  }
  if (x->shape.rank != 4 || weight->shape.rank != 3 || weight->layout != Layout::kDwconvC16 || !weight->is_constant) {
    return context.Error(TL_ERROR_WRONG_SHAPE, "ranks %d and %d, expected x [n, h, w, c] and a packed constant weight",
                         x->shape.rank, weight->shape.rank);
  }
  if (weight->shape[0] != x->shape[3] || weight->shape[1] != window.kh || weight->shape[2] != window.kw) {
    return context.Error(TL_ERROR_WRONG_SHAPE, "weight [%lld, %lld, %lld] does not fit x, expected [c, kh, kw]",
                         static_cast<long long>(weight->shape[0]), static_cast<long long>(weight->shape[1]),
                         static_cast<long long>(weight->shape[2]));
  }
  if (bias != nullptr && (bias->dtype != DType::kFloat32 || bias->layout != Layout::kPlain || bias->shape.rank != 1 ||
                          bias->shape[0] != x->shape[3])) {
    return context.Error(TL_ERROR_WRONG_SHAPE, "bias does not fit, expected float32 [%lld]",
                         static_cast<long long>(x->shape[3]));
  }
  if (!kHaveDepthwise5x5 && window.kh == 5 && window.kw == 5) {
    return context.Error(TL_ERROR_UNSUPPORTED_OP,
                         "5x5 window, expected none: this library is without it; build it with TL_DEPTHWISE_5X5=ON");
  }
  return CheckWindowLimits(context, window, x->shape);
}

void PlanItems(State* s, size_t threads) {
  const DwconvArgs& a = s->args;
  s->row_step = 2;
  s->row_items = (a.oh + s->row_step - 1) / s->row_step;
  s->channel_blocks = a.c < 32 ? 1 : a.c / 16;
  const ptrdiff_t wanted = threads == 1 ? 1 : static_cast<ptrdiff_t>(threads) * 4;
  const ptrdiff_t rows = s->images * s->row_items;
  s->chunks = rows >= wanted || rows == 0 ? 1 : (wanted + rows - 1) / rows;
  if (s->chunks > s->channel_blocks) s->chunks = s->channel_blocks;
}

Status Prepare(OpContext& context) {
  const auto& attributes = context.attributes<schema::DepthwiseConv2d>();
  State* s = new (context.state<State>()) State();
  ConvWindow window;
  RETURN_IF_ERROR(ReadConvWindow(context, attributes, &window));
  RETURN_IF_ERROR(ReadActivation(context, attributes.activation(), &s->activation));
  RETURN_IF_ERROR(CheckOperands(context, window));
  const Shape& x = context.input(0)->shape;
  DwconvArgs& a = s->args;
  Shape y = x;
  y[1] = ConvOutputSize(x[1], window.kh, window.sh, window.dh, window.top, window.bottom);
  y[2] = ConvOutputSize(x[2], window.kw, window.sw, window.dw, window.left, window.right);
  SetWindowArgs(window, x, y, &a);
  FusedActivation& activation = s->activation;
  if (!(activation.hi > 0 || activation.hi < 0)) {  // a bound that the kernel does not take
    activation.after = UnaryOp::kClip;
    activation.alpha = activation.lo;
    activation.beta = activation.hi;
    activation.lo = -__builtin_inff();
    activation.hi = __builtin_inff();
  }
  a.lo = activation.lo;
  a.hi = activation.hi;
  RETURN_IF_ERROR(CheckResidual(context, context.input(3), y));
  RETURN_IF_ERROR(ReadStoredWeights(context, 1, 4, 5, 0, &s->weights));
  context.RequestScratch(DecodedFloats(s->weights, 1) * sizeof(float), 0);
  s->kernels = FindDwconv(context.isa());
  s->images = static_cast<ptrdiff_t>(x[0]);
  PlanItems(s, context.num_threads());
  return context.SetOutput(0, DType::kFloat32, y);
}

void RunItem(const OpContext& context, const State& s, ptrdiff_t item) {
  const ptrdiff_t chunk = item % s.chunks, rest = item / s.chunks;
  const ptrdiff_t image = rest / s.row_items, row = rest % s.row_items * s.row_step;
  DwconvArgs a = s.args;
  const ptrdiff_t out = image * a.oh * a.ow * a.c;
  a.x = context.input(0)->As<float>() + image * a.h * a.w * a.c;
  const bool stored = !s.weights.is_float32();
  a.weight = stored ? static_cast<const float*>(context.shared_scratch()) : context.input(1)->As<float>();
  a.bias = context.input(2) == nullptr ? nullptr : context.input(2)->As<float>();
  a.residual = context.input(3) == nullptr ? nullptr : context.input(3)->As<float>() + out;
  a.y = context.output(0)->As<float>() + out;
  const ptrdiff_t c_begin = chunk * s.channel_blocks / s.chunks * 16;
  const ptrdiff_t c_end = chunk + 1 == s.chunks ? a.c : (chunk + 1) * s.channel_blocks / s.chunks * 16;
  const ptrdiff_t row_end = row + s.row_step < a.oh ? row + s.row_step : a.oh;
  s.kernels->run(a, row, row_end, c_begin, c_end);
  s.activation.Apply(*FindElementwise(context.isa()), a.y + row * a.ow * a.c + c_begin, static_cast<size_t>(a.c),
                     static_cast<size_t>((row_end - row) * a.ow), static_cast<size_t>(c_end - c_begin));
}

Status Run(OpContext& context) {
  const State& s = *context.state<State>();
  if (!s.weights.is_float32()) DecodeAll(context, s.weights, 1, static_cast<float*>(context.shared_scratch()));
  const size_t items = static_cast<size_t>(s.images * s.row_items * s.chunks);
  context.ParallelFor(items, 1, [&](size_t, size_t begin, size_t end) {
    for (size_t i = begin; i < end; ++i) RunItem(context, s, static_cast<ptrdiff_t>(i));
  });
  return Status::Ok();
}

}  // namespace

OpKernel Cpu_depthwise_conv2d() { return {Prepare, Run}; }

}  // namespace tealight
