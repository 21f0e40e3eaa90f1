// SPDX-License-Identifier: Apache-2.0
// CPU dynamic_quantize: the range of all elements, then one uniform quantization.
#include "backends/cpu/dynamic_rows.h"

namespace tealight {
namespace {

constexpr size_t kPiece = 16384;

struct Range {
  float least, greatest;
  char separate[64 - 2 * sizeof(float)];  // threads do not share a cache line
};

Status Prepare(OpContext& context) {
  const Tensor* x = context.input(0);
  if (x == nullptr || x->dtype != DType::kFloat32 || x->layout != Layout::kPlain) {
    return context.Error(TL_ERROR_WRONG_DTYPE, "x: %s, expected float32", x == nullptr ? "none" : DTypeName(x->dtype));
  }
  context.RequestScratch(0, sizeof(Range));
  RETURN_IF_ERROR(context.SetOutput(0, DType::kUint8, x->shape));
  RETURN_IF_ERROR(context.SetOutput(1, DType::kFloat32, Shape()));
  return context.SetOutput(2, DType::kUint8, Shape());
}

Status Run(OpContext& context) {
  const QElementwiseKernels& kernels = *FindQElementwise(context.isa());
  const float* x = context.input(0)->As<float>();
  const size_t n = static_cast<size_t>(context.input(0)->Elements()), pieces = (n + kPiece - 1) / kPiece;
  const auto last = [n](size_t end) { return end * kPiece < n ? end * kPiece : n; };
  for (size_t t = 0; t < context.num_threads(); ++t) *static_cast<Range*>(context.thread_scratch(t)) = Range();
  context.ParallelFor(pieces, 2, [&](size_t thread, size_t begin, size_t end) {
    Range* range = static_cast<Range*>(context.thread_scratch(thread));
    kernels.range(last(end) - begin * kPiece, x + begin * kPiece, &range->least, &range->greatest);
  });
  Range range = Range();
  for (size_t t = 0; t < context.num_threads(); ++t) {
    const Range& part = *static_cast<Range*>(context.thread_scratch(t));
    range.least = part.least < range.least ? part.least : range.least;
    range.greatest = part.greatest > range.greatest ? part.greatest : range.greatest;
  }
  const RowQuantization all = QuantizationOf(range.least, range.greatest);
  const float scale = all.scale;
  const int32_t zero_point = all.zero_point + 128;  // of uint8
  if (context.output(1) != nullptr) *context.output(1)->As<float>() = scale;
  if (context.output(2) != nullptr) *context.output(2)->As<uint8_t>() = static_cast<uint8_t>(zero_point);
  if (context.output(0) == nullptr) return Status::Ok();
  uint8_t* y = context.output(0)->As<uint8_t>();
  context.ParallelFor(pieces, 1, [&](size_t, size_t begin, size_t end) {
    const size_t first = begin * kPiece;
    kernels.quantize_u8(last(end) - first, x + first, {&scale, &zero_point, 0}, 0, 255, y + first);
  });
  return Status::Ok();
}

}  // namespace

OpKernel Cpu_dynamic_quantize() { return {Prepare, Run}; }

}  // namespace tealight
