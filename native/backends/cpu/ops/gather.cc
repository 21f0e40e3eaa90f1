// SPDX-License-Identifier: Apache-2.0
// Gather of any dtype of whole bytes (sdk/tealight/ops/gather.py): rows of an embedding, or single elements. With a
// scale the rows are integers of 8 or 4 bits and become float32.
#include "backends/cpu/operands.h"

namespace tealight {
namespace {

struct State {
  int axis;
  int64_t block, blocks;  // of a row; blocks == 0: x is copied as it is
};

Status CheckStoredRows(const OpContext& context, State* s) {
  const Tensor* x = context.input(0);
  const Tensor* scale = context.input(2);
  const Tensor* zero_point = context.input(3);
  if (x == nullptr || (x->dtype != DType::kInt8 && x->dtype != DType::kInt4 && x->dtype != DType::kUint4) ||
      x->layout != Layout::kPlain || x->shape.rank != 2 || !x->is_constant) {
    return context.Error(TL_ERROR_INVALID_BUNDLE, "x with a scale: does not fit, expected constant integers [rows, k]");
  }
  const int64_t k = x->shape[1], block_size = context.attributes<schema::Gather>().block_size();
  s->block = block_size <= 0 || block_size > k ? (k > 0 ? k : 1) : block_size;
  s->blocks = k > 0 ? (k + s->block - 1) / s->block : 1;
  Shape wanted;
  wanted.Append(x->shape[0]);
  if (block_size > 0) wanted.Append(s->blocks);
  if (scale->dtype != DType::kFloat32 || scale->layout != Layout::kPlain || scale->shape != wanted ||
      (zero_point != nullptr && (zero_point->dtype != x->dtype || zero_point->layout != Layout::kPlain ||
                                 !zero_point->is_constant || zero_point->shape != wanted))) {
    return context.Error(TL_ERROR_WRONG_SHAPE, "scale or zero_point does not fit x, expected [%lld%s]",
                         static_cast<long long>(x->shape[0]), block_size > 0 ? ", blocks" : "");
  }
  if (context.attributes<schema::Gather>().axis() != 0) {
    return context.Error(TL_ERROR_INVALID_BUNDLE, "axis %d with a scale, expected 0",
                         context.attributes<schema::Gather>().axis());
  }
  return Status::Ok();
}

Status Prepare(OpContext& context) {
  const Tensor *x = context.input(0), *indices;
  State* s = context.state<State>();
  const bool stored = context.input(2) != nullptr;
  if (stored) {
    RETURN_IF_ERROR(CheckStoredRows(context, s));
  } else {
    RETURN_IF_ERROR(PlainOperand(context, 0, "x", &x));
  }
  RETURN_IF_ERROR(IndexOperand(context, 1, "indices", &indices));
  int axis = 0;
  RETURN_IF_ERROR(NormalAxis(context, "axis", context.attributes<schema::Gather>().axis(), x->shape.rank, &axis));
  if (x->shape.rank - 1 + indices->shape.rank > kMaxRank) {
    return context.Error(TL_ERROR_INVALID_BUNDLE,
                         "indices: rank %d for x of rank %d, expected a result of rank %d at most", indices->shape.rank,
                         x->shape.rank, kMaxRank);
  }
  Shape y;
  for (int i = 0; i < axis; ++i) y.Append(x->shape[i]);
  for (int i = 0; i < indices->shape.rank; ++i) y.Append(indices->shape[i]);
  for (int i = axis + 1; i < x->shape.rank; ++i) y.Append(x->shape[i]);
  s->axis = axis;
  return context.SetOutput(0, stored ? DType::kFloat32 : x->dtype, y);
}

// Element i of integers that lie one or two to a byte.
int32_t IntegerAt(DType dtype, const uint8_t* data, int64_t i) {
  if (dtype == DType::kInt8) return static_cast<int8_t>(data[i]);
  const int32_t bits = data[i / 2] >> (4 * (i % 2)) & 15;
  return dtype == DType::kInt4 ? (bits ^ 8) - 8 : bits;
}

// y [k] = row `row` of x as float32.
void DecodeRow(const OpContext& context, const State& s, int64_t row, float* y) {
  const Tensor& x = *context.input(0);
  const Tensor* zero_point = context.input(3);
  const float* scale = context.input(2)->As<float>() + row * s.blocks;
  const int64_t k = x.shape[1];
  for (int64_t block = 0; block < s.blocks; ++block) {
    const int32_t zero =
        zero_point == nullptr ? 0 : IntegerAt(x.dtype, zero_point->As<uint8_t>(), row * s.blocks + block);
    const int64_t end = (block + 1) * s.block < k ? (block + 1) * s.block : k;
    for (int64_t i = block * s.block; i < end; ++i) {
      y[i] = static_cast<float>(IntegerAt(x.dtype, x.As<uint8_t>(), row * k + i) - zero) * scale[block];
    }
  }
}

Status Run(OpContext& context) {
  const Tensor &x = *context.input(0), &indices = *context.input(1), &y = *context.output(0);
  const int axis = context.state<State>()->axis;
  const int64_t count = indices.Elements(), size = x.shape[axis], outer = x.shape.Product(0, axis);
  const int64_t row = x.shape.Product(axis + 1, x.shape.rank) * static_cast<int64_t>(DTypeSize(x.dtype));
  const State& s = *context.state<State>();
  if (s.blocks > 0) {
    BadIndex bad;
    context.ParallelFor(static_cast<size_t>(count), 16, [&](size_t, size_t begin, size_t end) {
      for (size_t i = begin; i < end; ++i) {
        const int64_t at = static_cast<int64_t>(i), index = bad.Resolve(IntAt(indices, at), size, at);
        if (index >= 0) DecodeRow(context, s, index, y.As<float>() + at * x.shape[1]);
      }
    });
    return bad.ToStatus(context, indices, size);
  }
  const char* from = x.As<char>();
  char* to = y.As<char>();
  BadIndex bad;
  context.ParallelFor(static_cast<size_t>(outer * count), GrainOf(row), [&](size_t, size_t begin, size_t end) {
    int64_t block = static_cast<int64_t>(begin) / count, i = static_cast<int64_t>(begin) % count;
    char* out = to + static_cast<int64_t>(begin) * row;
    for (size_t item = begin; item < end; ++item, out += row) {
      const int64_t index = bad.Resolve(IntAt(indices, i), size, i);
      if (index >= 0) CopyItem(out, from + (block * size + index) * row, row);
      if (++i == count) {
        i = 0;
        ++block;
      }
    }
  });
  return bad.ToStatus(context, indices, size);
}

}  // namespace

OpKernel Cpu_gather() { return {Prepare, Run}; }

}  // namespace tealight
