// SPDX-License-Identifier: Apache-2.0
// CPU q_layer_norm: rows are independent.
#include "backends/cpu/axis.h"
#include "backends/cpu/quantized_norm.h"

namespace tealight {
namespace {

struct State {
  size_t rows, n;
  QLayerNormArgs args;
};

Status Prepare(OpContext& context) {
  const schema::QLayerNorm& attributes = context.attributes<schema::QLayerNorm>();
  const Tensor* x = context.input(0);
  if (x == nullptr || x->dtype != DType::kInt8 || x->layout != Layout::kPlain) {
    return context.Error(TL_ERROR_WRONG_DTYPE, "x: %s, expected int8", x == nullptr ? "none" : DTypeName(x->dtype));
  }
  AxisSplit split;
  RETURN_IF_ERROR(SplitAtAxis(context, x->shape, attributes.axis(), &split));
  State* state = context.state<State>();
  state->rows = split.outer;
  state->n = split.n * split.inner;
  const int64_t n = static_cast<int64_t>(state->n);
  RETURN_IF_ERROR(ReadNorm(context, attributes, attributes.rms(), n, n, &state->args));
  return context.SetOutput(0, DType::kInt8, x->shape);
}

Status Run(OpContext& context) {
  const State& s = *context.state<State>();
  const QNormalizeKernels& kernels = *FindQNormalize(context.isa());
  const int8_t* x = context.input(0)->As<int8_t>();
  const float* scale = context.input(1) != nullptr ? context.input(1)->As<float>() : nullptr;
  const float* bias = context.input(2) != nullptr ? context.input(2)->As<float>() : nullptr;
  int8_t* y = context.output(0)->As<int8_t>();
  context.ParallelFor(s.rows, 8192 / s.n + 1, [&](size_t, size_t begin, size_t end) {
    kernels.layer_norm(s.args, end - begin, s.n, x + begin * s.n, scale, bias, y + begin * s.n);
  });
  return Status::Ok();
}

}  // namespace

OpKernel Cpu_q_layer_norm() {
  OpKernel kernel;
  kernel.prepare = Prepare;
  kernel.run = Run;
  kernel.in_place = true;
  return kernel;
}

}  // namespace tealight
