// SPDX-License-Identifier: Apache-2.0
// CPU resize (sdk/tealight/ops/resize.py). Nearest copies elements of any dtype through an index table per axis.
// Linear and cubic take the axes in stages, innermost first, each a neighbouring pair (or one): view [outer, a, b,
// inner]; a thread resamples the rows it needs along b into a ring, then blends them along a.
#include "kernels/resize/resize.h"

#include "backends/cpu/copy_strided.h"
#include "backends/cpu/resize_plan.h"

namespace tealight {
namespace {

using schema::CoordinateMode;
using schema::InterpolationMode;

struct State {
  ResizeAxis axes[kMaxRank];  // ascending by axis
  int num_axes;
};

size_t Align(size_t bytes) { return (bytes + 63) / 64 * 64; }

ResizeFilter Filter(const schema::Resize& attributes) {
  ResizeFilter filter;
  filter.cubic = attributes.mode() == InterpolationMode::cubic;
  filter.exclude_outside = attributes.exclude_outside();
  filter.antialias = attributes.antialias();
  filter.a = static_cast<double>(attributes.cubic_coeff_a());
  return filter;
}

// ---- sizes ----

Status ReadFloats(const OpContext& context, int operand, int count, float* values) {
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
Status ReadTargets(const OpContext& context, const schema::Resize& attributes, State* s) {
  const int k = s->num_axes;
  const bool by_scale = context.input(2) != nullptr && context.input(2)->Elements() > 0;
  if (by_scale == (context.input(3) != nullptr && context.input(3)->Elements() > 0) && k > 0) {
    return context.Error(TL_ERROR_INVALID_BUNDLE, "scales and sizes: both or neither, expected one of them");
  }
  if (by_scale) {
    float scales[kMaxRank];
    RETURN_IF_ERROR(ReadFloats(context, 2, k, scales));
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

Status ReadAxes(const OpContext& context, const schema::Resize& attributes, const Shape& x, State* s) {
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

void SortAxes(State* s) {
  for (int i = 1; i < s->num_axes; ++i) {
    for (int k = i; k > 0 && s->axes[k - 1].axis > s->axes[k].axis; --k) {
      const ResizeAxis t = s->axes[k];
      s->axes[k] = s->axes[k - 1];
      s->axes[k - 1] = t;
    }
  }
}

// ---- linear and cubic ----

// A stage: rows of axis a (or none), columns of axis b (or none).
struct Stage {
  const ResizeAxis* a = nullptr;
  const ResizeAxis* b = nullptr;
  int64_t outer = 1, rows_in = 1, rows_out = 1, cols_in = 1, cols_out = 1, inner = 1;
  int64_t Elements() const { return outer * rows_out * cols_out * inner; }
};

// Cuts the axes that change into stages, innermost first. Returns their number.
int PlanStages(const State& s, CoordinateMode mode, const Shape& x, Stage* stages) {
  int count = 0;
  Shape shape = x;
  for (int i = s.num_axes - 1; i >= 0; --i) {
    const ResizeAxis* b = &s.axes[i];
    if (b->IsIdentity(mode)) continue;
    const ResizeAxis* a =
        i > 0 && !s.axes[i - 1].IsIdentity(mode) && s.axes[i - 1].axis + 1 == b->axis ? &s.axes[i - 1] : nullptr;
    Stage& stage = stages[count++];
    stage = Stage();
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

struct Table {
  int32_t* index;
  float* weight;
  size_t taps;
};

size_t TableBytes(const ResizeAxis* axis, const ResizeFilter& filter) {
  return axis == nullptr ? 0 : 2 * Align(static_cast<size_t>(axis->out * filter.Taps(*axis)) * 4);
}

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
size_t RingBytes(const Stage& stage, const ResizeFilter& filter) {
  const size_t taps = stage.a == nullptr ? 1 : static_cast<size_t>(filter.Taps(*stage.a));
  const size_t row =
      stage.a == nullptr || stage.b == nullptr ? 0 : Align(static_cast<size_t>(stage.cols_out * stage.inner) * 4);
  return taps * row + Align(taps * sizeof(float*)) + Align(taps * sizeof(int64_t));
}

void RunStage(const OpContext& context, const Stage& stage, const ResizeFilter& filter, CoordinateMode mode,
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
    int64_t* held = reinterpret_cast<int64_t*>(memory + Align(a.taps * sizeof(float*)));
    float* ring = reinterpret_cast<float*>(memory + Align(a.taps * sizeof(float*)) + Align(a.taps * sizeof(int64_t)));
    const size_t slot = Align(row_out * 4) / 4;
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
void Extrapolate(const OpContext& context, const State& s, CoordinateMode mode, float value) {
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

void RunNearest(const OpContext& context, const State& s, const schema::Resize& attributes) {
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

Status RequestMemory(OpContext& context, const State& s, const schema::Resize& attributes) {
  if (attributes.mode() == InterpolationMode::nearest) {
    size_t entries = 0;
    for (int i = 0; i < s.num_axes; ++i) entries += static_cast<size_t>(s.axes[i].out);
    context.RequestScratch(entries * sizeof(int32_t), 0);
    return Status::Ok();
  }
  const ResizeFilter filter = Filter(attributes);
  for (int i = 0; i < s.num_axes; ++i) {
    const ResizeAxis& a = s.axes[i];
    if (a.out > 0 && (a.scale < 1e-9 || a.out * filter.Taps(a) > int64_t{1} << 30)) {
      return context.Error(TL_ERROR_INVALID_ARGUMENT, "axis %d: too many filter taps, expected less than 2^30", a.axis);
    }
  }
  Stage stages[kMaxRank];
  const int count = PlanStages(s, attributes.coordinate_mode(), context.input(0)->shape, stages);
  size_t tables = 0, ring = 0, buffers[2] = {0, 0};
  for (int i = 0; i < count; ++i) {
    const size_t bytes = TableBytes(stages[i].a, filter) + TableBytes(stages[i].b, filter);
    tables = bytes > tables ? bytes : tables;
    ring = RingBytes(stages[i], filter) > ring ? RingBytes(stages[i], filter) : ring;
    const size_t result = Align(static_cast<size_t>(stages[i].Elements()) * 4);
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
  State* s = new (context.state<State>()) State();
  RETURN_IF_ERROR(ReadAxes(context, attributes, x->shape, s));
  RETURN_IF_ERROR(ReadTargets(context, attributes, s));
  if (attributes.coordinate_mode() == CoordinateMode::tf_crop_and_resize && context.input(1) != nullptr) {
    float roi[2 * kMaxRank];
    RETURN_IF_ERROR(ReadFloats(context, 1, 2 * s->num_axes, roi));
    for (int i = 0; i < s->num_axes; ++i) {
      s->axes[i].start = static_cast<double>(roi[i]);
      s->axes[i].end = static_cast<double>(roi[s->num_axes + i]);
    }
  }
  SortAxes(s);
  Shape y = x->shape;
  int64_t elements = 1;
  for (int i = 0; i < s->num_axes; ++i) y[s->axes[i].axis] = s->axes[i].out;
  for (int d = 0; d < y.rank; ++d) {
    if (__builtin_mul_overflow(elements, y[d], &elements) || elements > int64_t{1} << 48) {
      return context.Error(TL_ERROR_WRONG_SHAPE, "result of more than 2^48 elements, expected less");
    }
  }
  if (elements > 0) RETURN_IF_ERROR(RequestMemory(context, *s, attributes));
  return context.SetOutput(0, x->dtype, y);
}

Status Run(OpContext& context) {
  const auto& attributes = context.attributes<schema::Resize>();
  const State& s = *context.state<State>();
  const CoordinateMode mode = attributes.coordinate_mode();
  const Tensor& y = *context.output(0);
  if (y.Elements() == 0) return Status::Ok();
  if (attributes.mode() == InterpolationMode::nearest) {
    RunNearest(context, s, attributes);
  } else {
    const ResizeFilter filter = Filter(attributes);
    Stage stages[kMaxRank];
    const int count = PlanStages(s, mode, context.input(0)->shape, stages);
    size_t tables = 0, first = 0;
    for (int i = 0; i < count; ++i) {
      const size_t bytes = TableBytes(stages[i].a, filter) + TableBytes(stages[i].b, filter);
      tables = bytes > tables ? bytes : tables;
      const size_t result = Align(static_cast<size_t>(stages[i].Elements()) * 4);
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
    if (count == 0) memcpy(y.data, x, y.Bytes());
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
