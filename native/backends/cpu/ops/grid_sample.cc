// SPDX-License-Identifier: Apache-2.0
// CPU grid_sample (sdk/tealight/ops/grid_sample.py). Coordinates and weights are float64, weights rounded to float32;
// an output pixel is one chain of fused multiply-adds over its taps, row by row, without those outside of the image.
#include <math.h>
#include <string.h>

#include "kernels/resize/resize.h"
#include "runtime/op.h"

namespace tealight {
namespace {

enum class Padding { kZeros = 0, kBorder = 1, kReflection = 2 };

struct State {
  int64_t h, w, c, pixels;  // pixels of one result image
  schema::InterpolationMode mode;
  Padding padding;
  bool align_corners;
};

double Reflect(double x, double low, double high) {
  const double span = high - low;
  if (!(span > 0)) return low;
  x = fabs(x - low);
  const double turns = floor(x / span), rest = x - turns * span;
  return fmod(turns, 2.0) == 0 ? rest + low : high - rest;
}

// Applies the padding to a coordinate.
double Fold(const State& s, double x, int64_t size) {
  const double last = static_cast<double>(size - 1);
  if (s.padding == Padding::kZeros) return x;
  if (s.padding == Padding::kReflection) x = s.align_corners ? Reflect(x, 0, last) : Reflect(x, -0.5, last + 0.5);
  return x < 0 ? 0 : x > last ? last : x;
}

double Place(const State& s, float g, int64_t size) {
  const double n = static_cast<double>(size), at = isfinite(g) ? static_cast<double>(g) : -1.0;
  const double x = s.align_corners ? (at + 1) / 2 * (n - 1) : ((at + 1) * n - 1) / 2;
  return s.mode == schema::InterpolationMode::cubic ? x : Fold(s, x, size);
}

double Weight(const State& s, double t) {
  constexpr double kA = -0.75;
  t = fabs(t);
  if (s.mode == schema::InterpolationMode::linear) return 1 - t;
  return t <= 1 ? ((kA + 2) * t - (kA + 3)) * t * t + 1 : ((kA * t - 5 * kA) * t + 8 * kA) * t - 4 * kA;
}

// The taps of one axis: indices (-1: outside) and weights. Returns their number.
int AxisTaps(const State& s, float g, int64_t size, int64_t* index, double* weight) {
  const double at = Place(s, g, size);
  const bool nearest = s.mode == schema::InterpolationMode::nearest;
  const double first = nearest ? rint(at) : floor(at) - (s.mode == schema::InterpolationMode::cubic ? 1 : 0);
  const int taps = nearest ? 1 : s.mode == schema::InterpolationMode::linear ? 2 : 4;
  for (int t = 0; t < taps; ++t) {
    const double x = first + t, place = Fold(s, x, size);
    index[t] = place >= 0 && place <= static_cast<double>(size - 1) ? static_cast<int64_t>(place) : -1;
    weight[t] = nearest ? 1.0 : Weight(s, x - at);
  }
  return taps;
}

Status Prepare(OpContext& context) {
  const auto& attributes = context.attributes<schema::GridSample>();
  const Tensor* x = context.input(0);
  const Tensor* grid = context.input(1);
  if (x == nullptr || grid == nullptr || x->dtype != DType::kFloat32 || grid->dtype != DType::kFloat32) {
    return context.Error(TL_ERROR_WRONG_DTYPE, "operands of other types, expected float32 x and grid");
  }
  if (x->shape.rank != 4 || grid->shape.rank != 4 || grid->shape[3] != 2 || grid->shape[0] != x->shape[0]) {
    return context.Error(TL_ERROR_WRONG_SHAPE,
                         "operands of other shapes, expected x [n, h, w, c] and grid [n, oh, ow, 2]");
  }
  if (attributes.mode() > schema::InterpolationMode::cubic || attributes.padding() > 2) {
    return context.Error(TL_ERROR_INVALID_BUNDLE, "mode or padding: unknown, expected one of the schema");
  }
  Shape y = grid->shape;
  y[3] = x->shape[3];
  State* s = context.state<State>();
  *s = {x->shape[1],
        x->shape[2],
        x->shape[3],
        y[1] * y[2],
        attributes.mode(),
        static_cast<Padding>(attributes.padding()),
        attributes.align_corners()};
  if ((s->h == 0 || s->w == 0) && y.Elements() > 0) {
    return context.Error(TL_ERROR_WRONG_SHAPE, "x: no pixels, expected at least one");
  }
  return context.SetOutput(0, DType::kFloat32, y);
}

Status Run(OpContext& context) {
  const State& s = *context.state<State>();
  const Tensor& y = *context.output(0);
  const ResizeKernels& kernels = *FindResize(context.isa());
  const float* x = context.input(0)->As<float>();
  const float* grid = context.input(1)->As<float>();
  const size_t pixels = static_cast<size_t>(y.shape.Product(0, 3)), c = static_cast<size_t>(s.c);
  context.ParallelFor(pixels, 4096 / (c + 16) + 1, [&](size_t, size_t begin, size_t end) {
    for (size_t p = begin; p < end; ++p) {
      int64_t columns[4], rows[4];
      double across[4], down[4];
      const int taps = AxisTaps(s, grid[p * 2], s.w, columns, across);
      AxisTaps(s, grid[p * 2 + 1], s.h, rows, down);
      const float* image = x + static_cast<int64_t>(p) / s.pixels * s.h * s.w * s.c;
      const float* pointers[16];
      float weights[16];
      size_t count = 0;
      for (int i = 0; i < taps; ++i) {
        for (int j = 0; j < taps; ++j) {
          if (rows[i] < 0 || columns[j] < 0) continue;
          pointers[count] = image + (rows[i] * s.w + columns[j]) * s.c;
          weights[count++] = static_cast<float>(down[i] * across[j]);
        }
      }
      float* out = y.As<float>() + p * c;
      if (s.mode != schema::InterpolationMode::nearest) {
        kernels.rows(pointers, weights, count, c, out);
      } else if (count == 1) {
        memcpy(out, pointers[0], c * sizeof(float));
      } else {
        memset(out, 0, c * sizeof(float));
      }
    }
  });
  return Status::Ok();
}

}  // namespace

OpKernel Cpu_grid_sample() { return {Prepare, Run}; }

}  // namespace tealight
