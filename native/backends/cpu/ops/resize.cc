// SPDX-License-Identifier: Apache-2.0
// CPU resize (sdk/tealight/ops/resize.py). Nearest copies elements of any dtype through an index table per axis.
// Linear and cubic take the axes in stages, innermost first, each a neighbouring pair (or one): view [outer, a, b,
// inner]; a thread resamples the rows it needs along b into a ring, then blends them along a.
#include "kernels/resize/resize.h"

#include "backends/cpu/copy_strided.h"
#include "backends/cpu/resize_stages.h"

namespace tealight {
namespace {

using schema::CoordinateMode;
using schema::InterpolationMode;

// ---- linear and cubic ----

struct Table {
  int32_t* index;
  float* weight;
  size_t taps;
};

Table MakeTable(const ResizeAxis* axis, const ResizeFilter& filter, CoordinateMode mode, char** memory) {
  if (axis == nullptr) return {nullptr, nullptr, 1};
  const size_t taps = static_cast<size_t>(filter.Taps(*axis)), bytes = TableBytes(axis, filter) / 2;
  Table table = {reinterpret_cast<int32_t*>(*memory), reinterpret_cast<float*>(*memory + bytes), taps};
  *memory += 2 * bytes;
  for (int64_t i = 0; i < axis->out; ++i) {
    const size_t at = static_cast<size_t>(i) * taps;
    filter.Fill(*axis, SourceCoordinate(*axis, mode, i), table.index + at, table.weight + at);
  }
  return table;
}

// Bytes of the ring of resampled rows of one thread: values, pointers and which row each slot holds.
size_t RingBytes(const ResizeStage& stage, const ResizeFilter& filter) {
  const size_t taps = stage.a == nullptr ? 1 : static_cast<size_t>(filter.Taps(*stage.a));
  const size_t row = stage.a == nullptr || stage.b == nullptr
                         ? 0
                         : AlignScratch(static_cast<size_t>(stage.cols_out * stage.inner) * 4);
  return taps * row + AlignScratch(taps * sizeof(float*)) + AlignScratch(taps * sizeof(int64_t));
}

void RunStage(const OpContext& context, const ResizeStage& stage, const ResizeFilter& filter, CoordinateMode mode,
              char* tables, const float* x, float* y) {
  const ResizeKernels& kernels = *FindResize(context.isa());
  const Table a = MakeTable(stage.a, filter, mode, &tables), b = MakeTable(stage.b, filter, mode, &tables);
  const size_t row_in = static_cast<size_t>(stage.cols_in * stage.inner),
               row_out = static_cast<size_t>(stage.cols_out * stage.inner);
  const size_t cols = static_cast<size_t>(stage.cols_out), inner = static_cast<size_t>(stage.inner);
  const size_t items = static_cast<size_t>(stage.outer * stage.rows_out);
  const size_t share = items / (4 * context.num_threads()) + 1, least = 8 * 1024 / (row_out + 1) + 8;
  context.ParallelFor(items, share > least ? share : least, [&](size_t thread, size_t begin, size_t end) {
    char* memory = static_cast<char*>(context.thread_scratch(thread));
    const float** rows = reinterpret_cast<const float**>(memory);
    int64_t* held = reinterpret_cast<int64_t*>(memory + AlignScratch(a.taps * sizeof(float*)));
    float* ring = reinterpret_cast<float*>(memory + AlignScratch(a.taps * sizeof(float*)) +
                                           AlignScratch(a.taps * sizeof(int64_t)));
    const size_t slot = AlignScratch(row_out * 4) / 4;
    for (size_t t = 0; t < a.taps; ++t) held[t] = -1;
    for (size_t item = begin; item < end; ++item) {
      const int64_t i = static_cast<int64_t>(item), image = i / stage.rows_out, row = i % stage.rows_out;
      float* out = y + item * row_out;
      if (stage.a == nullptr) {
        kernels.columns(x + item * row_in, b.index, b.weight, b.taps, cols, inner, out);
        continue;
      }
      const size_t at = static_cast<size_t>(row) * a.taps;
      for (size_t t = 0; t < a.taps; ++t) {
        const int64_t source = image * stage.rows_in + a.index[at + t];
        const float* in = x + static_cast<size_t>(source) * row_in;
        if (stage.b == nullptr) {
          rows[t] = in;
          continue;
        }
        const size_t place = static_cast<size_t>(source) % a.taps;
        if (held[place] != source) {
          kernels.columns(in, b.index, b.weight, b.taps, cols, inner, ring + place * slot);
          held[place] = source;
        }
        rows[t] = ring + place * slot;
      }
      kernels.rows(rows, a.weight + at, a.taps, row_out, out);
    }
  });
}

// tf_crop_and_resize: elements whose coordinate lies outside of the image on some axis get the value.
void Extrapolate(const OpContext& context, const ResizeAxes& s, CoordinateMode mode, float value) {
  const Shape& y = context.output(0)->shape;
  const int last = s.num_axes == 0 ? -1 : s.axes[s.num_axes - 1].axis;
  const int64_t unit = y.Product(last + 1, y.rank), count = y.Product(0, last + 1);
  float* data = context.output(0)->As<float>();
  context.ParallelFor(static_cast<size_t>(count), 256, [&](size_t, size_t begin, size_t end) {
    for (size_t item = begin; item < end; ++item) {
      int64_t rest = static_cast<int64_t>(item);
      int next = s.num_axes - 1;
      bool outside = false;
      for (int d = last; d >= 0; --d) {
        const int64_t i = rest % y[d];
        rest /= y[d];
        if (next < 0 || s.axes[next].axis != d) continue;
        const ResizeAxis& axis = s.axes[next--];
        const double at = SourceCoordinate(axis, mode, i);
        outside = outside || !(at >= 0 && at <= static_cast<double>(axis.size - 1));
      }
      if (!outside) continue;
      for (int64_t i = 0; i < unit; ++i) data[static_cast<int64_t>(item) * unit + i] = value;
    }
  });
}

// ---- nearest ----

void RunNearest(const OpContext& context, const ResizeAxes& s, const schema::Resize& attributes) {
  const Tensor& x = *context.input(0);
  const Tensor& y = *context.output(0);
  const int64_t size = static_cast<int64_t>(DTypeSize(x.dtype));
  int32_t* tables[kMaxRank] = {};
  int32_t* next = static_cast<int32_t*>(context.shared_scratch());
  int last = -1;
  for (int k = 0; k < s.num_axes; ++k) {
    const ResizeAxis& a = s.axes[k];
    if (a.IsIdentity(attributes.coordinate_mode())) continue;
    last = a.axis;
    tables[last] = next;
    for (int64_t i = 0; i < a.out; ++i) {
      const double at = SourceCoordinate(a, attributes.coordinate_mode(), i);
      *next++ = ClampIndex(NearestCoordinate(at, attributes.nearest_mode()), a.size);
    }
  }
  if (last < 0) {
    StridedCopy copy;
    copy.run = y.Elements() * size;
    return RunStridedCopy(context, copy, x.data, y.data);
  }
  int64_t strides[kMaxRank];
  DenseStrides(x.shape, size, strides);
  const int64_t unit = strides[last], row = y.shape[last] * unit;
  const size_t rows = static_cast<size_t>(y.shape.Product(0, last));
  const int32_t* index = tables[last];
  context.ParallelFor(rows, static_cast<size_t>(32 * 1024 / row + 1), [&](size_t, size_t begin, size_t end) {
    const char* previous = nullptr;
    for (size_t item = begin; item < end; ++item) {
      const char* src = x.As<char>();
      int64_t rest = static_cast<int64_t>(item);
      for (int d = last - 1; d >= 0; --d) {
        const int64_t i = rest % y.shape[d];
        rest /= y.shape[d];
        src += (tables[d] == nullptr ? i : tables[d][i]) * strides[d];
      }
      char* dst = y.As<char>() + static_cast<int64_t>(item) * row;
      if (src == previous) {
        memcpy(dst, dst - row, static_cast<size_t>(row));
        continue;
      }
      previous = src;
      const int64_t n = y.shape[last];
      if (unit == 4) {
        for (int64_t i = 0; i < n; ++i) memcpy(dst + i * 4, src + int64_t{index[i]} * 4, 4);
      } else if (unit == 1) {
        for (int64_t i = 0; i < n; ++i) dst[i] = src[index[i]];
      } else {
        for (int64_t i = 0; i < n; ++i) memcpy(dst + i * unit, src + index[i] * unit, static_cast<size_t>(unit));
      }
    }
  });
}

// ---- the op ----

Status RequestMemory(OpContext& context, const ResizeAxes& s, const schema::Resize& attributes) {
  if (attributes.mode() == InterpolationMode::nearest) {
    size_t entries = 0;
    for (int i = 0; i < s.num_axes; ++i) entries += static_cast<size_t>(s.axes[i].out);
    context.RequestScratch(entries * sizeof(int32_t), 0);
    return Status::Ok();
  }
  const ResizeFilter filter = ReadResizeFilter(attributes);
  RETURN_IF_ERROR(CheckResizeStages(context, s, attributes.coordinate_mode(), filter, context.input(0)->shape));
  ResizeStage stages[kMaxRank];
  const int count = PlanResizeStages(s, attributes.coordinate_mode(), context.input(0)->shape, stages);
  size_t tables = 0, ring = 0, buffers[2] = {0, 0};
  for (int i = 0; i < count; ++i) {
    const size_t bytes = TableBytes(stages[i].a, filter) + TableBytes(stages[i].b, filter);
    tables = bytes > tables ? bytes : tables;
    ring = RingBytes(stages[i], filter) > ring ? RingBytes(stages[i], filter) : ring;
    const size_t result = AlignScratch(static_cast<size_t>(stages[i].Elements()) * 4);
    if (i + 1 < count && result > buffers[i % 2]) buffers[i % 2] = result;
  }
  context.RequestScratch(tables + buffers[0] + buffers[1], ring);
  return Status::Ok();
}

Status Prepare(OpContext& context) {
  const auto& attributes = context.attributes<schema::Resize>();
  const Tensor* x = context.input(0);
  if (x == nullptr || DTypeSize(x->dtype) == 0) {
    return context.Error(TL_ERROR_INVALID_BUNDLE, "x: absent or of 4 bits, expected a dtype of whole bytes");
  }
  const bool any_dtype = attributes.mode() == InterpolationMode::nearest &&
                         attributes.coordinate_mode() != CoordinateMode::tf_crop_and_resize;
  if (!any_dtype && x->dtype != DType::kFloat32) {
    return context.Error(TL_ERROR_WRONG_DTYPE, "x: %s, expected float32 for linear, cubic and crops",
                         DTypeName(x->dtype));
  }
  if (attributes.mode() > InterpolationMode::cubic ||
      attributes.coordinate_mode() > CoordinateMode::tf_crop_and_resize ||
      attributes.nearest_mode() > schema::NearestMode::ceil) {
    return context.Error(TL_ERROR_INVALID_BUNDLE, "mode: unknown, expected one of the schema");
  }
  ResizeAxes* s = new (context.state<ResizeAxes>()) ResizeAxes();
  RETURN_IF_ERROR(ReadResizeAxes(context, attributes, x->shape, s));
  RETURN_IF_ERROR(ReadResizeTargets(context, attributes, s));
  if (attributes.coordinate_mode() == CoordinateMode::tf_crop_and_resize && context.input(1) != nullptr) {
    float roi[2 * kMaxRank];
    RETURN_IF_ERROR(ReadResizeFloats(context, 1, 2 * s->num_axes, roi));
    for (int i = 0; i < s->num_axes; ++i) {
      s->axes[i].start = static_cast<double>(roi[i]);
      s->axes[i].end = static_cast<double>(roi[s->num_axes + i]);
    }
  }
  SortResizeAxes(s);
  Shape y = x->shape;
  for (int i = 0; i < s->num_axes; ++i) y[s->axes[i].axis] = s->axes[i].out;
  RETURN_IF_ERROR(context.SetOutput(0, x->dtype, y));
  const Tensor* result = context.output(0);
  return result == nullptr || result->Elements() == 0 ? Status::Ok() : RequestMemory(context, *s, attributes);
}

Status Run(OpContext& context) {
  const auto& attributes = context.attributes<schema::Resize>();
  const ResizeAxes& s = *context.state<ResizeAxes>();
  const CoordinateMode mode = attributes.coordinate_mode();
  const Tensor& y = *context.output(0);
  if (attributes.mode() == InterpolationMode::nearest) {
    RunNearest(context, s, attributes);
  } else {
    const ResizeFilter filter = ReadResizeFilter(attributes);
    ResizeStage stages[kMaxRank];
    const int count = PlanResizeStages(s, mode, context.input(0)->shape, stages);
    size_t tables = 0, first = 0;
    for (int i = 0; i < count; ++i) {
      const size_t bytes = TableBytes(stages[i].a, filter) + TableBytes(stages[i].b, filter);
      tables = bytes > tables ? bytes : tables;
      const size_t result = AlignScratch(static_cast<size_t>(stages[i].Elements()) * 4);
      if (i % 2 == 0 && i + 1 < count && result > first) first = result;
    }
    char* memory = static_cast<char*>(context.shared_scratch());
    float* buffers[2] = {reinterpret_cast<float*>(memory + tables), reinterpret_cast<float*>(memory + tables + first)};
    const float* x = context.input(0)->As<float>();
    for (int i = 0; i < count; ++i) {
      float* out = i + 1 == count ? y.As<float>() : buffers[i % 2];
      RunStage(context, stages[i], filter, mode, memory, x, out);
      x = out;
    }
    if (count == 0 && y.Bytes() > 0) memcpy(y.data, x, y.Bytes());
  }
  if (mode != CoordinateMode::tf_crop_and_resize) return Status::Ok();
  const float value = attributes.extrapolation_value();
  Extrapolate(context, s, mode, value);
  return Status::Ok();
}

}  // namespace

OpKernel Cpu_resize() {
  OpKernel kernel = {Prepare, Run};
  kernel.host_inputs = 0x0e;  // roi, scales, sizes
  return kernel;
}

}  // namespace tealight
