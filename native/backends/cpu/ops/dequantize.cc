// SPDX-License-Identifier: Apache-2.0
// CPU dequantize: 8 bits by the kernels, 4-bit constants spread to 8 bits first, wider integers one at a time.
#include "backends/cpu/step_grid.h"

namespace tealight {
namespace {

constexpr size_t kTile = 1024;  // elements of 4-bit constants at a time

struct State {
  StepGrid grid;
  bool is_blocked;
};

bool IsNibbles(DType dtype) { return dtype == DType::kInt4 || dtype == DType::kUint4; }

bool Takes(DType dtype) {
  return dtype == DType::kInt8 || dtype == DType::kUint8 || dtype == DType::kInt16 || dtype == DType::kUint16 ||
         dtype == DType::kInt32 || IsNibbles(dtype);
}

Status Prepare(OpContext& context) {
  const schema::Dequantize& attributes = context.attributes<schema::Dequantize>();
  const Tensor* x = context.input(0);
  if (x == nullptr || !Takes(x->dtype) || x->layout != Layout::kPlain || (IsNibbles(x->dtype) && !x->is_constant)) {
    return context.Error(TL_ERROR_WRONG_DTYPE,
                         "x: %s, expected int8, uint8, int16, uint16, int32, or a constant of int4 or uint4",
                         x == nullptr ? "none" : DTypeName(x->dtype));
  }
  State* state = context.state<State>();
  RETURN_IF_ERROR(MakeStepGrid(context, x->shape, context.input(1), context.input(2), x->dtype, attributes.axis(),
                               attributes.block_size(), &state->grid));
  state->is_blocked = attributes.block_size() != 0;
  context.RequestScratch(state->grid.scales * sizeof(int32_t), IsNibbles(x->dtype) ? kTile : 0);
  return context.SetOutput(0, DType::kFloat32, x->shape);
}

template <typename T>
void DequantizeWide(size_t n, const T* x, Steps steps, float* y) {
  for (size_t i = 0; i < n; ++i) {
    const int64_t q = static_cast<int64_t>(x[i]) - steps.zero_point[i * steps.step];
    y[i] = static_cast<float>(q) * steps.scale[i * steps.step];
  }
}

void DequantizeNibbles(const QElementwiseKernels& kernels, const Tensor& x, const StepRun& run, Steps steps,
                       int8_t* tile, float* y) {
  for (size_t at = 0; at < run.count; at += kTile) {
    const size_t count = run.count - at < kTile ? run.count - at : kTile;
    for (size_t i = 0; i < count; ++i) {
      const int32_t v = NibbleAt(x.As<uint8_t>(), run.first + at + i, x.dtype == DType::kInt4);
      tile[i] = static_cast<int8_t>(v);
    }
    kernels.dequantize_s8(count, tile, steps, y + at);
    steps.scale += count * steps.step;
    steps.zero_point += count * steps.step;
  }
}

void DequantizeRun(const QElementwiseKernels& kernels, const Tensor& x, const StepRun& run, Steps steps, void* scratch,
                   float* y) {
  switch (x.dtype) {
    case DType::kInt8:
      return kernels.dequantize_s8(run.count, x.As<int8_t>() + run.first, steps, y);
    case DType::kUint8:
      return kernels.dequantize_u8(run.count, x.As<uint8_t>() + run.first, steps, y);
    case DType::kInt16:
      return DequantizeWide(run.count, x.As<int16_t>() + run.first, steps, y);
    case DType::kUint16:
      return DequantizeWide(run.count, x.As<uint16_t>() + run.first, steps, y);
    case DType::kInt32:
      return DequantizeWide(run.count, x.As<int32_t>() + run.first, steps, y);
    default:
      return DequantizeNibbles(kernels, x, run, steps, static_cast<int8_t*>(scratch), y);
  }
}

Status Run(OpContext& context) {
  const State& s = *context.state<State>();
  const QElementwiseKernels& kernels = *FindQElementwise(context.isa());
  const Tensor& x = *context.input(0);
  const float* scale = context.input(1)->As<float>();
  int32_t* zero_points = static_cast<int32_t*>(context.shared_scratch());
  float* y = context.output(0)->As<float>();
  ReadZeroPoints(s.grid, context.input(2), zero_points);
  const size_t grain = StepGrid::kPiece / s.grid.run_elements();
  context.ParallelFor(s.grid.runs(), grain, [&](size_t thread, size_t begin, size_t end) {
    for (size_t i = begin; i < end; ++i) {
      const StepRun run = s.grid.run(i, s.is_blocked);
      DequantizeRun(kernels, x, run, {scale + run.scale, zero_points + run.scale, run.step},
                    context.thread_scratch(thread), y + run.first);
    }
  });
  return Status::Ok();
}

}  // namespace

OpKernel Cpu_dequantize() { return {Prepare, Run}; }

}  // namespace tealight
