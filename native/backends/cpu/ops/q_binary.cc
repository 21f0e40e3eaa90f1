// SPDX-License-Identifier: Apache-2.0
// CPU q_binary: sums and products of int8 tensors with NumPy broadcasting.
#include "backends/cpu/broadcast.h"
#include "backends/cpu/quantized.h"
#include "kernels/qelementwise/qelementwise.h"

namespace tealight {
namespace {

struct State {
  bool is_add;
  RescaledAdd add;
  RescaledMul mul;
};

Status Prepare(OpContext& context) {
  const schema::QBinary& attributes = context.attributes<schema::QBinary>();
  const Tensor* operands[2] = {context.input(0), context.input(1)};
  for (const Tensor* t : operands) {
    if (t == nullptr || t->dtype != DType::kInt8 || t->layout != Layout::kPlain) {
      return context.Error(TL_ERROR_WRONG_DTYPE, "operand: %s, expected int8",
                           t == nullptr ? "none" : DTypeName(t->dtype));
    }
  }
  State* state = context.state<State>();
  *state = State();
  state->is_add = attributes.kind() == schema::BinaryKind::add;
  if (!state->is_add && attributes.kind() != schema::BinaryKind::mul) {
    return context.Error(TL_ERROR_INVALID_BUNDLE, "kind: %d, expected add or mul", static_cast<int>(attributes.kind()));
  }
  RETURN_IF_ERROR(ReadRescaledAdd(context, attributes.add(), state->is_add, &state->add));
  RETURN_IF_ERROR(ReadRequantization(context, attributes.output(), &state->mul.output));
  RETURN_IF_ERROR(CheckInt8(context, "a_zero_point", attributes.a_zero_point()));
  RETURN_IF_ERROR(CheckInt8(context, "b_zero_point", attributes.b_zero_point()));
  state->mul.a_zero_point = attributes.a_zero_point();
  state->mul.b_zero_point = attributes.b_zero_point();
  state->mul.scale = attributes.scale();
  RETURN_IF_ERROR(CheckFinite(context, "scale", state->mul.scale));
  Shape shape;
  if (!BroadcastShapes(operands, 2, &shape)) {
    return context.Error(TL_ERROR_WRONG_SHAPE, "operands do not broadcast, expected shapes that do");
  }
  return context.SetOutput(0, DType::kInt8, shape);
}

Status Run(OpContext& context) {
  const State& s = *context.state<State>();
  const QElementwiseKernels& kernels = *FindQElementwise(context.isa());
  const Tensor* operands[2] = {context.input(0), context.input(1)};
  const BroadcastLoop loop = MakeBroadcastLoop(operands, 2, context.output(0)->shape);
  const int8_t* a = operands[0]->As<int8_t>();
  const int8_t* b = operands[1]->As<int8_t>();
  int8_t* y = context.output(0)->As<int8_t>();
  ForEachBroadcastBlock(context, loop, 2, ~size_t{0}, [&](size_t, const BroadcastBlock& block) {
    const Int8Operand p = {a + block.offsets[0], loop.row_stride(0), loop.column_stride(0)};
    const Int8Operand q = {b + block.offsets[1], loop.row_stride(1), loop.column_stride(1)};
    if (s.is_add) {
      kernels.add(block.rows, block.columns, p, q, s.add, y + block.out);
    } else {
      kernels.mul(block.rows, block.columns, p, q, s.mul, y + block.out);
    }
  });
  return Status::Ok();
}

}  // namespace

OpKernel Cpu_q_binary() {
  OpKernel kernel;
  kernel.prepare = Prepare;
  kernel.run = Run;
  kernel.in_place = true;
  return kernel;
}

}  // namespace tealight
