// SPDX-License-Identifier: Apache-2.0
// CPU lut: every function of one 8-bit integer, by table.
#include "kernels/qelementwise/qelementwise.h"
#include "runtime/op.h"

namespace tealight {
namespace {

constexpr size_t kPiece = 4096;

bool IsByte(DType dtype) { return dtype == DType::kInt8 || dtype == DType::kUint8; }

Status Prepare(OpContext& context) {
  const Tensor* x = context.input(0);
  const Tensor* table = context.input(1);
  if (x == nullptr || !IsByte(x->dtype) || x->layout != Layout::kPlain) {
    return context.Error(TL_ERROR_WRONG_DTYPE, "x: %s, expected int8 or uint8",
                         x == nullptr ? "none" : DTypeName(x->dtype));
  }
  // Constant, so that y never lies in it.
  if (table == nullptr || !IsByte(table->dtype) || table->layout != Layout::kPlain || table->shape.rank != 1 ||
      table->shape[0] != 256 || !table->is_constant) {
    return context.Error(TL_ERROR_WRONG_SHAPE, "table: absent or another type, expected 256 int8 or uint8, constant");
  }
  return context.SetOutput(0, table->dtype, x->shape);
}

Status Run(OpContext& context) {
  const QElementwiseKernels& kernels = *FindQElementwise(context.isa());
  const Tensor& x = *context.input(0);
  const uint8_t* table = context.input(1)->As<uint8_t>();
  uint8_t* y = context.output(0)->As<uint8_t>();
  const uint8_t flip = x.dtype == DType::kInt8 ? 0x80 : 0;
  const size_t n = x.Bytes();
  context.ParallelFor((n + kPiece - 1) / kPiece, 8, [&](size_t, size_t begin, size_t end) {
    const size_t first = begin * kPiece, last = end * kPiece < n ? end * kPiece : n;
    kernels.lut(table, flip, last - first, x.As<uint8_t>() + first, y + first);
  });
  return Status::Ok();
}

}  // namespace

OpKernel Cpu_lut() {
  OpKernel kernel;
  kernel.prepare = Prepare;
  kernel.run = Run;
  kernel.in_place = true;
  return kernel;
}

}  // namespace tealight
