// SPDX-License-Identifier: Apache-2.0
// CPU q_resize (sdk/tealight/ops/q_resize.py): the stages of resize with integer weights; what lies between two stages
// is int32 and not rounded.
#include "backends/cpu/resize_stages.h"
#include "kernels/qresize/qresize.h"

namespace tealight {
namespace {

using schema::CoordinateMode;

struct State {
  ResizeAxes axes;
  int changing;  // axes
};

// Fractional bits of a weight when so many axes change: sums stay within int32.
int WeightBits(int changing) { return changing <= 1 ? 14 : changing == 2 ? 11 : changing == 3 ? 7 : 22 / changing; }

struct Table {
  int32_t* index;
  int32_t* weight;
  size_t taps;
};

// Turns the float32 weights of one element into integers that sum to 2^bits, in place: what rounding left over goes to
// the first of the largest.
void RoundWeights(size_t taps, int bits, int32_t* weight) {
  const int32_t limit = 32767;
  int64_t sum = 0;
  size_t largest = 0;
  for (size_t t = 0; t < taps; ++t) {
    float w;
    memcpy(&w, weight + t, sizeof(w));
    w *= static_cast<float>(1 << bits);
    weight[t] = w > -32767.0f ? (w < 32767.0f ? static_cast<int32_t>(rintf(w)) : limit) : w <= -32767.0f ? -limit : 0;
    sum += weight[t];
    if (weight[t] > weight[largest]) largest = t;
  }
  weight[largest] = static_cast<int32_t>(weight[largest] + (1 << bits) - sum);
}

Table MakeTable(const ResizeAxis* axis, const ResizeFilter& filter, CoordinateMode mode, int bits, char** memory) {
  if (axis == nullptr) return {nullptr, nullptr, 1};
  const size_t taps = static_cast<size_t>(filter.Taps(*axis)), bytes = TableBytes(axis, filter) / 2;
  int32_t* weight = reinterpret_cast<int32_t*>(*memory + bytes);
  const Table table = {reinterpret_cast<int32_t*>(*memory), weight, taps};
  *memory += 2 * bytes;
  for (int64_t i = 0; i < axis->out; ++i) {
    const size_t at = static_cast<size_t>(i) * taps;
    filter.Fill(*axis, SourceCoordinate(*axis, mode, i), table.index + at, reinterpret_cast<float*>(weight + at));
    RoundWeights(taps, bits, weight + at);
  }
  return table;
}

// Scratch of one thread: a row of sums, the ring of resampled rows, their pointers and which row each slot holds.
struct ThreadMemory {
  size_t row, slots, pointers, total;  // bytes: `row` of each row of sums

  ThreadMemory(const ResizeStage& stage, const ResizeFilter& filter) {
    slots = stage.a == nullptr ? 1 : static_cast<size_t>(filter.Taps(*stage.a));
    row = AlignScratch(static_cast<size_t>(stage.cols_out * stage.inner) * 4);
    pointers = AlignScratch(slots * sizeof(void*));
    total = (slots + 1) * row + pointers + AlignScratch(slots * sizeof(int64_t));
  }
};

// The kernels that read elements of T.
template <typename T>
struct Reading;
template <>
struct Reading<int8_t> {
  static auto Columns(const QResizeKernels& kernels) { return kernels.columns_s8; }
  static auto Rows(const QResizeKernels& kernels) { return kernels.rows_s8; }
};
template <>
struct Reading<int32_t> {
  static auto Columns(const QResizeKernels& kernels) { return kernels.columns_s32; }
  static auto Rows(const QResizeKernels& kernels) { return kernels.rows_s32; }
};

// One stage from x to `sums`, or rounded to y in the last stage.
template <typename T>
void RunStage(const OpContext& context, const ResizeStage& stage, const ResizeFilter& filter, const Table& a,
              const Table& b, int shift, const T* x, int32_t* sums, int8_t* y) {
  const QResizeKernels& kernels = *FindQResize(context.isa());
  const ThreadMemory layout(stage, filter);
  const size_t row_in = static_cast<size_t>(stage.cols_in * stage.inner);
  const size_t row_out = static_cast<size_t>(stage.cols_out * stage.inner), inner = static_cast<size_t>(stage.inner);
  const size_t cols = static_cast<size_t>(stage.cols_out), items = static_cast<size_t>(stage.outer * stage.rows_out);
  const size_t share = items / (4 * context.num_threads()) + 1, least = 8 * 1024 / (row_out + 1) + 8;
  context.ParallelFor(items, share > least ? share : least, [&](size_t thread, size_t begin, size_t end) {
    char* memory = static_cast<char*>(context.thread_scratch(thread));
    const void** rows = reinterpret_cast<const void**>(memory + (layout.slots + 1) * layout.row);
    int64_t* held = reinterpret_cast<int64_t*>(memory + (layout.slots + 1) * layout.row + layout.pointers);
    for (size_t t = 0; t < layout.slots; ++t) held[t] = -1;
    for (size_t item = begin; item < end; ++item) {
      const int64_t i = static_cast<int64_t>(item), image = i / stage.rows_out, row = i % stage.rows_out;
      int32_t* out = sums != nullptr ? sums + item * row_out : reinterpret_cast<int32_t*>(memory);
      const size_t at = static_cast<size_t>(row) * a.taps;
      for (size_t t = 0; stage.a != nullptr && t < a.taps; ++t) {
        const int64_t source = image * stage.rows_in + a.index[at + t];
        const T* in = x + static_cast<size_t>(source) * row_in;
        rows[t] = in;
        if (stage.b == nullptr) continue;
        const size_t place = static_cast<size_t>(source) % a.taps;
        int32_t* slot = reinterpret_cast<int32_t*>(memory + (place + 1) * layout.row);
        if (held[place] != source) Reading<T>::Columns(kernels)(in, b.index, b.weight, b.taps, cols, inner, slot);
        held[place] = source;
        rows[t] = slot;
      }
      const int32_t* const* resampled = reinterpret_cast<const int32_t* const*>(rows);
      if (stage.a == nullptr) {
        Reading<T>::Columns(kernels)(x + item * row_in, b.index, b.weight, b.taps, cols, inner, out);
      } else if (stage.b == nullptr) {
        Reading<T>::Rows(kernels)(reinterpret_cast<const T* const*>(rows), a.weight + at, a.taps, row_out, out);
      } else if (sums != nullptr) {
        kernels.rows_s32(resampled, a.weight + at, a.taps, row_out, out);
      } else {
        kernels.round_rows_s32(resampled, a.weight + at, a.taps, row_out, shift, y + item * row_out);
        continue;
      }
      if (sums == nullptr) kernels.round(out, row_out, shift, y + item * row_out);
    }
  });
}

// Shared scratch: the tables of a stage, then the sums between stages, in turns.
struct SharedMemory {
  ResizeStage stages[kMaxRank];
  int count;
  size_t tables = 0, buffers[2] = {0, 0}, thread = 0;

  SharedMemory(const OpContext& context, const State& s, const ResizeFilter& filter, CoordinateMode mode) {
    count = PlanResizeStages(s.axes, mode, context.input(0)->shape, stages);
    for (int i = 0; i < count; ++i) {
      const size_t bytes = TableBytes(stages[i].a, filter) + TableBytes(stages[i].b, filter);
      const size_t own = ThreadMemory(stages[i], filter).total;
      tables = bytes > tables ? bytes : tables;
      thread = own > thread ? own : thread;
      const size_t result = AlignScratch(static_cast<size_t>(stages[i].Elements()) * 4);
      if (i + 1 < count && result > buffers[i % 2]) buffers[i % 2] = result;
    }
  }
};

Status CheckAttributes(const OpContext& context, const schema::QResize& attributes) {
  const Tensor* x = context.input(0);
  if (x == nullptr || x->dtype != DType::kInt8) {
    return context.Error(TL_ERROR_WRONG_DTYPE, "x: another type, expected int8");
  }
  const bool known =
      attributes.mode() == schema::InterpolationMode::linear || attributes.mode() == schema::InterpolationMode::cubic;
  if (!known || attributes.coordinate_mode() >= CoordinateMode::tf_crop_and_resize) {
    return context.Error(TL_ERROR_INVALID_BUNDLE, "mode: nearest, a crop or unknown, expected linear or cubic");
  }
  return Status::Ok();
}

Status Prepare(OpContext& context) {
  const auto& attributes = context.attributes<schema::QResize>();
  State* s = new (context.state<State>()) State();
  RETURN_IF_ERROR(CheckAttributes(context, attributes));
  const Shape& x = context.input(0)->shape;
  RETURN_IF_ERROR(ReadResizeAxes(context, attributes, x, &s->axes));
  RETURN_IF_ERROR(ReadResizeTargets(context, attributes, &s->axes));
  SortResizeAxes(&s->axes);
  const ResizeFilter filter = ReadResizeFilter(attributes);
  Shape y = x;
  for (int i = 0; i < s->axes.num_axes; ++i) {
    const ResizeAxis& a = s->axes.axes[i];
    y[a.axis] = a.out;
    s->changing += a.IsIdentity(attributes.coordinate_mode()) ? 0 : 1;
  }
  RETURN_IF_ERROR(context.SetOutput(0, DType::kInt8, y));
  if (context.output(0) == nullptr || context.output(0)->Elements() == 0) return Status::Ok();
  RETURN_IF_ERROR(CheckResizeStages(context, s->axes, attributes.coordinate_mode(), filter, x));
  const SharedMemory memory(context, *s, filter, attributes.coordinate_mode());
  context.RequestScratch(memory.tables + memory.buffers[0] + memory.buffers[1], memory.thread);
  return Status::Ok();
}

Status Run(OpContext& context) {
  const auto& attributes = context.attributes<schema::QResize>();
  const State& s = *context.state<State>();
  const Tensor& x = *context.input(0);
  int8_t* y = context.output(0)->As<int8_t>();
  const ResizeFilter filter = ReadResizeFilter(attributes);
  const SharedMemory memory(context, s, filter, attributes.coordinate_mode());
  if (memory.count == 0) {
    memcpy(y, x.data, x.Bytes());
    return Status::Ok();
  }
  const int bits = WeightBits(s.changing), shift = bits * s.changing;
  char* base = static_cast<char*>(context.shared_scratch());
  int32_t* buffers[2] = {reinterpret_cast<int32_t*>(base + memory.tables),
                         reinterpret_cast<int32_t*>(base + memory.tables + memory.buffers[0])};
  for (int i = 0; i < memory.count; ++i) {
    const ResizeStage& stage = memory.stages[i];
    char* tables = base;
    const Table a = MakeTable(stage.a, filter, attributes.coordinate_mode(), bits, &tables);
    const Table b = MakeTable(stage.b, filter, attributes.coordinate_mode(), bits, &tables);
    int32_t* sums = i + 1 < memory.count ? buffers[i % 2] : nullptr;
    if (i == 0) {
      RunStage(context, stage, filter, a, b, shift, x.As<int8_t>(), sums, y);
    } else {
      RunStage<int32_t>(context, stage, filter, a, b, shift, buffers[(i + 1) % 2], sums, y);
    }
  }
  return Status::Ok();
}

}  // namespace

OpKernel Cpu_q_resize() {
  OpKernel kernel;
  kernel.prepare = Prepare;
  kernel.run = Run;
  kernel.host_inputs = (1u << 1) | (1u << 2) | (1u << 3);
  return kernel;
}

}  // namespace tealight
