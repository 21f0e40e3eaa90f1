// SPDX-License-Identifier: Apache-2.0
// What resize and q_resize share: operands and attributes become axes with their sizes and scales, and those that
// change become stages, each a pair of neighbouring axes or one.
#ifndef TEALIGHT_BACKENDS_CPU_RESIZE_STAGES_H_
#define TEALIGHT_BACKENDS_CPU_RESIZE_STAGES_H_

#include "backends/cpu/resize_plan.h"

namespace tealight {

struct ResizeAxes {
  ResizeAxis axes[kMaxRank];  // ascending by axis
  int num_axes;
};

template <typename Attributes>
ResizeFilter ReadResizeFilter(const Attributes& attributes) {
  ResizeFilter filter;
  filter.cubic = attributes.mode() == schema::InterpolationMode::cubic;
  filter.exclude_outside = attributes.exclude_outside();
  filter.antialias = attributes.antialias();
  filter.a = static_cast<double>(attributes.cubic_coeff_a());
  return filter;
}

inline Status ReadResizeFloats(const OpContext& context, int operand, int count, float* values) {
  const Tensor* t = context.input(operand);
  if (t->dtype != DType::kFloat32 || t->shape.rank != 1 || t->shape[0] != count || (t->data == nullptr && count > 0)) {
    return context.Error(TL_ERROR_WRONG_SHAPE, "operand %d: another type or length, expected float32 [%d]", operand,
                         count);
  }
  for (int i = 0; i < count; ++i) {
    values[i] = t->As<float>()[i];
    if (!(values[i] > -1e9f && values[i] < 1e9f)) {
      return context.Error(TL_ERROR_INVALID_ARGUMENT, "operand %d: number %d is too large, expected less than 1e9",
                           operand, i);
    }
  }
  return Status::Ok();
}

// Sets out and scale of each axis from scales or sizes; axes come in the operands' order.
template <typename Attributes>
Status ReadResizeTargets(const OpContext& context, const Attributes& attributes, ResizeAxes* s) {
  const int k = s->num_axes;
  const bool by_scale = context.input(2) != nullptr && context.input(2)->Elements() > 0;
  if (by_scale == (context.input(3) != nullptr && context.input(3)->Elements() > 0) && k > 0) {
    return context.Error(TL_ERROR_INVALID_BUNDLE, "scales and sizes: both or neither, expected one of them");
  }
  if (by_scale) {
    float scales[kMaxRank];
    RETURN_IF_ERROR(ReadResizeFloats(context, 2, k, scales));
    for (int i = 0; i < k; ++i) {
      ResizeAxis& a = s->axes[i];
      if (!(scales[i] > 0))
        return context.Error(TL_ERROR_INVALID_ARGUMENT, "scales: %g, expected positive numbers",
                             static_cast<double>(scales[i]));
      const float out = floorf(static_cast<float>(a.size) * scales[i]);
      if (!(out < 1e9f))
        return context.Error(TL_ERROR_INVALID_ARGUMENT, "scales: axis of more than 1e9, expected less");
      a.out = static_cast<int64_t>(out);
      a.scale = static_cast<double>(scales[i]);
    }
    return Status::Ok();
  }
  if (k == 0) return Status::Ok();
  int64_t sizes[kMaxRank];
  int count = 0;
  RETURN_IF_ERROR(context.ReadInts(3, sizes, kMaxRank, &count));
  if (count != k) return context.Error(TL_ERROR_WRONG_SHAPE, "sizes: %d numbers, expected %d", count, k);
  double ratio = 0;
  for (int i = 0; i < k; ++i) {
    ResizeAxis& a = s->axes[i];
    if (sizes[i] < 0 || sizes[i] >= 1000000000 || (a.size == 0 && sizes[i] > 0)) {
      return context.Error(TL_ERROR_INVALID_ARGUMENT, "sizes: %lld, expected 0 to 1e9, and elements to resize",
                           static_cast<long long>(sizes[i]));
    }
    a.out = sizes[i];
    a.scale = a.size > 0 ? static_cast<double>(sizes[i]) / static_cast<double>(a.size) : 1.0;
    const bool take = attributes.keep_aspect_ratio() == 1 ? a.scale < ratio : a.scale > ratio;
    if (i == 0 || take) ratio = a.scale;
  }
  for (int i = 0; i < k && attributes.keep_aspect_ratio() != 0; ++i) {
    ResizeAxis& a = s->axes[i];
    const double out = floor(ratio * static_cast<double>(a.size) + 0.5);
    if (!(out < 1e9)) return context.Error(TL_ERROR_INVALID_ARGUMENT, "sizes: axis of more than 1e9, expected less");
    a.scale = ratio;
    a.out = static_cast<int64_t>(out);
  }
  return Status::Ok();
}

template <typename Attributes>
Status ReadResizeAxes(const OpContext& context, const Attributes& attributes, const Shape& x, ResizeAxes* s) {
  const auto* list = attributes.axes();
  const bool all = list == nullptr || list->size() == 0;
  s->num_axes = all ? x.rank : static_cast<int>(list->size());
  if (s->num_axes > x.rank)
    return context.Error(TL_ERROR_INVALID_BUNDLE, "axes: %d numbers, expected at most %d", s->num_axes, x.rank);
  uint32_t seen = 0;
  for (int i = 0; i < s->num_axes; ++i) {
    const int given = all ? i : list->Get(static_cast<flatbuffers::uoffset_t>(i)),
              axis = given < 0 ? given + x.rank : given;
    if (axis < 0 || axis >= x.rank || ((seen >> axis) & 1u) != 0) {
      return context.Error(TL_ERROR_INVALID_BUNDLE, "axes: %d, expected different axes in [%d, %d)", given, -x.rank,
                           x.rank);
    }
    seen |= 1u << axis;
    s->axes[i].axis = axis;
    s->axes[i].size = x[axis];
    if (x[axis] >= 1000000000) return context.Error(TL_ERROR_WRONG_SHAPE, "axis of more than 1e9, expected less");
  }
  return Status::Ok();
}

inline void SortResizeAxes(ResizeAxes* s) {
  for (int i = 1; i < s->num_axes; ++i) {
    for (int k = i; k > 0 && s->axes[k - 1].axis > s->axes[k].axis; --k) {
      const ResizeAxis t = s->axes[k];
      s->axes[k] = s->axes[k - 1];
      s->axes[k - 1] = t;
    }
  }
}

// A stage: rows of axis a (or none), columns of axis b (or none).
struct ResizeStage {
  const ResizeAxis* a = nullptr;
  const ResizeAxis* b = nullptr;
  int64_t outer = 1, rows_in = 1, rows_out = 1, cols_in = 1, cols_out = 1, inner = 1;
  int64_t Elements() const { return outer * rows_out * cols_out * inner; }
};

// Cuts the axes that change into stages, innermost first. Returns their number.
inline int PlanResizeStages(const ResizeAxes& s, schema::CoordinateMode mode, const Shape& x, ResizeStage* stages) {
  int count = 0;
  Shape shape = x;
  for (int i = s.num_axes - 1; i >= 0; --i) {
    const ResizeAxis* b = &s.axes[i];
    if (b->IsIdentity(mode)) continue;
    const ResizeAxis* a =
        i > 0 && !s.axes[i - 1].IsIdentity(mode) && s.axes[i - 1].axis + 1 == b->axis ? &s.axes[i - 1] : nullptr;
    ResizeStage& stage = stages[count++];
    stage = ResizeStage();
    stage.inner = shape.Product(b->axis + 1, shape.rank);
    if (a == nullptr && stage.inner >= 16) {  // alone: as rows, whose inner loop is longest
      stage.a = b;
      stage.rows_in = b->size;
      stage.rows_out = b->out;
      stage.outer = shape.Product(0, b->axis);
    } else {
      stage.b = b;
      stage.cols_in = b->size;
      stage.cols_out = b->out;
      stage.a = a;
      stage.rows_in = a == nullptr ? 1 : a->size;
      stage.rows_out = a == nullptr ? 1 : a->out;
      stage.outer = shape.Product(0, a == nullptr ? b->axis : a->axis);
    }
    shape[b->axis] = b->out;
    if (a != nullptr) {
      shape[a->axis] = a->out;
      --i;
    }
  }
  return count;
}

/// Parts of the scratch begin at multiples of 64 bytes.
inline size_t AlignScratch(size_t bytes) { return (bytes + 63) / 64 * 64; }

/// Bytes of the table of one axis, or none: indices, then weights, 4 bytes each.
inline size_t TableBytes(const ResizeAxis* axis, const ResizeFilter& filter) {
  return axis == nullptr ? 0 : 2 * AlignScratch(static_cast<size_t>(axis->out * filter.Taps(*axis)) * 4);
}

/// Plans the stages and checks that their tables, results and rows fit memory: not only x and y, but also what lies
/// between them, and the rows that the taps of an axis read.
inline Status CheckResizeStages(const OpContext& context, const ResizeAxes& s, schema::CoordinateMode mode,
                                const ResizeFilter& filter, const Shape& x) {
  constexpr int64_t kMost = int64_t{1} << (sizeof(size_t) >= 8 ? 48 : 26);  // elements of 4 bytes
  constexpr int64_t kMostTaps = int64_t{1} << (sizeof(size_t) >= 8 ? 30 : 26);
  for (int i = 0; i < s.num_axes; ++i) {
    const ResizeAxis& a = s.axes[i];
    if (a.scale < 1e-9 || a.out * filter.Taps(a) > kMostTaps) {
      return context.Error(TL_ERROR_INVALID_ARGUMENT, "axis %d: too many filter taps, expected less than 2^30", a.axis);
    }
  }
  ResizeStage stages[kMaxRank];
  const int count = PlanResizeStages(s, mode, x, stages);
  for (int i = 0; i < count; ++i) {
    const ResizeStage& stage = stages[i];
    int64_t row = 0, ring = 0, all = 0;
    if (__builtin_mul_overflow(stage.cols_out, stage.inner, &row) || row > kMost ||
        __builtin_mul_overflow(row, stage.a == nullptr ? 1 : filter.Taps(*stage.a), &ring) || ring > kMost ||
        __builtin_mul_overflow(stage.outer, stage.rows_out, &all) || __builtin_mul_overflow(all, row, &all) ||
        all > kMost) {
      return context.Error(TL_ERROR_WRONG_SHAPE, "more than 2^48 elements between x and the result, expected less");
    }
  }
  return Status::Ok();
}

}  // namespace tealight

#endif  // TEALIGHT_BACKENDS_CPU_RESIZE_STAGES_H_
