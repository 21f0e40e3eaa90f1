// SPDX-License-Identifier: Apache-2.0
// CPU roi_align (sdk/tealight/ops/roi_align.py). Coordinates and weights are float64, weights rounded to float32. A
// mean adds batches of 16 samples, each batch being one chain of fused multiply-adds over its 64 taps.
#include <math.h>
#include <string.h>

#include "kernels/resize/resize.h"
#include "runtime/op.h"

namespace tealight {
namespace {

constexpr int kBatch = 16;
constexpr double kMostSamples = 1024;  // a side, of an adaptive grid

struct State {
  int64_t n, h, w, c, oh, ow;
  int sampling_ratio;
  double scale, shift;
  bool is_max, half_pixel;
};

struct Taps {
  const float* pointers[4 * kBatch];
  float weights[4 * kBatch];
  size_t count;
};

// Adds the four taps of a sample; none when it lies more than a pixel outside. Returns whether it added some.
bool AddSample(const State& s, const float* image, double y, double x, Taps* taps) {
  if (!(y >= -1 && y <= static_cast<double>(s.h) && x >= -1 && x <= static_cast<double>(s.w))) return false;
  y = y > 0 ? y : 0;
  x = x > 0 ? x : 0;
  int64_t rows[2] = {static_cast<int64_t>(y), 0}, columns[2] = {static_cast<int64_t>(x), 0};
  double down = y - static_cast<double>(rows[0]), across = x - static_cast<double>(columns[0]);
  if (rows[0] >= s.h - 1) {
    rows[0] = s.h - 1;
    down = 0;
  }
  if (columns[0] >= s.w - 1) {
    columns[0] = s.w - 1;
    across = 0;
  }
  rows[1] = rows[0] + 1 < s.h ? rows[0] + 1 : s.h - 1;
  columns[1] = columns[0] + 1 < s.w ? columns[0] + 1 : s.w - 1;
  for (int i = 0; i < 2; ++i) {
    for (int j = 0; j < 2; ++j) {
      taps->pointers[taps->count] = image + (rows[i] * s.w + columns[j]) * s.c;
      taps->weights[taps->count++] = static_cast<float>((i == 0 ? 1 - down : down) * (j == 0 ? 1 - across : across));
    }
  }
  return true;
}

float Larger(float a, float b) { return b > a || b != b ? b : a; }

// Folds the taps into y[0 .. c) and empties them.
void Flush(const State& s, const ResizeKernels& kernels, Taps* taps, float* buffer, float* y) {
  const size_t c = static_cast<size_t>(s.c);
  if (s.is_max) {
    for (size_t t = 0; t < taps->count; ++t) {
      for (size_t k = 0; k < c; ++k) y[k] = Larger(y[k], taps->weights[t] * taps->pointers[t][k]);
    }
  } else if (taps->count > 0) {
    kernels.rows(taps->pointers, taps->weights, taps->count, c, buffer);
    for (size_t k = 0; k < c; ++k) y[k] += buffer[k];
  }
  taps->count = 0;
}

int64_t GridSize(const State& s, double size, int64_t cells) {
  if (s.sampling_ratio > 0) return s.sampling_ratio;
  const double samples = ceil(size / static_cast<double>(cells));
  return samples >= kMostSamples ? static_cast<int64_t>(kMostSamples) : samples > 0 ? static_cast<int64_t>(samples) : 0;
}

// One cell of one box.
void Cell(const State& s, const ResizeKernels& kernels, const float* image, const float* box, int64_t i, int64_t j,
          float* buffer, float* y) {
  const double x1 = static_cast<double>(box[0]) * s.scale - s.shift,
               y1 = static_cast<double>(box[1]) * s.scale - s.shift;
  double width = static_cast<double>(box[2]) * s.scale - s.shift - x1;
  double height = static_cast<double>(box[3]) * s.scale - s.shift - y1;
  if (!s.half_pixel) {
    width = width > 1 ? width : 1;
    height = height > 1 ? height : 1;
  }
  const int64_t grid_y = GridSize(s, height, s.oh), grid_x = GridSize(s, width, s.ow);
  const size_t c = static_cast<size_t>(s.c);
  Taps taps;
  taps.count = 0;
  for (size_t k = 0; k < c; ++k) y[k] = s.is_max && grid_y * grid_x > 0 ? -__builtin_inff() : 0.0f;
  bool outside = false;
  for (int64_t p = 0; p < grid_y; ++p) {
    const double at_y = y1 + (static_cast<double>(i) + (static_cast<double>(p) + 0.5) / static_cast<double>(grid_y)) *
                                 height / static_cast<double>(s.oh);
    for (int64_t q = 0; q < grid_x; ++q) {
      const double at_x = x1 + (static_cast<double>(j) + (static_cast<double>(q) + 0.5) / static_cast<double>(grid_x)) *
                                   width / static_cast<double>(s.ow);
      outside = !AddSample(s, image, at_y, at_x, &taps) || outside;
      if (taps.count == 4 * kBatch) Flush(s, kernels, &taps, buffer, y);
    }
  }
  Flush(s, kernels, &taps, buffer, y);
  const float count = static_cast<float>(grid_y * grid_x);
  for (size_t k = 0; k < c && count > 0; ++k) {
    if (!s.is_max) {
      y[k] /= count;
    } else if (outside) {
      y[k] = Larger(y[k], 0.0f);
    }
  }
}

Status Prepare(OpContext& context) {
  const auto& attributes = context.attributes<schema::RoiAlign>();
  const Tensor* x = context.input(0);
  const Tensor* rois = context.input(1);
  const Tensor* batch = context.input(2);
  if (x == nullptr || rois == nullptr || batch == nullptr || x->dtype != DType::kFloat32 ||
      rois->dtype != DType::kFloat32 || batch->dtype != DType::kInt64) {
    return context.Error(TL_ERROR_WRONG_DTYPE, "operands of other types, expected float32, float32, int64");
  }
  if (x->shape.rank != 4 || rois->shape.rank != 2 || rois->shape[1] != 4 || batch->shape.rank != 1 ||
      batch->shape[0] != rois->shape[0]) {
    return context.Error(TL_ERROR_WRONG_SHAPE, "operands of other shapes, expected [n, h, w, c], [r, 4], [r]");
  }
  constexpr int kMost = 1 << 20;
  if (attributes.output_height() < 1 || attributes.output_width() < 1 || attributes.sampling_ratio() < 0 ||
      attributes.output_height() > kMost || attributes.output_width() > kMost || attributes.sampling_ratio() > 1024) {
    return context.Error(TL_ERROR_INVALID_BUNDLE,
                         "output size or sampling_ratio: out of range, expected 1 to 2^20, 0 to 1024");
  }
  State* s = context.state<State>();
  *s = {x->shape[0],
        x->shape[1],
        x->shape[2],
        x->shape[3],
        attributes.output_height(),
        attributes.output_width(),
        attributes.sampling_ratio(),
        static_cast<double>(attributes.spatial_scale()),
        attributes.half_pixel() ? 0.5 : 0.0,
        attributes.is_max(),
        attributes.half_pixel()};
  Shape y = x->shape;
  y[0] = rois->shape[0];
  y[1] = s->oh;
  y[2] = s->ow;
  if ((s->h == 0 || s->w == 0) && y[0] > 0)
    return context.Error(TL_ERROR_WRONG_SHAPE, "x: no pixels, expected at least one");
  context.RequestScratch(0, static_cast<size_t>(s->c) * sizeof(float));
  return context.SetOutput(0, DType::kFloat32, y);
}

Status Run(OpContext& context) {
  const State& s = *context.state<State>();
  const Tensor& y = *context.output(0);
  const ResizeKernels& kernels = *FindResize(context.isa());
  const float* x = context.input(0)->As<float>();
  const float* boxes = context.input(1)->As<float>();
  const int64_t* batch = context.input(2)->As<int64_t>();
  context.ParallelFor(static_cast<size_t>(y.shape.Product(0, 3)), 1, [&](size_t thread, size_t begin, size_t end) {
    float* buffer = static_cast<float*>(context.thread_scratch(thread));
    for (size_t item = begin; item < end && !context.ShouldStop(); ++item) {
      const int64_t cell = static_cast<int64_t>(item), r = cell / (s.oh * s.ow), rest = cell % (s.oh * s.ow);
      float* out = y.As<float>() + cell * s.c;
      if (batch[r] < 0 || batch[r] >= s.n) {
        memset(out, 0, static_cast<size_t>(s.c) * sizeof(float));
        continue;
      }
      Cell(s, kernels, x + batch[r] * s.h * s.w * s.c, boxes + r * 4, rest / s.ow, rest % s.ow, buffer, out);
    }
  });
  return Status::Ok();
}

}  // namespace

OpKernel Cpu_roi_align() { return {Prepare, Run}; }

}  // namespace tealight
