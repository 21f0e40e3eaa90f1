// SPDX-License-Identifier: Apache-2.0
// CPU softmax: rows where the axis is innermost, columns in blocks for any other axis.
#include "kernels/normalize/normalize.h"
#include "runtime/op.h"

namespace tealight {
namespace {

constexpr size_t kColumnBlock = 128;

struct State {
  size_t outer, axis, inner;
};

Status Prepare(OpContext& context) {
  const Tensor* x = context.input(0);
  if (x == nullptr || x->dtype != DType::kFloat32 || x->layout != Layout::kPlain) {
    return context.Error(TL_ERROR_WRONG_DTYPE, "x: %s, expected float32", x == nullptr ? "none" : DTypeName(x->dtype));
  }
  const int rank = x->shape.rank;
  const int given = context.attributes<schema::Softmax>().axis();
  const int axis = given < 0 ? given + rank : given;
  if (axis < 0 || axis >= rank) {
    return context.Error(TL_ERROR_INVALID_ARGUMENT, "axis: %d, expected in [%d, %d)", given, -rank, rank);
  }
  State* state = context.state<State>();
  state->outer = static_cast<size_t>(x->shape.Product(0, axis));
  state->axis = static_cast<size_t>(x->shape[axis]);
  state->inner = static_cast<size_t>(x->shape.Product(axis + 1, rank));
  context.RequestScratch(0, 2 * kColumnBlock * sizeof(float));
  return context.SetOutput(0, DType::kFloat32, x->shape);
}

Status Run(OpContext& context) {
  const State& s = *context.state<State>();
  const bool is_log = context.attributes<schema::Softmax>().is_log();
  const NormalizeKernels& kernels = *FindNormalize(context.isa());
  const float* x = context.input(0)->As<float>();
  float* y = context.output(0)->As<float>();
  if (s.inner == 1) {
    context.ParallelFor(s.outer, 4096 / s.axis + 1, [&](size_t, size_t begin, size_t end) {
      for (size_t r = begin; r < end; ++r) kernels.softmax(is_log, s.axis, x + r * s.axis, y + r * s.axis);
    });
    return Status::Ok();
  }
  const size_t blocks = (s.inner + kColumnBlock - 1) / kColumnBlock;
  const size_t width = s.inner < kColumnBlock ? s.inner : kColumnBlock;
  context.ParallelFor(s.outer * blocks, 4096 / (s.axis * (width + 1)) + 1,
                      [&](size_t thread, size_t begin, size_t end) {
                        float* scratch = static_cast<float*>(context.thread_scratch(thread));
                        for (size_t i = begin; i < end; ++i) {
                          const size_t column = i % blocks * kColumnBlock;
                          const size_t n = s.inner - column < kColumnBlock ? s.inner - column : kColumnBlock;
                          const size_t at = i / blocks * s.axis * s.inner + column;
                          kernels.softmax_columns(is_log, s.axis, n, s.inner, x + at, y + at, scratch);
                        }
                      });
  return Status::Ok();
}

}  // namespace

OpKernel Cpu_softmax() {
  OpKernel kernel;
  kernel.prepare = Prepare;
  kernel.run = Run;
  kernel.in_place = true;
  return kernel;
}

}  // namespace tealight
