// SPDX-License-Identifier: Apache-2.0
// Where the scale and zero point of each element of a tensor lie: one for all, one per index of an axis, or one for
// each block of an axis. Cuts the tensor into runs of elements that either share them or walk them side by side.
#ifndef TEALIGHT_BACKENDS_CPU_STEP_GRID_H_
#define TEALIGHT_BACKENDS_CPU_STEP_GRID_H_

#include "backends/cpu/axis.h"
#include "kernels/qelementwise/qelementwise.h"

namespace tealight {

/// Element i of 4-bit elements, two to a byte, the first in the low half.
inline int32_t NibbleAt(const uint8_t* data, size_t i, bool is_signed) {
  const int32_t v = data[i / 2] >> (i % 2 * 4) & 15;
  return is_signed ? (v ^ 8) - 8 : v;
}

/// Element i of any of the dtypes that dequantize takes.
inline int32_t QuantizedAt(const Tensor& tensor, size_t i) {
  switch (tensor.dtype) {
    case DType::kInt8:
      return tensor.As<int8_t>()[i];
    case DType::kUint8:
      return tensor.As<uint8_t>()[i];
    case DType::kInt16:
      return tensor.As<int16_t>()[i];
    case DType::kUint16:
      return tensor.As<uint16_t>()[i];
    case DType::kInt32:
      return tensor.As<int32_t>()[i];
    default:
      return NibbleAt(tensor.As<uint8_t>(), i, tensor.dtype == DType::kInt4);
  }
}

// Elements [first, first + count) use the scales from index `scale` on, all the same one when step is 0.
struct StepRun {
  size_t first, count, scale, step;
};

struct StepGrid {
  static constexpr size_t kPiece = 16384;  // longest run of a tensor with one scale

  size_t outer, n, inner;
  size_t scales;  // how many
  size_t block;   // elements of the axis that share a scale; 0: one scale for all

  bool is_last_axis() const { return inner == 1; }
  size_t blocks() const { return (n + block - 1) / block; }
  size_t elements() const { return outer * n * inner; }
  size_t runs() const {
    if (elements() == 0) return 0;
    if (block == 0) return (elements() + kPiece - 1) / kPiece;
    if (!is_last_axis()) return outer * n;
    return block == 1 ? outer : outer * blocks();
  }
  /// The longest run.
  size_t run_elements() const {
    if (block == 0) return elements() < kPiece ? elements() : kPiece;
    return !is_last_axis() ? inner : block == 1 ? n : block;
  }
  /// Run i of runs().
  StepRun run(size_t i, bool is_blocked) const {
    if (block == 0) {
      const size_t first = i * kPiece, left = elements() - first;
      return {first, left < kPiece ? left : kPiece, 0, 0};
    }
    if (!is_last_axis()) {
      const size_t at = i % n;
      if (!is_blocked) return {i * inner, inner, at, 0};
      return {i * inner, inner, (i / n * blocks() + at / block) * inner, 1};
    }
    if (block == 1) return {i * n, n, is_blocked ? i * n : 0, 1};
    const size_t from = i % blocks() * block, left = n - from;
    return {i / blocks() * n + from, left < block ? left : block, i, 0};
  }
};

/// The grid of x's shape and of its scale and zero point (null = 0) operands; checks that these fit. The zero point
/// has the dtype `steps`; 4-bit ones may be held in 8 bits.
inline Status MakeStepGrid(const OpContext& context, const Shape& shape, const Tensor* scale, const Tensor* zero_point,
                           DType steps, int64_t axis, int64_t block_size, StepGrid* grid) {
  if (scale == nullptr || scale->dtype != DType::kFloat32 || scale->layout != Layout::kPlain) {
    return context.Error(TL_ERROR_WRONG_DTYPE, "scale: %s, expected float32",
                         scale == nullptr ? "none" : DTypeName(scale->dtype));
  }
  if (block_size < 0) {
    return context.Error(TL_ERROR_INVALID_BUNDLE, "block_size: %lld, expected 0 or more",
                         static_cast<long long>(block_size));
  }
  *grid = {1, 1, static_cast<size_t>(shape.Elements()), static_cast<size_t>(scale->Elements()), 0};
  if (scale->shape.rank > 0 && !(block_size == 0 && scale->Elements() == 1)) {
    AxisSplit split;
    RETURN_IF_ERROR(SplitAtAxis(context, shape, axis, &split));
    Shape wanted = shape;
    wanted[split.axis] = block_size == 0 ? shape[split.axis] : (shape[split.axis] + block_size - 1) / block_size;
    if (block_size == 0) {
      wanted = Shape();
      wanted.Append(shape[split.axis]);
    }
    if (scale->shape != wanted) {
      return context.Error(TL_ERROR_WRONG_SHAPE, "scale: another shape, expected that of axis %d%s", split.axis,
                           block_size == 0 ? "" : " in blocks");
    }
    *grid = {split.outer, split.n, split.inner, grid->scales, block_size == 0 ? 1 : static_cast<size_t>(block_size)};
  }
  if (zero_point == nullptr) return Status::Ok();
  const bool is_held = (steps == DType::kInt4 && zero_point->dtype == DType::kInt8) ||
                       (steps == DType::kUint4 && zero_point->dtype == DType::kUint8);
  const bool is_nibbles = DTypeSize(zero_point->dtype) == 0;
  if ((zero_point->dtype != steps && !is_held) || zero_point->layout != Layout::kPlain ||
      zero_point->shape != scale->shape || (is_nibbles && !zero_point->is_constant)) {
    return context.Error(TL_ERROR_WRONG_DTYPE, "zero_point: %s, expected %s of the shape of scale",
                         DTypeName(zero_point->dtype), DTypeName(steps));
  }
  return Status::Ok();
}

/// Writes the zero points as int32 to `to`, grid.scales of them.
inline void ReadZeroPoints(const StepGrid& grid, const Tensor* zero_point, int32_t* to) {
  for (size_t i = 0; i < grid.scales; ++i) to[i] = zero_point == nullptr ? 0 : QuantizedAt(*zero_point, i);
}

}  // namespace tealight

#endif  // TEALIGHT_BACKENDS_CPU_STEP_GRID_H_
