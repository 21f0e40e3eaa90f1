// SPDX-License-Identifier: Apache-2.0
// Unique (sdk/tealight/ops/select.py): a stable merge sort of the slices' positions, then groups of equal ones.
#include "backends/cpu/operands.h"
#include "backends/cpu/sort_keys.h"

namespace tealight {
namespace {

// The slices along the axis: element e of slice s is at e / inner * n * inner + s * inner + e % inner.
struct State {
  int axis;  // -1 = elements
  int64_t n;
  int64_t inner;
  int64_t length;  // elements of a slice
};

// Working memory, n numbers each.
struct Scratch {
  int64_t* order;   // slices in sorted order
  int64_t* other;   // of the merge sort; then the group of each slice
  int64_t* first;   // of each group
  int64_t* counts;  // of each group
  int64_t* place;   // of each group in the result
};

Status Prepare(OpContext& context) {
  const Tensor* x;
  RETURN_IF_ERROR(PlainOperand(context, 0, "x", &x));
  if (!HasSortKey(x->dtype))
    return context.Error(TL_ERROR_INVALID_BUNDLE, "x: %s, expected numbers", DTypeName(x->dtype));
  const auto& attributes = context.attributes<schema::Unique>();
  State* state = context.state<State>();
  *state = {-1, x->Elements(), 1, 1};
  if (attributes.has_axis()) {
    RETURN_IF_ERROR(NormalAxis(context, "axis", attributes.axis(), x->shape.rank, &state->axis));
    state->n = x->shape[state->axis];
    state->inner = x->shape.Product(state->axis + 1, x->shape.rank);
    state->length = x->shape.Product(0, state->axis) * state->inner;
  }
  size_t bytes = 0;
  if (__builtin_mul_overflow(static_cast<size_t>(state->n), sizeof(int64_t) * 5, &bytes)) {
    return context.Error(TL_ERROR_OUT_OF_MEMORY, "x: %lld slices, expected fewer", static_cast<long long>(state->n));
  }
  context.RequestScratch(bytes, 0);
  return Status::Ok();
}

int64_t At(const State& state, int64_t slice, int64_t element) {
  return element / state.inner * state.n * state.inner + slice * state.inner + element % state.inner;
}

// Less than, equal to or greater than 0 as slice a comes before, with or after slice b.
int Compare(const Tensor& x, const State& state, int64_t a, int64_t b) {
  for (int64_t e = 0; e < state.length; ++e) {
    const uint64_t p = SortKey(x.dtype, x.data, At(state, a, e)), q = SortKey(x.dtype, x.data, At(state, b, e));
    if (p != q) return p < q ? -1 : 1;
  }
  return 0;
}

void Sort(const Tensor& x, const State& state, Scratch* s) {
  const int64_t n = state.n;
  for (int64_t i = 0; i < n; ++i) s->order[i] = i;
  for (int64_t width = 1; width < n; width *= 2) {
    for (int64_t begin = 0; begin < n; begin += 2 * width) {
      const int64_t middle = n - begin < width ? n : begin + width, end = n - begin < 2 * width ? n : begin + 2 * width;
      int64_t i = begin, j = middle;
      for (int64_t k = begin; k < end; ++k) {
        const bool left = j >= end || (i < middle && Compare(x, state, s->order[i], s->order[j]) <= 0);
        s->other[k] = left ? s->order[i++] : s->order[j++];
      }
    }
    int64_t* swap = s->order;
    s->order = s->other;
    s->other = swap;
  }
}

// Finds the groups of equal slices; returns how many. Stable sorting made the first of a group its lowest slice.
int64_t Group(const Tensor& x, const State& state, Scratch* s) {
  int64_t groups = 0;
  for (int64_t i = 0; i < state.n; ++i) {
    const int64_t slice = s->order[i];
    if (i == 0 || Compare(x, state, s->order[i - 1], slice) != 0) {
      s->first[groups] = slice;
      s->counts[groups++] = 0;
    }
    ++s->counts[groups - 1];
    s->other[slice] = groups - 1;
  }
  return groups;
}

Status Run(OpContext& context) {
  const Tensor& x = *context.input(0);
  const State state = *context.state<State>();
  const int64_t n = state.n;
  int64_t* memory = static_cast<int64_t*>(context.shared_scratch());
  Scratch s = {memory, memory + n, memory + 2 * n, memory + 3 * n, memory + 4 * n};
  Sort(x, state, &s);
  const int64_t groups = Group(x, state, &s);
  if (context.attributes<schema::Unique>().sorted()) {
    for (int64_t g = 0; g < groups; ++g) s.place[g] = g;
  } else {  // by first appearance
    int64_t next = 0;
    for (int64_t i = 0; i < n; ++i) {
      if (s.first[s.other[i]] == i) s.place[s.other[i]] = next++;
    }
  }
  Shape y_shape, count_shape, inverse_shape;
  count_shape.Append(groups);
  inverse_shape.Append(n);
  y_shape = count_shape;
  if (state.axis >= 0) {
    y_shape = x.shape;
    y_shape[state.axis] = groups;
  }
  RETURN_IF_ERROR(context.ResizeOutput(0, x.dtype, y_shape));
  RETURN_IF_ERROR(context.ResizeOutput(1, DType::kInt64, count_shape));
  RETURN_IF_ERROR(context.ResizeOutput(2, DType::kInt64, inverse_shape));
  RETURN_IF_ERROR(context.ResizeOutput(3, DType::kInt64, count_shape));
  const int64_t bytes = static_cast<int64_t>(DTypeSize(x.dtype)), row = state.inner * bytes;
  const int64_t blocks = row == 0 ? 0 : state.length / state.inner;
  Tensor* y = context.output(0);
  for (int64_t g = 0; g < groups; ++g) {
    for (int64_t b = 0; y != nullptr && b < blocks; ++b) {
      CopyItem(y->As<char>() + (b * groups + s.place[g]) * row, x.As<char>() + (b * n + s.first[g]) * row, row);
    }
    if (context.output(1) != nullptr) context.output(1)->As<int64_t>()[s.place[g]] = s.first[g];
    if (context.output(3) != nullptr) context.output(3)->As<int64_t>()[s.place[g]] = s.counts[g];
  }
  for (int64_t i = 0; context.output(2) != nullptr && i < n; ++i) {
    context.output(2)->As<int64_t>()[i] = s.place[s.other[i]];
  }
  return Status::Ok();
}

}  // namespace

OpKernel Cpu_unique() {
  OpKernel kernel = {Prepare, Run};
  kernel.data_dependent = true;
  return kernel;
}

}  // namespace tealight
