// SPDX-License-Identifier: Apache-2.0
// CPU cast between all dtypes of whole bytes; sdk/tealight/ops/cast.py defines the open cases.
#include <string.h>

#include "backends/cpu/ops/convert.h"
#include "runtime/op.h"

namespace tealight {
namespace {

struct State {
  DType to;
};

Status Prepare(OpContext& context) {
  const Tensor* x = context.input(0);
  const DType to = static_cast<DType>(context.attributes<schema::Cast>().to());
  if (x == nullptr || WideOf(x->dtype) == Wide::kNone || to > DType::kUint4 || WideOf(to) == Wide::kNone) {
    return context.Error(TL_ERROR_WRONG_DTYPE, "x absent or %s to dtype %d, expected dtypes of whole bytes",
                         x == nullptr ? "none" : DTypeName(x->dtype), static_cast<int>(to));
  }
  context.state<State>()->to = to;
  context.RequestScratch(0, 2 * kTileBytes);
  return context.SetOutput(0, to, x->shape);
}

struct Range {
  double low, high;  // smallest and largest value, as doubles
  uint64_t low_bits, high_bits;
};
Range RangeOf(DType dtype) {
  const unsigned bits = static_cast<unsigned>(DTypeSize(dtype)) * 8;
  if (WideOf(dtype) == Wide::kUint) {
    const uint64_t high = ~uint64_t{0} >> (64 - bits);
    return {0, static_cast<double>(high), 0, high};
  }
  const uint64_t high = ~uint64_t{0} >> (65 - bits);
  return {-static_cast<double>(high) - 1, static_cast<double>(high), ~high, high};
}

// Truncates toward zero; saturates; NaN gives 0.
template <typename From>
void FloatToInteger(const From* x, size_t n, DType to, uint64_t* y) {
  const Range range = RangeOf(to);
  for (size_t i = 0; i < n; ++i) {
    const double v = static_cast<double>(x[i]);
    if (v != v) {
      y[i] = 0;
    } else if (v >= range.high) {
      y[i] = range.high_bits;
    } else if (v <= range.low) {
      y[i] = range.low_bits;
    } else {
      y[i] = v < 0 ? static_cast<uint64_t>(static_cast<int64_t>(v)) : static_cast<uint64_t>(v);
    }
  }
}

template <typename From>
void Convert(const From* x, size_t n, DType to, void* y) {
  constexpr bool from_float = From(0.5) != From(0);
  if (to == DType::kBool) {
    for (size_t i = 0; i < n; ++i) static_cast<int64_t*>(y)[i] = x[i] != 0;
    return;
  }
  switch (WideOf(to)) {
    case Wide::kFloat:
      for (size_t i = 0; i < n; ++i) static_cast<float*>(y)[i] = static_cast<float>(x[i]);
      return;
    case Wide::kDouble:
      for (size_t i = 0; i < n; ++i) static_cast<double*>(y)[i] = static_cast<double>(x[i]);
      return;
    default:
      if (from_float) return FloatToInteger(x, n, to, static_cast<uint64_t*>(y));
      for (size_t i = 0; i < n; ++i) static_cast<uint64_t*>(y)[i] = static_cast<uint64_t>(x[i]);
  }
}

Status Run(OpContext& context) {
  const Tensor& x = *context.input(0);
  const DType from = x.dtype, to = context.state<State>()->to;
  const ElementwiseKernels& kernels = *FindElementwise(context.isa());
  const char* src = x.As<char>();
  char* dst = context.output(0)->As<char>();
  const size_t n = static_cast<size_t>(x.Elements()), from_size = DTypeSize(from), to_size = DTypeSize(to);
  const size_t tiles = (n + kTile - 1) / kTile;
  context.ParallelFor(tiles, 32, [&](size_t thread, size_t begin, size_t end) {
    char* scratch = static_cast<char*>(context.thread_scratch(thread));
    for (size_t tile = begin; tile < end; ++tile) {
      const size_t at = tile * kTile;
      const size_t count = n - at < kTile ? n - at : kTile;
      const void* in = src + at * from_size;
      if (from == to && from != DType::kBool) {
        memcpy(dst + at * to_size, in, count * to_size);
        continue;
      }
      const void* wide = Widen(kernels, from, in, count, scratch);
      void* out = scratch + kTileBytes;
      switch (WideOf(from)) {
        case Wide::kFloat:
          Convert(static_cast<const float*>(wide), count, to, out);
          break;
        case Wide::kDouble:
          Convert(static_cast<const double*>(wide), count, to, out);
          break;
        case Wide::kInt:
          Convert(static_cast<const int64_t*>(wide), count, to, out);
          break;
        default:
          Convert(static_cast<const uint64_t*>(wide), count, to, out);
          break;
      }
      Narrow(kernels, to, out, count, dst + at * to_size);
    }
  });
  return Status::Ok();
}

}  // namespace

OpKernel Cpu_cast() {
  OpKernel kernel;
  kernel.prepare = Prepare;
  kernel.run = Run;
  return kernel;
}

}  // namespace tealight
