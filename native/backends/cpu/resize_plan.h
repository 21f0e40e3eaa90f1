// SPDX-License-Identifier: Apache-2.0
// The arithmetic of resize: sizes, coordinates, nearest indices and filter weights of one axis, in float64 exactly as
// sdk/tealight/ops/resize.py writes them.
#ifndef TEALIGHT_BACKENDS_CPU_RESIZE_PLAN_H_
#define TEALIGHT_BACKENDS_CPU_RESIZE_PLAN_H_

#include <math.h>

#include "runtime/op.h"

namespace tealight {

struct ResizeAxis {
  int64_t size = 0, out = 0;
  double scale = 1;
  double start = 0, end = 1;  // of the crop box
  int axis = 0;

  bool IsIdentity(schema::CoordinateMode mode) const {
    return size == out && scale == 1.0 && mode != schema::CoordinateMode::tf_crop_and_resize;
  }
};

/// Where output index i lies on the input axis.
inline double SourceCoordinate(const ResizeAxis& a, schema::CoordinateMode mode, int64_t index) {
  using Mode = schema::CoordinateMode;
  const double i = static_cast<double>(index), size = static_cast<double>(a.size), out = static_cast<double>(a.out);
  switch (mode) {
    case Mode::align_corners:
      return a.out == 1 ? 0.0 : i * (size - 1) / (out - 1);
    case Mode::asymmetric:
      return i / a.scale;
    case Mode::tf_half_pixel_for_nn:
      return (i + 0.5) / a.scale;
    case Mode::tf_crop_and_resize:
      if (a.out == 1) return 0.5 * (a.start + a.end) * (size - 1);
      return a.start * (size - 1) + i * (a.end - a.start) * (size - 1) / (out - 1);
    case Mode::pytorch_half_pixel:
      if (a.out == 1) return 0.0;
      break;
    default:
      break;
  }
  const double x = (i + 0.5) / a.scale - 0.5;
  if (mode != Mode::half_pixel_symmetric) return x;
  return size / 2 * (1 - out / (a.scale * size)) + x;
}

/// x as an index in [0, size); what is not a number is 0.
inline int32_t ClampIndex(double x, int64_t size) {
  const double last = static_cast<double>(size - 1);
  return x >= last ? static_cast<int32_t>(size - 1) : x > 0 ? static_cast<int32_t>(x) : 0;
}

inline double NearestCoordinate(double x, schema::NearestMode mode) {
  switch (mode) {
    case schema::NearestMode::round_prefer_floor:
      return ceil(x - 0.5);
    case schema::NearestMode::round_prefer_ceil:
      return floor(x + 0.5);
    case schema::NearestMode::floor:
      return floor(x);
    default:
      return ceil(x);
  }
}

// The filter of linear (a triangle of half-width 1) or cubic (half-width 2), stretched when antialias shrinks.
struct ResizeFilter {
  bool cubic = false, exclude_outside = false, antialias = false;
  double a = -0.75;

  double Stretch(const ResizeAxis& axis) const { return antialias && axis.scale < 1.0 ? axis.scale : 1.0; }
  /// Offset of the first tap from floor(x).
  int64_t Before(const ResizeAxis& axis) const {
    return static_cast<int64_t>(floor((cubic ? -2.0 : -1.0) / Stretch(axis)) + 1);
  }
  int64_t Taps(const ResizeAxis& axis) const { return 2 * (1 - Before(axis)); }

  double Weight(double t) const {
    t = fabs(t);
    if (!cubic) return t < 1 ? 1 - t : 0.0;
    if (t <= 1) return ((a + 2) * t - (a + 3)) * t * t + 1;
    return t < 2 ? ((a * t - 5 * a) * t + 8 * a) * t - 4 * a : 0.0;
  }

  /// Fills index and weight [taps] for coordinate x; taps outside the axis repeat its edge.
  void Fill(const ResizeAxis& axis, double x, int32_t* index, float* weight) const {
    const double first = floor(x) + static_cast<double>(Before(axis)), stretch = Stretch(axis);
    const int64_t taps = Taps(axis);
    double all = 0, inside = 0;
    for (int64_t t = 0; t < taps; ++t) {
      const double at = first + static_cast<double>(t), w = Weight((at - x) * stretch);
      all += w;
      if (at >= 0 && at < static_cast<double>(axis.size)) inside += w;
      index[t] = ClampIndex(at, axis.size);
    }
    for (int64_t t = 0; t < taps; ++t) {
      const double at = first + static_cast<double>(t);
      double w = Weight((at - x) * stretch);
      const bool in = at >= 0 && at < static_cast<double>(axis.size);
      if (exclude_outside) {
        w = in ? w / inside : 0.0;
      } else if (antialias) {
        w /= all;
      }
      weight[t] = static_cast<float>(w);
    }
  }
};

}  // namespace tealight

#endif  // TEALIGHT_BACKENDS_CPU_RESIZE_PLAN_H_
