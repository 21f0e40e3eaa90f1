// SPDX-License-Identifier: Apache-2.0
// CPU quantize: 8 and 4 bits by the kernels (4 bits are held in 8), wider integers one element at a time.
#include <math.h>

#include "backends/cpu/step_grid.h"

namespace tealight {
namespace {

struct State {
  StepGrid grid;
  double lo, hi;
  bool is_blocked;
};

// Sets the range of the integers; returns the dtype that holds them, kNone when there is none.
DType Holder(DType to, double* lo, double* hi) {
  switch (to) {
    case DType::kInt8:
      *lo = -128, *hi = 127;
      return to;
    case DType::kUint8:
      *lo = 0, *hi = 255;
      return to;
    case DType::kInt4:
      *lo = -8, *hi = 7;
      return DType::kInt8;
    case DType::kUint4:
      *lo = 0, *hi = 15;
      return DType::kUint8;
    case DType::kInt16:
      *lo = -32768, *hi = 32767;
      return to;
    case DType::kUint16:
      *lo = 0, *hi = 65535;
      return to;
    case DType::kInt32:
      *lo = -2147483648.0, *hi = 2147483647.0;
      return to;
    default:
      return DType::kNone;
  }
}

Status Prepare(OpContext& context) {
  const schema::Quantize& attributes = context.attributes<schema::Quantize>();
  const Tensor* x = context.input(0);
  if (x == nullptr || x->dtype != DType::kFloat32 || x->layout != Layout::kPlain) {
    return context.Error(TL_ERROR_WRONG_DTYPE, "x: %s, expected float32", x == nullptr ? "none" : DTypeName(x->dtype));
  }
  State* state = context.state<State>();
  const DType to = static_cast<DType>(attributes.to() <= static_cast<uint8_t>(DType::kUint4) ? attributes.to() : 0);
  const DType holder = Holder(to, &state->lo, &state->hi);
  if (holder == DType::kNone) {
    return context.Error(TL_ERROR_INVALID_BUNDLE, "to: %d, expected int8, uint8, int16, uint16, int32, int4 or uint4",
                         attributes.to());
  }
  RETURN_IF_ERROR(MakeStepGrid(context, x->shape, context.input(1), context.input(2), to, attributes.axis(),
                               attributes.block_size(), &state->grid));
  state->is_blocked = attributes.block_size() != 0;
  context.RequestScratch(state->grid.scales * sizeof(int32_t), 0);
  return context.SetOutput(0, holder, x->shape);
}

template <typename T>
void QuantizeWide(size_t n, const float* x, Steps steps, double lo, double hi, T* y) {
  for (size_t i = 0; i < n; ++i) {
    const float q = x[i] / steps.scale[i * steps.step];
    double v = (q != q ? 0.0 : static_cast<double>(rintf(q))) + steps.zero_point[i * steps.step];
    v = v < lo ? lo : v > hi ? hi : v;
    y[i] = static_cast<T>(v);
  }
}

void QuantizeRun(const State& s, const QElementwiseKernels& kernels, const Tensor& y, const StepRun& run,
                 const float* x, Steps steps) {
  const int lo = static_cast<int>(s.lo), hi = static_cast<int>(s.hi);
  switch (y.dtype) {
    case DType::kInt8:
      return kernels.quantize_s8(run.count, x, steps, lo, hi, y.As<int8_t>() + run.first);
    case DType::kUint8:
      return kernels.quantize_u8(run.count, x, steps, lo, hi, y.As<uint8_t>() + run.first);
    case DType::kInt16:
      return QuantizeWide(run.count, x, steps, s.lo, s.hi, y.As<int16_t>() + run.first);
    case DType::kUint16:
      return QuantizeWide(run.count, x, steps, s.lo, s.hi, y.As<uint16_t>() + run.first);
    default:
      return QuantizeWide(run.count, x, steps, s.lo, s.hi, y.As<int32_t>() + run.first);
  }
}

Status Run(OpContext& context) {
  const State& s = *context.state<State>();
  const QElementwiseKernels& kernels = *FindQElementwise(context.isa());
  const float* x = context.input(0)->As<float>();
  const float* scale = context.input(1)->As<float>();
  int32_t* zero_points = static_cast<int32_t*>(context.shared_scratch());
  const Tensor& y = *context.output(0);
  ReadZeroPoints(s.grid, context.input(2), zero_points);
  context.ParallelFor(s.grid.runs(), StepGrid::kPiece / s.grid.run_elements(), [&](size_t, size_t begin, size_t end) {
    for (size_t i = begin; i < end; ++i) {
      const StepRun run = s.grid.run(i, s.is_blocked);
      QuantizeRun(s, kernels, y, run, x + run.first, {scale + run.scale, zero_points + run.scale, run.step});
    }
  });
  return Status::Ok();
}

}  // namespace

OpKernel Cpu_quantize() { return {Prepare, Run}; }

}  // namespace tealight
