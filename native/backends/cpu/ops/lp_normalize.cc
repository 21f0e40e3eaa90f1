// SPDX-License-Identifier: Apache-2.0
// CPU lp_normalize: x over its L1 or L2 norm along an axis; ascending sums of fma(x, x, sum) or sum + |x|.
#include <math.h>

#include "backends/cpu/axis.h"

namespace tealight {
namespace {

struct State {
  AxisSplit split;
  bool absolute;
};

Status Prepare(OpContext& context) {
  State* s = new (context.state<State>()) State();
  const auto& attributes = context.attributes<schema::LpNormalize>();
  const Tensor* x = context.input(0);
  if (x == nullptr || x->dtype != DType::kFloat32) {
    return context.Error(TL_ERROR_WRONG_DTYPE, "x of another type, expected float32");
  }
  if (attributes.p() != 1 && attributes.p() != 2) {
    return context.Error(TL_ERROR_INVALID_BUNDLE, "p %d, expected 1 or 2", attributes.p());
  }
  s->absolute = attributes.p() == 1;
  RETURN_IF_ERROR(SplitAtAxis(context, x->shape, attributes.axis(), &s->split));
  return context.SetOutput(0, DType::kFloat32, x->shape);
}

Status Run(OpContext& context) {
  const State& s = *context.state<State>();
  const size_t n = s.split.n, inner = s.split.inner;
  const float* x = context.input(0)->As<float>();
  float* y = context.output(0)->As<float>();
  context.ParallelFor(s.split.outer * inner, 1 + 16384 / (n + 1), [&](size_t, size_t begin, size_t end) {
    for (size_t i = begin; i < end; ++i) {
      const size_t base = i / inner * n * inner + i % inner;
      float norm = 0;
      for (size_t k = 0; k < n; ++k) {
        const float value = x[base + k * inner];
        norm = s.absolute ? norm + fabsf(value) : fmaf(value, value, norm);
      }
      if (!s.absolute) norm = __builtin_sqrtf(norm);
      for (size_t k = 0; k < n; ++k) y[base + k * inner] = norm == 0 ? 0 : x[base + k * inner] / norm;
    }
  });
  return Status::Ok();
}

}  // namespace

OpKernel Cpu_lp_normalize() {
  OpKernel kernel;
  kernel.prepare = Prepare;
  kernel.run = Run;
  kernel.in_place = true;
  return kernel;
}

}  // namespace tealight
