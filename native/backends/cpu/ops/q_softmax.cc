// SPDX-License-Identifier: Apache-2.0
// CPU q_softmax: rows where the axis is innermost; along any other axis each column is copied into a row and back.
#include "backends/cpu/axis.h"
#include "kernels/qnormalize/qnormalize.h"

namespace tealight {
namespace {

size_t Padded(size_t n) { return (n + 63) / 64 * 64; }

Status Prepare(OpContext& context) {
  const Tensor* x = context.input(0);
  const Tensor* table = context.input(1);
  if (x == nullptr || x->dtype != DType::kInt8 || x->layout != Layout::kPlain) {
    return context.Error(TL_ERROR_WRONG_DTYPE, "x: %s, expected int8", x == nullptr ? "none" : DTypeName(x->dtype));
  }
  if (table == nullptr || table->dtype != DType::kFloat32 || table->layout != Layout::kPlain ||
      table->shape.rank != 1 || table->shape[0] != 256 || !table->is_constant) {
    return context.Error(TL_ERROR_WRONG_SHAPE, "table: absent or another type, expected 256 float32, constant");
  }
  const float steps = context.attributes<schema::QSoftmax>().steps();
  if (!(steps >= 1.0f && steps <= 65536.0f)) {
    return context.Error(TL_ERROR_INVALID_BUNDLE, "steps: %g, expected in [1, 65536]", static_cast<double>(steps));
  }
  AxisSplit* split = context.state<AxisSplit>();
  RETURN_IF_ERROR(SplitAtAxis(context, x->shape, context.attributes<schema::QSoftmax>().axis(), split));
  const size_t columns = split->inner == 1 ? 0 : Padded(split->n);
  context.RequestScratch(sizeof(SoftmaxTable), QSoftmaxScratchBytes(split->n) + columns);
  return context.SetOutput(0, DType::kInt8, x->shape);
}

Status Run(OpContext& context) {
  const AxisSplit& s = *context.state<AxisSplit>();
  const QNormalizeKernels& kernels = *FindQNormalize(context.isa());
  const int8_t* x = context.input(0)->As<int8_t>();
  SoftmaxTable* table = static_cast<SoftmaxTable*>(context.shared_scratch());
  int8_t* y = context.output(0)->As<int8_t>();
  FillSoftmaxTable(context.input(1)->As<float>(), context.attributes<schema::QSoftmax>().steps(), table);
  context.ParallelFor(s.outer * s.inner, 4096 / s.n + 1, [&](size_t thread, size_t begin, size_t end) {
    void* scratch = context.thread_scratch(thread);
    int8_t* row = static_cast<int8_t*>(scratch) + QSoftmaxScratchBytes(s.n);
    for (size_t i = begin; i < end; ++i) {
      if (s.inner == 1) {
        kernels.softmax(*table, s.n, x + i * s.n, scratch, y + i * s.n);
        continue;
      }
      const size_t at = i / s.inner * s.n * s.inner + i % s.inner;
      for (size_t j = 0; j < s.n; ++j) row[j] = x[at + j * s.inner];
      kernels.softmax(*table, s.n, row, scratch, row);
      for (size_t j = 0; j < s.n; ++j) y[at + j * s.inner] = row[j];
    }
  });
  return Status::Ok();
}

}  // namespace

OpKernel Cpu_q_softmax() {
  OpKernel kernel;
  kernel.prepare = Prepare;
  kernel.run = Run;
  kernel.in_place = true;
  return kernel;
}

}  // namespace tealight
