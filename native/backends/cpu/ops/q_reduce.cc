// SPDX-License-Identifier: Apache-2.0
// CPU q_reduce (sdk/tealight/ops/q_reduce.py). Reduced axes that lie next to each other are summed as [outer, count,
// inner]; others are walked element by element.
#include "backends/cpu/quantized.h"
#include "backends/cpu/reduced_axes.h"
#include "kernels/qpool/qpool.h"

namespace tealight {
namespace {

struct State {
  ReducedAxes axes;
  Requantization requantization;
  int32_t offset;  // of a sum: -x_zero_point * count
  float scale;
};

Status Prepare(OpContext& context) {
  State* s = new (context.state<State>()) State();
  const auto& attributes = context.attributes<schema::QReduce>();
  const Tensor* x = context.input(0);
  if (x == nullptr || x->dtype != DType::kInt8) {
    return context.Error(TL_ERROR_WRONG_DTYPE, "x: another type, expected int8");
  }
  const bool mean = attributes.kind() == schema::ReduceKind::mean;
  if (!mean && attributes.kind() != schema::ReduceKind::sum) {
    return context.Error(TL_ERROR_INVALID_BUNDLE, "kind %d, expected sum or mean", static_cast<int>(attributes.kind()));
  }
  Shape y;
  RETURN_IF_ERROR(ReadReducedAxes(context, x->shape, attributes.keepdims(), &s->axes, &y));
  RETURN_IF_ERROR(ReadRequantization(context, attributes.output(), &s->requantization));
  if (mean) s->requantization.wide = true;  // means tie often, and only the wide sequence says how ties round
  RETURN_IF_ERROR(CheckInt8(context, "x_zero_point", attributes.x_zero_point()));
  RETURN_IF_ERROR(CheckFinite(context, "scale", attributes.scale()));
  const size_t count = s->axes.reduced.count;
  s->scale = mean ? ScaleOfMean(attributes.scale(), static_cast<int64_t>(count)) : attributes.scale();
  s->offset = static_cast<int32_t>(static_cast<uint32_t>(-attributes.x_zero_point()) * static_cast<uint32_t>(count));
  return context.SetOutput(0, DType::kInt8, y);
}

constexpr size_t kBlock = 256;  // results of a work item

// Results [begin, begin + n) of the walk, each summed by itself.
void SumEach(const State& s, const QPoolKernels& kernels, const int8_t* x, size_t begin, size_t n, int32_t* sums) {
  for (size_t i = 0; i < n; ++i) {
    const int8_t* p = x + s.axes.kept.Offset(begin + i);
    if (s.axes.together && s.axes.inner == 1) {
      sums[i] = kernels.sum_run(p, s.axes.reduced.count);
      continue;
    }
    uint32_t sum = 0;
    for (size_t k = 0; k < s.axes.reduced.count; ++k) {
      sum += static_cast<uint32_t>(static_cast<int32_t>(p[s.axes.reduced.Offset(k)]));
    }
    sums[i] = static_cast<int32_t>(sum);
  }
}

Status Run(OpContext& context) {
  const State& s = *context.state<State>();
  const QPoolKernels& kernels = *FindQPool(context.isa());
  const int8_t* x = context.input(0)->As<int8_t>();
  int8_t* y = context.output(0)->As<int8_t>();
  const size_t outputs = static_cast<size_t>(context.output(0)->Elements());
  const bool columns = s.axes.together && s.axes.inner > 1;
  const size_t line = columns ? s.axes.inner : outputs, blocks = (line + kBlock - 1) / kBlock;
  context.ParallelFor(outputs / line * blocks, 1, [&](size_t, size_t begin, size_t end) {
    for (size_t item = begin; item < end; ++item) {
      const size_t o = item / blocks, c = item % blocks * kBlock, n = line - c < kBlock ? line - c : kBlock;
      int32_t sums[kBlock];
      if (columns) {
        QWindow window;
        window.rows = 1;
        window.columns = static_cast<ptrdiff_t>(s.axes.reduced.count);
        window.column_stride = static_cast<ptrdiff_t>(s.axes.inner);
        kernels.sum_window(x + o * s.axes.reduced.count * s.axes.inner + c, window, n, sums);
      } else {
        SumEach(s, kernels, x, c, n, sums);
      }
      kernels.requantize(sums, n, s.offset, s.scale, s.requantization, y + o * line + c);
    }
  });
  return Status::Ok();
}

}  // namespace

OpKernel Cpu_q_reduce() {
  OpKernel kernel;
  kernel.prepare = Prepare;
  kernel.run = Run;
  kernel.host_inputs = 1u << 1;
  return kernel;
}

}  // namespace tealight
