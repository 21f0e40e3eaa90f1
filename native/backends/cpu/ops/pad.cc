// SPDX-License-Identifier: Apache-2.0
// Pad and crop of any dtype of whole bytes (sdk/tealight/ops/pad.py). The innermost padded axis is a row: its middle
// is one memcpy, its ends are copied or filled unit by unit; the axes outside it only choose which row is copied.
#include "backends/cpu/copy_strided.h"

namespace tealight {
namespace {

struct Axis {
  int64_t out;     // size in y
  int64_t before;  // elements added in front (0 when cropped)
  int64_t first;   // first kept element of x
  int64_t kept;    // kept elements of x
};

struct State {
  Axis axes[kMaxRank];
  int inner;  // the innermost axis that changes; the last axis when none does
};

// The index of x that element i of a padded axis copies; -1 stands for the constant.
int64_t Source(const Axis& axis, schema::PadMode mode, int64_t i) {
  i -= axis.before;
  if (i >= 0 && i < axis.kept) return i + axis.first;
  if (mode == schema::PadMode::constant) return -1;
  if (mode == schema::PadMode::edge) return (i < 0 ? 0 : axis.kept - 1) + axis.first;
  const int64_t turn = mode == schema::PadMode::wrap ? axis.kept : axis.kept > 1 ? 2 * (axis.kept - 1) : 1;
  i %= turn;
  if (i < 0) i += turn;
  return (i < axis.kept ? i : turn - i) + axis.first;
}

void Fill(char* dst, int64_t bytes, const char* value, int64_t size) {
  switch (size) {
    case 1:
      memset(dst, value[0], static_cast<size_t>(bytes));
      return;
    case 2:
      for (int64_t i = 0; i < bytes; i += 2) memcpy(dst + i, value, 2);
      return;
    case 4:
      for (int64_t i = 0; i < bytes; i += 4) memcpy(dst + i, value, 4);
      return;
    default:
      for (int64_t i = 0; i < bytes; i += 8) memcpy(dst + i, value, 8);
  }
}

Status CheckAxis(OpContext& context, int64_t size, int64_t before, int64_t after, bool constant, Axis* axis) {
  const int64_t kLimit = int64_t{1} << 40;  // keeps sums within 64 bits
  const bool sane = before > -kLimit && before < kLimit && after > -kLimit && after < kLimit && size < kLimit;
  const int64_t cut = sane && before < 0 ? -before : 0;
  const int64_t kept = sane ? size - cut + (after < 0 ? after : 0) : -1;
  if (!sane || kept < 0 || (kept == 0 && !constant && (before > 0 || after > 0))) {
    return context.Error(TL_ERROR_INVALID_ARGUMENT,
                         "pads: %lld and %lld, expected pads that leave some of the %lld elements",
                         static_cast<long long>(before), static_cast<long long>(after), static_cast<long long>(size));
  }
  *axis = {size + before + after, before > 0 ? before : 0, cut, kept};
  return Status::Ok();
}

Status Prepare(OpContext& context) {
  const Tensor* x = context.input(0);
  const Tensor* value = context.input(2);
  if (x == nullptr || DTypeSize(x->dtype) == 0 || context.input(1) == nullptr) {
    return context.Error(TL_ERROR_INVALID_BUNDLE, "x or pads: absent or of 4 bits, expected x of whole bytes");
  }
  if (value != nullptr && (value->dtype != x->dtype || value->Elements() != 1)) {
    return context.Error(TL_ERROR_INVALID_BUNDLE, "value: not one %s, expected one", DTypeName(x->dtype));
  }
  const schema::PadMode mode = context.attributes<schema::Pad>().mode();
  if (mode > schema::PadMode::wrap)
    return context.Error(TL_ERROR_INVALID_BUNDLE, "mode: %d, expected 0 to 3", static_cast<int>(mode));
  const int rank = x->shape.rank;
  int64_t pads[2 * kMaxRank], axes[kMaxRank];
  int num_pads = 0, num_axes = rank;
  RETURN_IF_ERROR(context.ReadInts(1, pads, 2 * kMaxRank, &num_pads));
  for (int d = 0; d < rank; ++d) axes[d] = d;
  if (context.input(3) != nullptr) RETURN_IF_ERROR(context.ReadInts(3, axes, kMaxRank, &num_axes));
  if (num_pads != 2 * num_axes) {
    return context.Error(TL_ERROR_WRONG_SHAPE, "pads: %d numbers, expected %d", num_pads, 2 * num_axes);
  }
  State* state = context.state<State>();
  state->inner = rank - 1;
  Shape y = x->shape;
  for (int d = 0; d < rank; ++d) state->axes[d] = {y[d], 0, 0, y[d]};
  uint32_t seen = 0;
  for (int k = 0; k < num_axes; ++k) {
    const int64_t axis = axes[k] < 0 ? axes[k] + rank : axes[k];
    if (axis < 0 || axis >= rank || ((seen >> axis) & 1u) != 0) {
      return context.Error(TL_ERROR_INVALID_ARGUMENT, "axes: %lld, expected different axes in [%d, %d)",
                           static_cast<long long>(axes[k]), -rank, rank);
    }
    seen |= 1u << axis;
    const int d = static_cast<int>(axis);
    RETURN_IF_ERROR(
        CheckAxis(context, y[d], pads[k], pads[k + num_axes], mode == schema::PadMode::constant, &state->axes[d]));
    y[d] = state->axes[d].out;
  }
  while (state->inner > 0 && state->axes[state->inner].out == state->axes[state->inner].kept &&
         state->axes[state->inner].first == 0) {
    --state->inner;
  }
  return context.SetOutput(0, x->dtype, y);
}

Status Run(OpContext& context) {
  const Tensor& x = *context.input(0);
  const Tensor& y = *context.output(0);
  const State& state = *context.state<State>();
  const schema::PadMode mode = context.attributes<schema::Pad>().mode();
  const int64_t size = static_cast<int64_t>(DTypeSize(x.dtype));
  char value[8] = {};
  if (context.input(2) != nullptr) memcpy(value, context.input(2)->data, static_cast<size_t>(size));
  if (y.shape.rank == 0) {
    memcpy(y.data, x.data, static_cast<size_t>(size));
    return Status::Ok();
  }
  const int inner = state.inner;
  const Axis& row = state.axes[inner];
  const int64_t unit = y.shape.Product(inner + 1, y.shape.rank) * size;
  int64_t strides[kMaxRank];
  DenseStrides(x.shape, size, strides);
  const size_t rows = static_cast<size_t>(y.shape.Product(0, inner));
  const size_t grain = static_cast<size_t>(32 * 1024 / (row.out * unit) + 1);
  context.ParallelFor(rows, grain, [&](size_t, size_t begin, size_t end) {
    for (size_t item = begin; item < end; ++item) {
      char* dst = y.As<char>() + static_cast<int64_t>(item) * row.out * unit;
      const char* src = x.As<char>();
      int64_t rest = static_cast<int64_t>(item);
      bool outside = false;
      for (int d = inner - 1; d >= 0; --d) {
        const int64_t from = Source(state.axes[d], mode, rest % state.axes[d].out);
        rest /= state.axes[d].out;
        outside = outside || from < 0;
        src += from * strides[d];
      }
      if (outside) {
        Fill(dst, row.out * unit, value, size);
        continue;
      }
      const int64_t tail = row.before + row.kept;
      if (mode == schema::PadMode::constant) {
        Fill(dst, row.before * unit, value, size);
        Fill(dst + tail * unit, (row.out - tail) * unit, value, size);
      } else {
        const auto copy = [&](int64_t first, int64_t last) {
          for (int64_t i = first; i < last; ++i) {
            memcpy(dst + i * unit, src + Source(row, mode, i) * unit, static_cast<size_t>(unit));
          }
        };
        copy(0, row.before);
        copy(tail, row.out);
      }
      if (row.kept > 0) {
        memcpy(dst + row.before * unit, src + row.first * unit, static_cast<size_t>(row.kept * unit));
      }
    }
  });
  return Status::Ok();
}

}  // namespace

OpKernel Cpu_pad() {
  OpKernel kernel = {Prepare, Run};
  kernel.host_inputs = 0x0a;  // pads, axes
  return kernel;
}

}  // namespace tealight
