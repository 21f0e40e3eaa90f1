// SPDX-License-Identifier: Apache-2.0
// CPU q_depthwise_conv2d (sdk/tealight/ops/q_depthwise_conv2d.py): ranges of output rows and of channels go to the
// threads, as large as they can be, since a kernel prepares its weights in every call.
#include "backends/cpu/conv_window.h"
#include "backends/cpu/quantized.h"
#include "kernels/qdwconv/qdwconv.h"

namespace tealight {
namespace {

struct State {
  QDwconvArgs args;  // without the pointers
  const QDwconvKernels* kernels;
  QuantizedOutput output;
  ptrdiff_t images;
  ptrdiff_t row_step, row_items;          // output rows of one item, items of one image
  ptrdiff_t channel_step, channel_items;  // channels of one item, items of one row item
};

constexpr ptrdiff_t kBlock = 64;  // channels that the widest kernels take at once

Status CheckOperands(const OpContext& context, const ConvWindow& window) {
  const Tensor* x = context.input(0);
  const Tensor* weight = context.input(1);
  if (x == nullptr || weight == nullptr || x->dtype != DType::kInt8 || weight->dtype != DType::kInt8) {
    return context.Error(TL_ERROR_WRONG_DTYPE, "operands of other types, expected int8 x and weight");
  }
  if (x->shape.rank != 4 || weight->shape.rank != 3 || weight->layout != Layout::kDwconvC16R4 || !weight->is_constant) {
    return context.Error(TL_ERROR_WRONG_SHAPE, "ranks %d and %d, expected x [n, h, w, c] and a packed constant weight",
                         x->shape.rank, weight->shape.rank);
  }
  const int64_t c = x->shape[3];
  if (weight->shape[0] != c || weight->shape[1] != window.kh || weight->shape[2] != window.kw) {
    return context.Error(TL_ERROR_WRONG_SHAPE, "weight [%lld, %lld, %lld] does not fit x, expected [c, kh, kw]",
                         static_cast<long long>(weight->shape[0]), static_cast<long long>(weight->shape[1]),
                         static_cast<long long>(weight->shape[2]));
  }
  RETURN_IF_ERROR(CheckChannels(context, "bias", context.input(2), DType::kInt32, c, 1));
  RETURN_IF_ERROR(CheckChannels(context, "scale", context.input(3), DType::kFloat32, c, 1));
  return CheckWindowLimits(context, window, x->shape);
}

// Images first, then blocks of channels, then rows: about four items for each thread.
void PlanItems(State* s, size_t num_threads) {
  const QDwconvArgs& a = s->args;
  const ptrdiff_t threads = static_cast<ptrdiff_t>(num_threads);
  const ptrdiff_t wanted =
      threads == 1 || s->images >= 4 * threads || s->images == 0 ? 1 : (4 * threads + s->images - 1) / s->images;
  const ptrdiff_t blocks = a.c < kBlock ? 1 : a.c / kBlock;
  const ptrdiff_t channel_items = blocks < wanted ? blocks : wanted;
  s->channel_step = (blocks + channel_items - 1) / channel_items * kBlock;
  if (blocks == 1) s->channel_step = a.c < 1 ? 1 : a.c;
  s->channel_items = (a.c + s->channel_step - 1) / s->channel_step;
  const ptrdiff_t pairs = (a.oh + 1) / 2, cuts = (wanted + channel_items - 1) / channel_items;
  s->row_step = pairs == 0 ? 2 : (pairs + cuts - 1) / cuts * 2;
  s->row_items = (a.oh + s->row_step - 1) / s->row_step;
}

Status Prepare(OpContext& context) {
  const auto& attributes = context.attributes<schema::QDepthwiseConv2d>();
  State* s = new (context.state<State>()) State();
  ConvWindow window;
  RETURN_IF_ERROR(ReadConvWindow(context, attributes, &window));
  RETURN_IF_ERROR(CheckOperands(context, window));
  const Shape& x = context.input(0)->shape;
  Shape y = x;
  y[1] = ConvOutputSize(x[1], window.kh, window.sh, window.dh, window.top, window.bottom);
  y[2] = ConvOutputSize(x[2], window.kw, window.sw, window.dw, window.left, window.right);
  RETURN_IF_ERROR(ReadQuantizedOutput(context, attributes.output(), attributes.residual_add(), 4, y, &s->output));
  QDwconvArgs& a = s->args;
  SetWindowArgs(window, x, y, &a);
  a.x_zero_point = attributes.x_zero_point();
  a.weight_zero_point = attributes.weight_zero_point();
  RETURN_IF_ERROR(CheckInt8(context, "x_zero_point", a.x_zero_point));
  RETURN_IF_ERROR(CheckInt8(context, "weight_zero_point", a.weight_zero_point));
  a.requantization = s->output.requantization;
  a.add = s->output.add;
  s->kernels = FindQDwconv(context.isa());
  s->images = static_cast<ptrdiff_t>(x[0]);
  PlanItems(s, context.num_threads());
  context.RequestScratch(QDwconvOutsideBytes(a.w, a.c), 0);
  return context.SetOutput(0, DType::kInt8, y);
}

void RunItem(const OpContext& context, const State& s, ptrdiff_t item) {
  const ptrdiff_t chunk = item % s.channel_items, rest = item / s.channel_items;
  const ptrdiff_t image = rest / s.row_items, row = rest % s.row_items * s.row_step;
  QDwconvArgs a = s.args;
  const ptrdiff_t out = image * a.oh * a.ow * a.c;
  a.x = context.input(0)->As<int8_t>() + image * a.h * a.w * a.c;
  a.weight = context.input(1)->As<int8_t>();
  a.bias = context.input(2)->As<int32_t>();
  a.scale = context.input(3)->As<float>();
  a.residual = s.output.has_residual ? context.input(4)->As<int8_t>() + out : nullptr;
  a.table = s.output.has_table ? context.input(5)->As<int8_t>() : nullptr;
  a.y = context.output(0)->As<int8_t>() + out;
  a.outside = static_cast<const int8_t*>(context.shared_scratch());
  const ptrdiff_t c_begin = chunk * s.channel_step, row_end = row + s.row_step;
  const ptrdiff_t c_end = c_begin + s.channel_step;
  s.kernels->run(a, row, row_end < a.oh ? row_end : a.oh, c_begin, c_end < a.c ? c_end : a.c);
}

Status Run(OpContext& context) {
  const State& s = *context.state<State>();
  memset(context.shared_scratch(), s.args.x_zero_point, QDwconvOutsideBytes(s.args.w, s.args.c));
  const size_t items = static_cast<size_t>(s.images * s.row_items * s.channel_items);
  context.ParallelFor(items, 1, [&](size_t, size_t begin, size_t end) {
    for (size_t i = begin; i < end; ++i) RunItem(context, s, static_cast<ptrdiff_t>(i));
  });
  return Status::Ok();
}

}  // namespace

OpKernel Cpu_q_depthwise_conv2d() { return {Prepare, Run}; }

}  // namespace tealight
