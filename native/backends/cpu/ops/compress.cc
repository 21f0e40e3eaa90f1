// SPDX-License-Identifier: Apache-2.0
// Compress of any dtype of whole bytes (sdk/tealight/ops/select.py).
#include "backends/cpu/operands.h"

namespace tealight {
namespace {

struct State {
  int64_t outer;
  int64_t size;       // of the axis
  int64_t row_bytes;  // of what lies behind it
  int axis;           // -1 = all elements
};

Status Prepare(OpContext& context) {
  const Tensor *x, *condition;
  RETURN_IF_ERROR(PlainOperand(context, 0, "x", &x));
  RETURN_IF_ERROR(TypedOperand(context, 1, "condition", DType::kBool, &condition));
  RETURN_IF_ERROR(WantedResult(context, 0));
  const auto& attributes = context.attributes<schema::Compress>();
  State* state = context.state<State>();
  *state = {1, x->Elements(), static_cast<int64_t>(DTypeSize(x->dtype)), -1};
  if (attributes.has_axis()) {
    RETURN_IF_ERROR(NormalAxis(context, "axis", attributes.axis(), x->shape.rank, &state->axis));
    state->outer = x->shape.Product(0, state->axis);
    state->size = x->shape[state->axis];
    state->row_bytes *= x->shape.Product(state->axis + 1, x->shape.rank);
  }
  if (condition->shape.rank != 1 || condition->shape[0] > state->size) {
    return context.Error(
        TL_ERROR_WRONG_SHAPE, "condition: rank %d and %lld elements, expected a vector of at most %lld",
        condition->shape.rank, static_cast<long long>(condition->Elements()), static_cast<long long>(state->size));
  }
  return Status::Ok();
}

Status Run(OpContext& context) {
  const Tensor &x = *context.input(0), &condition = *context.input(1);
  const State state = *context.state<State>();
  const uint8_t* wanted = condition.As<uint8_t>();
  const int64_t n = condition.shape[0];
  int64_t count = 0;
  for (int64_t i = 0; i < n; ++i) count += wanted[i] != 0 ? 1 : 0;
  Shape shape;
  if (state.axis < 0) {
    shape.Append(count);
  } else {
    shape = x.shape;
    shape[state.axis] = count;
  }
  RETURN_IF_ERROR(context.ResizeOutput(0, x.dtype, shape));
  char* to = context.output(0)->As<char>();
  if (context.output(0)->Elements() == 0) return Status::Ok();
  for (int64_t o = 0; o < state.outer; ++o) {
    const char* block = x.As<char>() + o * state.size * state.row_bytes;
    for (int64_t i = 0, left = count; i < n && left > 0; ++i) {
      if (wanted[i] == 0) continue;
      CopyItem(to, block + i * state.row_bytes, state.row_bytes);
      to += state.row_bytes;
      --left;
    }
  }
  return Status::Ok();
}

}  // namespace

OpKernel Cpu_compress() {
  OpKernel kernel = {Prepare, Run};
  kernel.data_dependent = true;
  return kernel;
}

}  // namespace tealight
