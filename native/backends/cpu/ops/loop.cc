// SPDX-License-Identifier: Apache-2.0
// Loop (sdk/tealight/ops/control_flow.py). The results of an iteration are the operands of the next one as they lie:
// the runtime keeps them until the call after it.
#include "backends/cpu/operands.h"

namespace tealight {
namespace {

struct State {
  int carried;
  int captures;
  int scans;
};

Status Prepare(OpContext& context) {
  const Tensor* operand;
  if (context.input(0) != nullptr) RETURN_IF_ERROR(ScalarOperand(context, 0, "trip_count", DType::kInt64, &operand));
  if (context.input(1) != nullptr) RETURN_IF_ERROR(ScalarOperand(context, 1, "cond", DType::kBool, &operand));
  const int values = context.num_inputs() - 2, carried = context.attributes<schema::Loop>().carried();
  if (values < 0 || carried < 0 || carried > values || carried > context.num_outputs()) {
    return context.Error(TL_ERROR_INVALID_BUNDLE, "carried: %d of %d operands and %d results, expected fewer", carried,
                         values, context.num_outputs());
  }
  for (int i = 0; i < values; ++i) {
    RETURN_IF_ERROR(PlainOperand(context, i + 2, i < carried ? "carried value" : "capture", &operand));
  }
  *context.state<State>() = {carried, values - carried, context.num_outputs() - carried};
  // The operands of the body, then its results.
  context.RequestScratch(static_cast<size_t>(context.num_inputs()) * sizeof(Tensor) +
                             (static_cast<size_t>(context.num_outputs()) + 1) * sizeof(Tensor*),
                         0);
  return Status::Ok();
}

// Appends one iteration's result to the stacked ones.
Status AppendScan(OpContext& context, int output, int64_t iteration, const Tensor& value) {
  Tensor* stacked = context.output(output);
  if (stacked == nullptr) return Status::Ok();
  if (value.shape.rank >= kMaxRank) {
    return context.Error(TL_ERROR_INVALID_BUNDLE, "scan %d: rank %d, expected less than %d", output, value.shape.rank,
                         kMaxRank);
  }
  Shape shape;
  shape.Append(iteration + 1);
  for (int i = 0; i < value.shape.rank; ++i) {
    if (iteration > 0 && (stacked->shape.rank != value.shape.rank + 1 || stacked->shape[i + 1] != value.shape[i])) {
      return context.Error(TL_ERROR_RUNTIME, "scan %d: dim %d is %lld in iteration %lld, expected that of the others",
                           output, i, static_cast<long long>(value.shape[i]), static_cast<long long>(iteration));
    }
    shape.Append(value.shape[i]);
  }
  RETURN_IF_ERROR(context.ResizeOutput(output, value.dtype, shape));
  const size_t bytes = value.Bytes();
  if (bytes != 0) memcpy(stacked->As<char>() + bytes * static_cast<size_t>(iteration), value.data, bytes);
  return Status::Ok();
}

// A scan without iterations is empty; dims that only the body knows are 0.
Status EmptyScan(OpContext& context, int output) {
  const Tensor* stacked = context.output(output);
  if (stacked == nullptr) return Status::Ok();
  Shape shape = context.DeclaredShape(output);
  for (int i = 0; i < shape.rank; ++i) shape[i] = i == 0 || shape[i] < 0 ? 0 : shape[i];
  return context.ResizeOutput(output, stacked->dtype, shape);
}

Status Run(OpContext& context) {
  const State state = *context.state<State>();
  const int inputs = 2 + state.carried + state.captures, outputs = 1 + state.carried + state.scans;
  const int body = context.attributes<schema::Loop>().body_program();
  Tensor* operands = static_cast<Tensor*>(context.shared_scratch());
  const Tensor** results = reinterpret_cast<const Tensor**>(operands + inputs);
  const int64_t trips = context.input(0) == nullptr ? INT64_MAX : *context.input(0)->As<int64_t>();
  int64_t iteration = 0;
  uint8_t going = context.input(1) == nullptr || *context.input(1)->As<uint8_t>() != 0 ? 1 : 0;
  operands[0] = Tensor();
  operands[0].dtype = DType::kInt64;
  operands[1] = Tensor();
  operands[1].dtype = DType::kBool;
  for (int i = 2; i < inputs; ++i) operands[i] = *context.input(i);
  for (; going != 0 && iteration < trips; ++iteration) {
    int64_t number = iteration;
    operands[0].data = &number;
    operands[1].data = &going;
    RETURN_IF_ERROR(context.RunProgram(body, operands, inputs, results, outputs));
    if (results[0]->dtype != DType::kBool || results[0]->Elements() != 1) {
      return context.Error(TL_ERROR_INVALID_BUNDLE, "body: cond of %lld elements of %s, expected 1 of bool",
                           static_cast<long long>(results[0]->Elements()), DTypeName(results[0]->dtype));
    }
    going = *results[0]->As<uint8_t>() != 0 ? 1 : 0;
    for (int i = 0; i < state.carried; ++i) operands[2 + i] = *results[1 + i];
    for (int i = 0; i < state.scans; ++i) {
      RETURN_IF_ERROR(AppendScan(context, state.carried + i, iteration, *results[1 + state.carried + i]));
    }
  }
  for (int i = 0; i < state.carried; ++i) {
    if (context.output(i) == nullptr) continue;
    RETURN_IF_ERROR(context.ResizeOutput(i, operands[2 + i].dtype, operands[2 + i].shape));
    const size_t bytes = operands[2 + i].Bytes();
    if (bytes != 0) memcpy(context.output(i)->data, operands[2 + i].data, bytes);
  }
  for (int i = 0; iteration == 0 && i < state.scans; ++i) RETURN_IF_ERROR(EmptyScan(context, state.carried + i));
  return Status::Ok();
}

}  // namespace

OpKernel Cpu_loop() {
  OpKernel kernel = {Prepare, Run};
  kernel.data_dependent = true;
  return kernel;
}

}  // namespace tealight
