// SPDX-License-Identifier: Apache-2.0
// CPU where: moves elements of 1, 2, 4 or 8 bytes, whatever they mean.
#include "backends/cpu/broadcast.h"

namespace tealight {
namespace {

Status Prepare(OpContext& context) {
  const Tensor* operands[3] = {context.input(0), context.input(1), context.input(2)};
  for (const Tensor* t : operands) {
    if (t == nullptr || DTypeSize(t->dtype) == 0 || t->layout != Layout::kPlain) {
      return context.Error(TL_ERROR_INVALID_BUNDLE, "operand absent, packed or of 4 bits, expected cond, a and b");
    }
  }
  if (operands[0]->dtype != DType::kBool || operands[1]->dtype != operands[2]->dtype) {
    return context.Error(TL_ERROR_WRONG_DTYPE, "%s, %s and %s, expected bool and two of one dtype",
                         DTypeName(operands[0]->dtype), DTypeName(operands[1]->dtype), DTypeName(operands[2]->dtype));
  }
  Shape shape;
  if (!BroadcastShapes(operands, 3, &shape)) {
    return context.Error(TL_ERROR_WRONG_SHAPE, "operands do not broadcast, expected shapes that do");
  }
  return context.SetOutput(0, operands[1]->dtype, shape);
}

template <typename T>
void Choose(OpContext& context) {
  const Tensor* operands[3] = {context.input(0), context.input(1), context.input(2)};
  const BroadcastLoop loop = MakeBroadcastLoop(operands, 3, context.output(0)->shape);
  const size_t c_col = loop.column_stride(0), a_col = loop.column_stride(1), b_col = loop.column_stride(2);
  T* y = context.output(0)->As<T>();
  ForEachBroadcastBlock(context, loop, 3, kBroadcastPiece, [&](size_t, const BroadcastBlock& block) {
    for (size_t r = 0; r < block.rows; ++r) {
      const uint8_t* c = operands[0]->As<uint8_t>() + block.offsets[0] + r * loop.row_stride(0);
      const T* a = operands[1]->As<T>() + block.offsets[1] + r * loop.row_stride(1);
      const T* b = operands[2]->As<T>() + block.offsets[2] + r * loop.row_stride(2);
      T* out = y + block.out + r * block.columns;
      for (size_t i = 0; i < block.columns; ++i) {
        const T u = a[i * a_col], v = b[i * b_col];
        out[i] = c[i * c_col] != 0 ? u : v;
      }
    }
  });
}

Status Run(OpContext& context) {
  switch (DTypeSize(context.output(0)->dtype)) {
    case 1:
      Choose<uint8_t>(context);
      break;
    case 2:
      Choose<uint16_t>(context);
      break;
    case 4:
      Choose<uint32_t>(context);
      break;
    default:
      Choose<uint64_t>(context);
      break;
  }
  return Status::Ok();
}

}  // namespace

OpKernel Cpu_where() {
  OpKernel kernel;
  kernel.prepare = Prepare;
  kernel.run = Run;
  kernel.in_place = true;
  return kernel;
}

}  // namespace tealight
