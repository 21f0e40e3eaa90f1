// SPDX-License-Identifier: Apache-2.0
// CPU layer_norm: one kernel call a row.
#include "backends/cpu/axis.h"
#include "backends/cpu/norm_operands.h"
#include "kernels/normalize/normalize.h"

namespace tealight {
namespace {

struct State {
  size_t rows, n;
};

Status Prepare(OpContext& context) {
  const Tensor* x = context.input(0);
  if (x == nullptr || x->dtype != DType::kFloat32 || x->layout != Layout::kPlain) {
    return context.Error(TL_ERROR_WRONG_DTYPE, "x: %s, expected float32", x == nullptr ? "none" : DTypeName(x->dtype));
  }
  AxisSplit split;
  RETURN_IF_ERROR(SplitAtAxis(context, x->shape, context.attributes<schema::LayerNorm>().axis(), &split));
  State* state = context.state<State>();
  state->rows = split.outer;
  state->n = split.n * split.inner;
  RETURN_IF_ERROR(CheckNormOperands(context, static_cast<int64_t>(state->n)));
  return context.SetOutput(0, DType::kFloat32, x->shape);
}

Status Run(OpContext& context) {
  const State& s = *context.state<State>();
  const schema::LayerNorm& attributes = context.attributes<schema::LayerNorm>();
  const NormalizeKernels& kernels = *FindNormalize(context.isa());
  const float* x = context.input(0)->As<float>();
  const float* scale = context.input(1) != nullptr ? context.input(1)->As<float>() : nullptr;
  const float* bias = context.input(2) != nullptr ? context.input(2)->As<float>() : nullptr;
  float* y = context.output(0)->As<float>();
  context.ParallelFor(s.rows, 8192 / s.n + 1, [&](size_t, size_t begin, size_t end) {
    for (size_t r = begin; r < end; ++r) {
      kernels.layer_norm(attributes.rms(), attributes.epsilon(), s.n, x + r * s.n, scale, bias, y + r * s.n);
    }
  });
  return Status::Ok();
}

}  // namespace

OpKernel Cpu_layer_norm() {
  OpKernel kernel;
  kernel.prepare = Prepare;
  kernel.run = Run;
  kernel.in_place = true;
  return kernel;
}

}  // namespace tealight
