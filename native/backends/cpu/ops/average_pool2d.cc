// SPDX-License-Identifier: Apache-2.0
// CPU average_pool2d (sdk/tealight/ops/average_pool2d.py).
#include "backends/cpu/pool_window.h"

namespace tealight {
namespace {

Status Prepare(OpContext& context) {
  const auto& attributes = context.attributes<schema::AveragePool2d>();
  const Tensor* x = context.input(0);
  if (x == nullptr || x->dtype != DType::kFloat32 || x->shape.rank != 4) {
    return context.Error(TL_ERROR_WRONG_DTYPE, "x: another type or rank, expected float32 [n, h, w, c]");
  }
  ConvWindow window;
  RETURN_IF_ERROR(ReadConvWindow(context, attributes, &window));
  PoolState* s = new (context.state<PoolState>()) PoolState();
  Shape y;
  RETURN_IF_ERROR(PreparePool(context, window, attributes.ceil_mode(), s, &y));
  if (attributes.count_include_pad()) {
    s->args.count_top = static_cast<ptrdiff_t>(window.top);
    s->args.count_left = static_cast<ptrdiff_t>(window.left);
    s->args.count_bottom = static_cast<ptrdiff_t>(window.bottom);
    s->args.count_right = static_cast<ptrdiff_t>(window.right);
  }
  return context.SetOutput(0, DType::kFloat32, y);
}

Status Run(OpContext& context) {
  RunPool(context, *context.state<PoolState>(), FindPool(context.isa())->average);
  return Status::Ok();
}

}  // namespace

OpKernel Cpu_average_pool2d() { return {Prepare, Run}; }

}  // namespace tealight
