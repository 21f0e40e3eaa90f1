// SPDX-License-Identifier: Apache-2.0
// CPU q_reduce (sdk/tealight/ops/q_reduce.py). Reduced axes that lie next to each other are summed as [outer, count,
// inner]; others are walked element by element.
#include "backends/cpu/quantized.h"
#include "kernels/qpool/qpool.h"

namespace tealight {
namespace {

// A walk over some axes of a row-major tensor.
struct Axes {
  int rank = 0;
  size_t dims[kMaxRank] = {};
  size_t strides[kMaxRank] = {};
  size_t count = 1;

  void Append(size_t dim, size_t stride) {
    dims[rank] = dim;
    strides[rank++] = stride;
    count *= dim;
  }
  /// Offset of the i-th element of the walk, the last axis fastest.
  size_t Offset(size_t i) const {
    size_t offset = 0;
    for (int k = rank; k-- > 0; i /= dims[k]) offset += i % dims[k] * strides[k];
    return offset;
  }
};

struct State {
  Axes kept, reduced;
  bool together;  // the reduced axes are [outer, count, inner]
  size_t inner;
  Requantization requantization;
  int32_t offset;  // of a sum: -x_zero_point * count
  float scale;
};

Status ReadAxes(const OpContext& context, int rank, uint32_t* mask) {
  *mask = (1u << rank) - 1u;
  if (context.input(1) == nullptr) return Status::Ok();
  int64_t values[kMaxRank];
  int count = 0;
  RETURN_IF_ERROR(context.ReadInts(1, values, kMaxRank, &count));
  *mask = 0;
  for (int i = 0; i < count; ++i) {
    const int64_t axis = values[i] < 0 ? values[i] + rank : values[i];
    if (axis < 0 || axis >= rank || (*mask >> axis & 1u) != 0) {
      return context.Error(TL_ERROR_WRONG_SHAPE, "axis %lld, expected distinct axes in [%d, %d)",
                           static_cast<long long>(values[i]), -rank, rank);
    }
    *mask |= 1u << axis;
  }
  return Status::Ok();
}

// Sorts the axes into kept and reduced, and gives the result's shape.
Shape SplitAxes(const Shape& x, uint32_t mask, bool keepdims, State* s) {
  Shape y;
  int first = x.rank, last = -1;
  for (int i = 0; i < x.rank; ++i) {
    const size_t dim = static_cast<size_t>(x[i]), stride = static_cast<size_t>(x.Product(i + 1, x.rank));
    if ((mask >> i & 1u) == 0) {
      s->kept.Append(dim, stride);
      y.Append(x[i]);
      continue;
    }
    s->reduced.Append(dim, stride);
    if (keepdims) y.Append(1);
    if (dim == 1) continue;  // matters to no layout
    first = i < first ? i : first;
    last = i;
  }
  s->together = true;
  for (int i = first; i <= last; ++i) s->together = s->together && ((mask >> i & 1u) != 0 || x[i] == 1);
  s->inner = last < 0 ? 1 : static_cast<size_t>(x.Product(last + 1, x.rank));
  return y;
}

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
  uint32_t mask = 0;
  RETURN_IF_ERROR(ReadAxes(context, x->shape.rank, &mask));
  RETURN_IF_ERROR(ReadRequantization(context, attributes.output(), &s->requantization));
  if (mean) s->requantization.wide = true;  // means tie often, and only the wide sequence says how ties round
  RETURN_IF_ERROR(CheckInt8(context, "x_zero_point", attributes.x_zero_point()));
  RETURN_IF_ERROR(CheckFinite(context, "scale", attributes.scale()));
  const Shape y = SplitAxes(x->shape, mask, attributes.keepdims(), s);
  const size_t count = s->reduced.count;
  s->scale = mean ? ScaleOfMean(attributes.scale(), static_cast<int64_t>(count)) : attributes.scale();
  s->offset = static_cast<int32_t>(static_cast<uint32_t>(-attributes.x_zero_point()) * static_cast<uint32_t>(count));
  return context.SetOutput(0, DType::kInt8, y);
}

constexpr size_t kBlock = 256;  // results of a work item

// Results [begin, begin + n) of the walk, each summed by itself.
void SumEach(const State& s, const QPoolKernels& kernels, const int8_t* x, size_t begin, size_t n, int32_t* sums) {
  for (size_t i = 0; i < n; ++i) {
    const int8_t* p = x + s.kept.Offset(begin + i);
    if (s.together && s.inner == 1) {
      sums[i] = kernels.sum_run(p, s.reduced.count);
      continue;
    }
    uint32_t sum = 0;
    for (size_t k = 0; k < s.reduced.count; ++k) {
      sum += static_cast<uint32_t>(static_cast<int32_t>(p[s.reduced.Offset(k)]));
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
  if (outputs == 0) return Status::Ok();
  const bool columns = s.together && s.inner > 1;
  const size_t line = columns ? s.inner : outputs, blocks = (line + kBlock - 1) / kBlock;
  context.ParallelFor(outputs / line * blocks, 1, [&](size_t, size_t begin, size_t end) {
    for (size_t item = begin; item < end; ++item) {
      const size_t o = item / blocks, c = item % blocks * kBlock, n = line - c < kBlock ? line - c : kBlock;
      int32_t sums[kBlock];
      if (columns) {
        QWindow window;
        window.rows = 1;
        window.columns = static_cast<ptrdiff_t>(s.reduced.count);
        window.column_stride = static_cast<ptrdiff_t>(s.inner);
        kernels.sum_window(x + o * s.reduced.count * s.inner + c, window, n, sums);
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
