// SPDX-License-Identifier: Apache-2.0
// CPU q_binary: sums, products and PReLU of int8 tensors with NumPy broadcasting.
#include "backends/cpu/broadcast.h"
#include "backends/cpu/quantized.h"
#include "kernels/qelementwise/qelementwise.h"

namespace tealight {
namespace {

struct State {
  schema::BinaryKind kind;
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
  state->kind = attributes.kind();
  const bool is_add = state->kind == schema::BinaryKind::add, is_prelu = state->kind == schema::BinaryKind::prelu;
  if (!is_add && !is_prelu && state->kind != schema::BinaryKind::mul) {
    return context.Error(TL_ERROR_INVALID_BUNDLE, "kind: %d, expected add, mul or prelu",
                         static_cast<int>(state->kind));
  }
  RETURN_IF_ERROR(ReadRescaledAdd(context, attributes.add(), is_add, &state->add));
  RETURN_IF_ERROR(ReadRequantization(context, attributes.output(), &state->mul.output));
  RETURN_IF_ERROR(CheckInt8(context, "a_zero_point", attributes.a_zero_point()));
  RETURN_IF_ERROR(CheckInt8(context, "b_zero_point", attributes.b_zero_point()));
  state->mul.a_zero_point = attributes.a_zero_point();
  state->mul.b_zero_point = attributes.b_zero_point();
  state->mul.scale = attributes.scale();
  RETURN_IF_ERROR(CheckFinite(context, "scale", state->mul.scale));
  state->mul.positive_scale = attributes.positive_scale();
  RETURN_IF_ERROR(CheckFinite(context, "positive_scale", state->mul.positive_scale));
  if (is_prelu && state->mul.output.wide) {
    return context.Error(TL_ERROR_INVALID_BUNDLE, "output: wide, expected scales that are not for prelu");
  }
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
    if (s.kind == schema::BinaryKind::add) {
      kernels.add(block.rows, block.columns, p, q, s.add, y + block.out);
    } else if (s.kind == schema::BinaryKind::prelu) {
      kernels.prelu(block.rows, block.columns, p, q, s.mul, y + block.out);
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
