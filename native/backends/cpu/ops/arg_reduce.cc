// SPDX-License-Identifier: Apache-2.0
// CPU arg_reduce: the index of the largest or smallest element along an axis. A plain scan in order decides ties and
// NaN (a comparison with NaN is false) the same way everywhere.
#include "backends/cpu/axis.h"
#include "backends/cpu/dtypes.h"

namespace tealight {
namespace {

using Taken = Types<float, int8_t, uint8_t, int32_t, int64_t>;

struct State {
  AxisSplit split;
  bool is_min, last;
};

Status Prepare(OpContext& context) {
  State* s = new (context.state<State>()) State();
  const auto& attributes = context.attributes<schema::ArgReduce>();
  const Tensor* x = context.input(0);
  if (x == nullptr) return context.Error(TL_ERROR_MISSING_INPUT, "x is absent, expected a tensor");
  RETURN_IF_ERROR(SplitAtAxis(context, x->shape, attributes.axis(), &s->split));
  if (s->split.n == 0) return context.Error(TL_ERROR_WRONG_SHAPE, "x has no element along the axis, expected one");
  if (!Has(Taken(), x->dtype)) {
    return context.Error(TL_ERROR_WRONG_DTYPE, "x is %s, expected float32, int8, uint8, int32 or int64",
                         DTypeName(x->dtype));
  }
  s->is_min = attributes.is_min();
  s->last = attributes.select_last_index();
  Shape shape;
  for (int i = 0; i < x->shape.rank; ++i) {
    if (i != s->split.axis) {
      shape.Append(x->shape[i]);
    } else if (attributes.keepdims()) {
      shape.Append(1);
    }
  }
  return context.SetOutput(0, DType::kInt64, shape);
}

template <typename T>
bool Better(const State& s, T a, T best) {
  if (s.is_min) return s.last ? a <= best : a < best;
  return s.last ? a >= best : a > best;
}

template <typename T>
void Scan(const OpContext& context, const State& s) {
  const size_t n = s.split.n, inner = s.split.inner;
  const T* x = context.input(0)->As<T>();
  int64_t* y = context.output(0)->As<int64_t>();
  context.ParallelFor(s.split.outer * inner, 1 + 16384 / n, [&](size_t, size_t begin, size_t end) {
    for (size_t i = begin; i < end; ++i) {
      const T* p = x + i / inner * n * inner + i % inner;
      T best = *p;
      size_t at = 0;
      for (size_t k = 1; k < n; ++k) {
        const T value = p[k * inner];
        if (!Better(s, value, best)) continue;
        best = value;
        at = k;
      }
      y[i] = static_cast<int64_t>(at);
    }
  });
}

Status Run(OpContext& context) {
  const State& s = *context.state<State>();
  Visit(Taken(), context.input(0)->dtype, [&](auto element) { Scan<decltype(element)>(context, s); });
  return Status::Ok();
}

}  // namespace

OpKernel Cpu_arg_reduce() {
  OpKernel kernel;
  kernel.prepare = Prepare;
  kernel.run = Run;
  return kernel;
}

}  // namespace tealight
