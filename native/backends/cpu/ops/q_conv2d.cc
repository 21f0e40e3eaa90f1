// SPDX-License-Identifier: Apache-2.0
// CPU q_conv2d: the int8 gemm over output pixels (qconv.h); sums become int8 in the kernel.
#include "backends/cpu/qconv.h"

namespace tealight {
namespace {

struct State {
  QConvPlan plan;
  QuantizedOutput output;
  int32_t x_zero_point, weight_zero_point;
};

Status Prepare(OpContext& context) {
  const schema::QConv2d& attributes = context.attributes<schema::QConv2d>();
  State* s = new (context.state<State>()) State();
  ConvGeometry& g = s->plan.geometry;
  RETURN_IF_ERROR(ReadConvWindow(context, attributes, &g.window));
  g.group = attributes.group();
  const Tensor* operands[] = {context.input(0), context.input(1)};
  for (const Tensor* tensor : operands) {
    if (tensor != nullptr && tensor->dtype == DType::kInt8) continue;
    return context.Error(TL_ERROR_WRONG_DTYPE, "operands of other types, expected int8 x and weight");
  }
  RETURN_IF_ERROR(CheckConvShapes(context, g.window, g.group, Layout::kGemmN32K4));
  const Shape& x = context.input(0)->shape;
  const int64_t oc = context.input(1)->shape[0];
  RETURN_IF_ERROR(CheckChannels(context, "bias", context.input(2), DType::kInt32, oc, g.group));
  RETURN_IF_ERROR(CheckChannels(context, "scale", context.input(3), DType::kFloat32, oc, g.group));
  s->x_zero_point = attributes.x_zero_point();
  s->weight_zero_point = attributes.weight_zero_point();
  RETURN_IF_ERROR(CheckInt8(context, "x_zero_point", s->x_zero_point));
  RETURN_IF_ERROR(CheckInt8(context, "weight_zero_point", s->weight_zero_point));
  RETURN_IF_ERROR(PlanQConv(context, x, oc, &s->plan));
  const Shape shape = ConvOutputShape(g, x[0]);
  RETURN_IF_ERROR(ReadQuantizedOutput(context, attributes.output(), attributes.residual_add(), 4, shape, &s->output));
  RETURN_IF_ERROR(context.SetOutput(0, DType::kInt8, shape));
  context.RequestScratch(s->plan.padding_bytes(), s->plan.thread_bytes());
  return Status::Ok();
}

Status Run(OpContext& context) {
  const State& s = *context.state<State>();
  const QConvPlan& plan = s.plan;
  const Tensor& x = *context.input(0);
  const Tensor* residual = context.input(4);
  const size_t oc = static_cast<size_t>(context.input(1)->shape[0]);
  int8_t* y = context.output(0)->As<int8_t>();
  int8_t* padding = static_cast<int8_t*>(context.shared_scratch());
  memset(padding, s.x_zero_point, plan.padding_bytes());
  char* scratch = static_cast<char*>(context.thread_scratch(0));
  const size_t scratch_stride = static_cast<size_t>(static_cast<char*>(context.thread_scratch(1)) - scratch);
  const QConvOperands operands = {x.As<int8_t>(), context.input(1)->data, padding, scratch, scratch_stride,
                                  s.x_zero_point, s.weight_zero_point};
  RunQConv(
      context, plan, operands,
      [&](size_t group, const GemmCell& cell, QGemmArgs* args) {
        SetQGemmOutput(s.output, context.input(2), *context.input(3), plan.PaddedChannel(group, cell), context.input(5),
                       args);
        args->dst_stride = args->residual_stride = oc;
      },
      [&](size_t group, const GemmCell& cell, size_t begin, QGemmArgs* args) {
        const size_t at = begin * oc + plan.Channel(group, cell);
        args->dst = y + at;
        args->residual = residual != nullptr ? residual->As<int8_t>() + at : nullptr;
      });
  return Status::Ok();
}

}  // namespace

OpKernel Cpu_q_conv2d() {
  OpKernel kernel;
  kernel.prepare = Prepare;
  kernel.run = Run;
  return kernel;
}

}  // namespace tealight
