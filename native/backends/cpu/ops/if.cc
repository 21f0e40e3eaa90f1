// SPDX-License-Identifier: Apache-2.0
// If (sdk/tealight/ops/control_flow.py): runs one of two programs on the captures and copies its results.
#include "backends/cpu/operands.h"

namespace tealight {
namespace {

Status Prepare(OpContext& context) {
  const Tensor* cond;
  RETURN_IF_ERROR(ScalarOperand(context, 0, "cond", DType::kBool, &cond));
  for (int i = 1; i < context.num_inputs(); ++i) {
    const Tensor* capture;
    RETURN_IF_ERROR(PlainOperand(context, i, "capture", &capture));
  }
  // The captures side by side, then the results of the program.
  const size_t inputs = static_cast<size_t>(context.num_inputs()), outputs = static_cast<size_t>(context.num_outputs());
  context.RequestScratch(inputs * sizeof(Tensor) + outputs * sizeof(Tensor*), 0);
  return Status::Ok();
}

Status Run(OpContext& context) {
  const int captures = context.num_inputs() - 1, count = context.num_outputs();
  Tensor* operands = static_cast<Tensor*>(context.shared_scratch());
  const Tensor** results = reinterpret_cast<const Tensor**>(operands + captures);
  for (int i = 0; i < captures; ++i) operands[i] = *context.input(i + 1);
  const auto& attributes = context.attributes<schema::If>();
  const bool holds = *context.input(0)->As<uint8_t>() != 0;
  RETURN_IF_ERROR(context.RunProgram(holds ? attributes.then_program() : attributes.else_program(), operands, captures,
                                     results, count));
  for (int i = 0; i < count; ++i) {
    if (context.output(i) == nullptr) continue;
    RETURN_IF_ERROR(context.ResizeOutput(i, results[i]->dtype, results[i]->shape));
    const size_t bytes = results[i]->Bytes();
    if (bytes != 0) memcpy(context.output(i)->data, results[i]->data, bytes);
  }
  return Status::Ok();
}

}  // namespace

OpKernel Cpu_if() {
  OpKernel kernel = {Prepare, Run};
  kernel.data_dependent = true;
  return kernel;
}

}  // namespace tealight
