// SPDX-License-Identifier: Apache-2.0
// Range (sdk/tealight/ops/generate.py).
#include <math.h>

#include "backends/cpu/operands.h"

namespace tealight {
namespace {

constexpr int64_t kMaxCount = int64_t{1} << 31;

int64_t SignedAt(const Tensor& tensor) {
  return tensor.dtype == DType::kInt16 ? *tensor.As<int16_t>() : IntAt(tensor, 0);
}

double FloatAt(const Tensor& tensor) {
  return tensor.dtype == DType::kFloat32 ? static_cast<double>(*tensor.As<float>()) : *tensor.As<double>();
}

// How many steps of delta lie in [start, limit); -1 when there is no such number.
int64_t IntegerCount(int64_t start, int64_t limit, int64_t delta) {
  if (delta == 0) return -1;
  const bool up = delta > 0;
  if (up ? limit <= start : limit >= start) return 0;
  const uint64_t from = static_cast<uint64_t>(start), to = static_cast<uint64_t>(limit);
  const uint64_t span = up ? to - from : from - to;
  const uint64_t step = up ? static_cast<uint64_t>(delta) : 0 - static_cast<uint64_t>(delta);
  const uint64_t count = (span - 1) / step + 1;
  return count < static_cast<uint64_t>(kMaxCount) ? static_cast<int64_t>(count) : -1;
}

int64_t FloatCount(double start, double limit, double delta) {
  const double count = ceil((limit - start) / delta);
  if (delta == 0 || !(fabs(count) < static_cast<double>(kMaxCount))) return -1;
  return count > 0 ? static_cast<int64_t>(count) : 0;
}

Status Prepare(OpContext& context) {
  const Tensor* operands[3];
  static constexpr const char* kNames[3] = {"start", "limit", "delta"};
  RETURN_IF_ERROR(PlainOperand(context, 0, kNames[0], &operands[0]));
  const DType dtype = operands[0]->dtype;
  for (int i = 0; i < 3; ++i) {
    RETURN_IF_ERROR(ScalarOperand(context, i, kNames[i], dtype, &operands[i]));
    if (operands[i]->data == nullptr) return context.Error(TL_ERROR_INVALID_BUNDLE, "%s: not known", kNames[i]);
  }
  Shape y;
  switch (dtype) {
    case DType::kFloat32:
    case DType::kFloat64:
      y.Append(FloatCount(FloatAt(*operands[0]), FloatAt(*operands[1]), FloatAt(*operands[2])));
      break;
    case DType::kInt16:
    case DType::kInt32:
    case DType::kInt64:
      y.Append(IntegerCount(SignedAt(*operands[0]), SignedAt(*operands[1]), SignedAt(*operands[2])));
      break;
    default:
      return context.Error(TL_ERROR_INVALID_BUNDLE, "start: %s, expected a number", DTypeName(dtype));
  }
  if (y[0] < 0) return context.Error(TL_ERROR_INVALID_ARGUMENT, "delta: too small, expected fewer than 2^31 steps");
  return context.SetOutput(0, dtype, y);
}

// Integers wrap, so they are computed as unsigned ones.
template <typename T, typename W>
void Write(const OpContext& context) {
  const Tensor& y = *context.output(0);
  const W start = static_cast<W>(*context.input(0)->As<T>()), delta = static_cast<W>(*context.input(2)->As<T>());
  T* out = y.As<T>();
  context.ParallelFor(static_cast<size_t>(y.Elements()), 16384, [&](size_t, size_t begin, size_t end) {
    for (size_t i = begin; i < end; ++i) out[i] = static_cast<T>(start + static_cast<W>(i) * delta);
  });
}

Status Run(OpContext& context) {
  switch (context.output(0)->dtype) {
    case DType::kFloat32:
      Write<float, float>(context);
      break;
    case DType::kFloat64:
      Write<double, double>(context);
      break;
    case DType::kInt16:
      Write<int16_t, uint32_t>(context);
      break;
    case DType::kInt32:
      Write<int32_t, uint32_t>(context);
      break;
    default:
      Write<int64_t, uint64_t>(context);
      break;
  }
  return Status::Ok();
}

}  // namespace

OpKernel Cpu_range() {
  OpKernel kernel = {Prepare, Run};
  kernel.host_inputs = 7;
  return kernel;
}

}  // namespace tealight
