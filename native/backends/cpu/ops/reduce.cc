// SPDX-License-Identifier: Apache-2.0
// CPU reduce. float32 over trailing axes and over one run of outer axes goes to the kernels as it lies; any other
// choice of axes is gathered row by row first. Integers and bool run through one loop per type.
#include "kernels/reduce/reduce.h"

#include <string.h>

#include <limits>
#include <type_traits>

#include "backends/cpu/dtypes.h"
#include "backends/cpu/reduced_axes.h"
#include "kernels/elementwise/elementwise.h"

namespace tealight {
namespace {

using Kind = schema::ReduceKind;

struct State {
  Kind kind;
  DType dtype;
  ReducedAxes axes;
  bool rows;     // reduced axes trail: [outputs, count]
  bool columns;  // [outer, count, inner]
};

Accumulation AccumulationOf(Kind kind) {
  switch (kind) {
    case Kind::prod:
      return Accumulation::kProduct;
    case Kind::max:
    case Kind::log_sum_exp:
      return Accumulation::kMax;
    case Kind::min:
      return Accumulation::kMin;
    case Kind::l1:
      return Accumulation::kSumAbs;
    case Kind::l2:
    case Kind::sum_square:
      return Accumulation::kSumSquare;
    default:
      return Accumulation::kSum;
  }
}

using Integers = Types<int8_t, uint8_t, int32_t, uint32_t, int64_t, uint64_t>;

bool Takes(Kind kind, DType dtype) {
  const bool logic = kind == Kind::any || kind == Kind::all;
  const bool order = kind == Kind::max || kind == Kind::min;
  if (dtype == DType::kFloat32) return !logic;
  if (dtype == DType::kBool) return logic || order;
  return Has(Integers(), dtype) && (order || kind == Kind::sum || kind == Kind::mean || kind == Kind::prod ||
                                    kind == Kind::l1 || kind == Kind::sum_square);
}

Status Prepare(OpContext& context) {
  State* s = new (context.state<State>()) State();
  const auto& attributes = context.attributes<schema::Reduce>();
  const Tensor* x = context.input(0);
  s->kind = attributes.kind();
  if (x == nullptr || s->kind > Kind::MAX || !Takes(s->kind, x->dtype)) {
    return context.Error(TL_ERROR_WRONG_DTYPE, "%s for kind %d, expected a dtype that it takes",
                         x == nullptr ? "no tensor" : DTypeName(x->dtype), static_cast<int>(s->kind));
  }
  s->dtype = x->dtype;
  Shape shape;
  RETURN_IF_ERROR(ReadReducedAxes(context, x->shape, attributes.keepdims(), &s->axes, &shape));
  s->rows = s->axes.together && s->axes.inner == 1;
  s->columns = s->axes.together && !s->rows && s->kind != Kind::log_sum_exp;
  const size_t gathered = s->dtype == DType::kFloat32 && !s->columns ? s->axes.reduced.count * sizeof(float) : 0;
  context.RequestScratch(0, gathered);
  return context.SetOutput(0, x->dtype, shape);
}

// Turns n finished accumulations into results.
void Finish(const ElementwiseKernels& kernels, const State& s, size_t n, float* y) {
  if (s.kind == Kind::mean) {
    const float count = static_cast<float>(s.axes.reduced.count);
    kernels.binary(BinaryOp::kDiv, 1, n, {y, 0, 1}, {&count, 0, 0}, y);
  } else if (s.kind == Kind::l2) {
    kernels.unary(UnaryOp::kSqrt, 0, 0, n, y, y);
  } else if (s.kind == Kind::log_sum) {
    kernels.unary(UnaryOp::kLog, 0, 0, n, y, y);
  }
}

// m + log(sum of exp(x - m)), m the maximum, or 0 where that is infinite; x is overwritten.
float LogSumExp(const ElementwiseKernels& elementwise, const ReduceKernels& reduce, size_t n, float max, float* x) {
  const float m = max - max == 0 ? max : 0.0f;
  elementwise.binary(BinaryOp::kSub, 1, n, {x, 0, 1}, {&m, 0, 0}, x);
  elementwise.unary(UnaryOp::kExp, 0, 0, n, x, x);
  float sum = 0;
  reduce.rows(Accumulation::kSum, 1, n, x, &sum);
  elementwise.unary(UnaryOp::kLog, 0, 0, 1, &sum, &sum);
  return sum + m;
}

void RunFloatRows(OpContext& context, const State& s) {
  const ElementwiseKernels& elementwise = *FindElementwise(context.isa());
  const ReduceKernels& reduce = *FindReduce(context.isa());
  const float* x = context.input(0)->As<float>();
  float* y = context.output(0)->As<float>();
  const size_t n = s.axes.reduced.count;
  const Accumulation accumulation = AccumulationOf(s.kind);
  context.ParallelFor(s.axes.kept.count, 1 + 16384 / (n + 1), [&](size_t thread, size_t begin, size_t end) {
    float* scratch = static_cast<float*>(context.thread_scratch(thread));
    for (size_t i = begin; i < end; ++i) {
      const float* row = x + (s.rows ? i * n : s.axes.kept.Offset(i));
      if (!s.rows) {
        for (size_t k = 0; k < n; ++k) scratch[k] = row[s.axes.reduced.Offset(k)];
        row = scratch;
      }
      reduce.rows(accumulation, 1, n, row, y + i);
      if (s.kind != Kind::log_sum_exp) continue;
      if (s.rows && n > 0) memcpy(scratch, row, n * sizeof(float));
      y[i] = LogSumExp(elementwise, reduce, n, y[i], scratch);
    }
    Finish(elementwise, s, end - begin, y + begin);
  });
}

void RunFloatColumns(OpContext& context, const State& s) {
  constexpr size_t kBlock = 64;  // columns of a work item
  const ElementwiseKernels& elementwise = *FindElementwise(context.isa());
  const ReduceKernels& reduce = *FindReduce(context.isa());
  const float* x = context.input(0)->As<float>();
  float* y = context.output(0)->As<float>();
  const size_t n = s.axes.reduced.count, inner = s.axes.inner, blocks = (inner + kBlock - 1) / kBlock;
  const size_t outer = inner == 0 ? 0 : s.axes.kept.count / inner;
  context.ParallelFor(outer * blocks, 1 + 256 / (n + 1), [&](size_t, size_t begin, size_t end) {
    for (size_t i = begin; i < end; ++i) {
      const size_t o = i / blocks, c = i % blocks * kBlock;
      const size_t width = inner - c < kBlock ? inner - c : kBlock;
      reduce.columns(AccumulationOf(s.kind), n, width, inner, x + o * n * inner + c, y + o * inner + c);
      Finish(elementwise, s, width, y + o * inner + c);
    }
  });
}

// Wraps around.
template <typename T>
T ReduceInteger(const State& s, const T* x) {
  using Wide = std::conditional_t<std::is_signed<T>::value, int64_t, uint64_t>;
  const bool maximum = s.kind == Kind::max, minimum = s.kind == Kind::min;
  const size_t n = s.axes.reduced.count;
  // Of nothing: the value that any other replaces.
  const T highest = s.dtype == DType::kBool ? T(1) : std::numeric_limits<T>::max();
  T best = minimum ? highest : std::numeric_limits<T>::min();
  if (n > 0) best = x[s.axes.reduced.Offset(0)];
  uint64_t sum = s.kind == Kind::prod || s.kind == Kind::all ? 1 : 0;
  for (size_t k = 0; k < n; ++k) {
    const T value = x[s.axes.reduced.Offset(k)];
    const uint64_t wide = static_cast<uint64_t>(static_cast<Wide>(value));
    if ((maximum && value > best) || (minimum && value < best)) best = value;
    switch (s.kind) {
      case Kind::prod:
        sum *= wide;
        break;
      case Kind::l1:
        sum += value < T(0) ? 0 - wide : wide;
        break;
      case Kind::sum_square:
        sum += wide * wide;
        break;
      case Kind::any:
        sum |= value != T(0) ? 1 : 0;
        break;
      case Kind::all:
        sum &= value != T(0) ? 1 : 0;
        break;
      default:
        sum += wide;
    }
  }
  if (maximum || minimum) return best;
  if (s.kind == Kind::mean) return n == 0 ? T(0) : static_cast<T>(static_cast<Wide>(sum) / static_cast<Wide>(n));
  return static_cast<T>(sum);
}

template <typename T>
void RunInteger(OpContext& context, const State& s) {
  const T* x = context.input(0)->As<T>();
  T* y = context.output(0)->As<T>();
  context.ParallelFor(s.axes.kept.count, 1 + 4096 / (s.axes.reduced.count + 1), [&](size_t, size_t begin, size_t end) {
    for (size_t i = begin; i < end; ++i) y[i] = ReduceInteger<T>(s, x + s.axes.kept.Offset(i));
  });
}

Status Run(OpContext& context) {
  const State& s = *context.state<State>();
  if (s.dtype == DType::kFloat32) {
    if (s.columns) {
      RunFloatColumns(context, s);
    } else {
      RunFloatRows(context, s);
    }
    return Status::Ok();
  }
  const DType stored = s.dtype == DType::kBool ? DType::kUint8 : s.dtype;
  Visit(Integers(), stored, [&](auto element) { RunInteger<decltype(element)>(context, s); });
  return Status::Ok();
}

}  // namespace

OpKernel Cpu_reduce() {
  OpKernel kernel;
  kernel.prepare = Prepare;
  kernel.run = Run;
  kernel.host_inputs = 1u << 1;
  return kernel;
}

}  // namespace tealight
