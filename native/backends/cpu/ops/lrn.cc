// SPDX-License-Identifier: Apache-2.0
// CPU lrn: local response normalisation over the last axis. Per pixel: the window's squares are summed in ascending
// order, d = fma(alpha / size, sum, bias), y = x / pow(d, beta).
#include "backends/cpu/axis.h"
#include "kernels/elementwise/elementwise.h"

namespace tealight {
namespace {

struct State {
  size_t rows, c, before, after;
  float factor, beta, bias;
};

Status Prepare(OpContext& context) {
  State* s = new (context.state<State>()) State();
  const auto& attributes = context.attributes<schema::Lrn>();
  const Tensor* x = context.input(0);
  if (x == nullptr || x->dtype != DType::kFloat32 || x->shape.rank < 1) {
    return context.Error(TL_ERROR_WRONG_DTYPE, "x of another type or rank, expected float32 [..., c]");
  }
  if (attributes.size() < 1) {
    return context.Error(TL_ERROR_INVALID_BUNDLE, "size %d, expected at least 1", attributes.size());
  }
  const size_t size = static_cast<size_t>(attributes.size());
  s->rows = static_cast<size_t>(x->shape.Product(0, x->shape.rank - 1));
  s->c = static_cast<size_t>(x->shape.back());
  s->before = (size - 1) / 2;
  s->after = size / 2;
  s->factor = attributes.alpha() / static_cast<float>(size);
  s->beta = attributes.beta();
  s->bias = attributes.bias();
  context.RequestScratch(0, s->c * sizeof(float));
  return context.SetOutput(0, DType::kFloat32, x->shape);
}

Status Run(OpContext& context) {
  const State& s = *context.state<State>();
  const ElementwiseKernels& kernels = *FindElementwise(context.isa());
  const float* x = context.input(0)->As<float>();
  float* y = context.output(0)->As<float>();
  context.ParallelFor(s.rows, 1 + 1024 / (s.c + 1), [&](size_t thread, size_t begin, size_t end) {
    float* scale = static_cast<float*>(context.thread_scratch(thread));
    for (size_t r = begin; r < end; ++r) {
      const float* row = x + r * s.c;
      for (size_t i = 0; i < s.c; ++i) {
        const size_t first = i > s.before ? i - s.before : 0;
        const size_t last = s.c - i > s.after ? i + s.after : s.c - 1;
        float sum = 0;
        for (size_t k = first; k <= last; ++k) sum = __builtin_fmaf(row[k], row[k], sum);
        scale[i] = __builtin_fmaf(s.factor, sum, s.bias);
      }
      kernels.binary(BinaryOp::kPow, 1, s.c, {scale, 0, 1}, {&s.beta, 0, 0}, scale);
      kernels.binary(BinaryOp::kDiv, 1, s.c, {row, 0, 1}, {scale, 0, 1}, y + r * s.c);
    }
  });
  return Status::Ok();
}

}  // namespace

OpKernel Cpu_lrn() {
  OpKernel kernel;
  kernel.prepare = Prepare;
  kernel.run = Run;
  return kernel;
}

}  // namespace tealight
