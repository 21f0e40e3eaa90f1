// SPDX-License-Identifier: Apache-2.0
// CPU cum_sum: running sums along an axis, one addition after another.
#include "backends/cpu/axis.h"
#include "backends/cpu/dtypes.h"

namespace tealight {
namespace {

using Taken = Types<float, int32_t, int64_t>;

struct State {
  AxisSplit split;
  bool exclusive, reverse;
};

Status Prepare(OpContext& context) {
  State* s = new (context.state<State>()) State();
  const Tensor* x = context.input(0);
  if (x == nullptr) return context.Error(TL_ERROR_MISSING_INPUT, "x is absent, expected a tensor");
  if (!Has(Taken(), x->dtype)) {
    return context.Error(TL_ERROR_WRONG_DTYPE, "x is %s, expected float32, int32 or int64", DTypeName(x->dtype));
  }
  int64_t axis = 0;
  int count = 0;
  RETURN_IF_ERROR(context.ReadInts(1, &axis, 1, &count));
  if (count != 1) return context.Error(TL_ERROR_WRONG_SHAPE, "axis has %d elements, expected one", count);
  RETURN_IF_ERROR(SplitAtAxis(context, x->shape, axis, &s->split));
  s->exclusive = context.attributes<schema::CumSum>().exclusive();
  s->reverse = context.attributes<schema::CumSum>().reverse();
  return context.SetOutput(0, x->dtype, x->shape);
}

// Integers wrap around: they are summed as uint64_t.
template <typename T>
void Accumulate(const OpContext& context, const State& s) {
  using Sum = std::conditional_t<std::is_same<T, float>::value, float, uint64_t>;
  const size_t n = s.split.n, inner = s.split.inner;
  const T* x = context.input(0)->As<T>();
  T* y = context.output(0)->As<T>();
  context.ParallelFor(s.split.outer * inner, 1 + 16384 / (n + 1), [&](size_t, size_t begin, size_t end) {
    for (size_t i = begin; i < end; ++i) {
      const size_t base = i / inner * n * inner + i % inner;
      Sum sum = 0;
      for (size_t k = 0; k < n; ++k) {
        const size_t at = base + (s.reverse ? n - 1 - k : k) * inner;
        const Sum next = sum + static_cast<Sum>(x[at]);
        y[at] = static_cast<T>(s.exclusive ? sum : next);
        sum = next;
      }
    }
  });
}

Status Run(OpContext& context) {
  const State& s = *context.state<State>();
  Visit(Taken(), context.input(0)->dtype, [&](auto element) { Accumulate<decltype(element)>(context, s); });
  return Status::Ok();
}

}  // namespace

OpKernel Cpu_cum_sum() {
  OpKernel kernel;
  kernel.prepare = Prepare;
  kernel.run = Run;
  kernel.host_inputs = 1u << 1;
  return kernel;
}

}  // namespace tealight
