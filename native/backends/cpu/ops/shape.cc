// SPDX-License-Identifier: Apache-2.0
// Shape (sdk/tealight/ops/shape.py): dims as int64.
#include "backends/cpu/operands.h"

namespace tealight {
namespace {

struct State {
  int start;
  int count;
};

Status Prepare(OpContext& context) {
  const Tensor* x = context.input(0);
  if (x == nullptr) return context.Error(TL_ERROR_INVALID_BUNDLE, "x: absent, expected an operand");
  const auto& attributes = context.attributes<schema::Shape>();
  const int64_t rank = x->shape.rank;
  int64_t bounds[2] = {attributes.start(), attributes.end()};
  for (int64_t& bound : bounds) {
    bound += bound < 0 ? rank : 0;
    bound = bound < 0 ? 0 : bound > rank ? rank : bound;
  }
  State* state = context.state<State>();
  state->start = static_cast<int>(bounds[0]);
  state->count = bounds[1] > bounds[0] ? static_cast<int>(bounds[1] - bounds[0]) : 0;
  Shape y;
  y.Append(state->count);
  return context.SetOutput(0, DType::kInt64, y);
}

Status Run(OpContext& context) {
  const Shape& x = context.input(0)->shape;
  const State state = *context.state<State>();
  for (int i = 0; i < state.count; ++i) context.output(0)->As<int64_t>()[i] = x[state.start + i];
  return Status::Ok();
}

}  // namespace

OpKernel Cpu_shape() { return {Prepare, Run}; }

}  // namespace tealight
