// SPDX-License-Identifier: Apache-2.0
// TopK (sdk/tealight/ops/top_k.py): a heap of the best k so far per column, then a heap sort. Keys and positions form
// a total order, so the result does not depend on how it is found.
#include "backends/cpu/operands.h"
#include "backends/cpu/sort_keys.h"

namespace tealight {
namespace {

struct State {
  int axis;
  int64_t k;
};

// Smaller is better.
struct Item {
  uint64_t key;
  int64_t position;
};

bool Better(const Item& a, const Item& b) { return a.key != b.key ? a.key < b.key : a.position < b.position; }

// Restores a heap whose worst item is at 0, after heap[0] was replaced.
void SiftDown(Item* heap, int64_t n) {
  const Item item = heap[0];
  int64_t at = 0;
  for (;;) {
    int64_t child = 2 * at + 1;
    if (child >= n) break;
    if (child + 1 < n && Better(heap[child], heap[child + 1])) ++child;
    if (!Better(item, heap[child])) break;
    heap[at] = heap[child];
    at = child;
  }
  heap[at] = item;
}

void SiftUp(Item* heap, int64_t at) {
  const Item item = heap[at];
  while (at > 0 && Better(heap[(at - 1) / 2], item)) {
    heap[at] = heap[(at - 1) / 2];
    at = (at - 1) / 2;
  }
  heap[at] = item;
}

Status Prepare(OpContext& context) {
  const Tensor *x, *operand;
  RETURN_IF_ERROR(PlainOperand(context, 0, "x", &x));
  RETURN_IF_ERROR(IndexOperand(context, 1, "k", &operand));
  const auto& attributes = context.attributes<schema::TopK>();
  State* state = context.state<State>();
  RETURN_IF_ERROR(NormalAxis(context, "axis", attributes.axis(), x->shape.rank, &state->axis));
  if (!HasSortKey(x->dtype))
    return context.Error(TL_ERROR_INVALID_BUNDLE, "x: %s, expected numbers", DTypeName(x->dtype));
  int count = 0;
  RETURN_IF_ERROR(context.ReadInts(1, &state->k, 1, &count));
  if (count != 1 || state->k < 0 || state->k > x->shape[state->axis]) {
    return context.Error(TL_ERROR_WRONG_SHAPE, "k: %lld, expected one number in [0, %lld]",
                         static_cast<long long>(state->k), static_cast<long long>(x->shape[state->axis]));
  }
  Shape y = x->shape;
  y[state->axis] = state->k;
  context.RequestScratch(0, static_cast<size_t>(state->k) * sizeof(Item));
  RETURN_IF_ERROR(context.SetOutput(0, x->dtype, y));
  return context.SetOutput(1, DType::kInt64, y);
}

// Leaves the best k of n items, `stride` elements apart from `first`, in heap; best first.
void Select(const Tensor& x, bool largest, int64_t first, int64_t stride, int64_t n, int64_t k, Item* heap) {
  const uint64_t flip = largest ? UINT64_MAX : 0;
  for (int64_t i = 0; i < n; ++i) {
    const Item item = {SortKey(x.dtype, x.data, first + i * stride) ^ flip, i};
    if (i < k) {
      heap[i] = item;
      SiftUp(heap, i);
    } else if (Better(item, heap[0])) {
      heap[0] = item;
      SiftDown(heap, k);
    }
  }
  for (int64_t left = k - 1; left > 0; --left) {
    const Item worst = heap[0];
    heap[0] = heap[left];
    heap[left] = worst;
    SiftDown(heap, left);
  }
}

Status Run(OpContext& context) {
  const Tensor& x = *context.input(0);
  const State state = *context.state<State>();
  const bool largest = context.attributes<schema::TopK>().largest();
  const int64_t n = x.shape[state.axis], k = state.k;
  const int64_t inner = x.shape.Product(state.axis + 1, x.shape.rank);
  const int64_t columns = x.shape.Product(0, state.axis) * inner;
  if (k == 0 || columns == 0) return Status::Ok();
  const Tensor *values = context.output(0), *indices = context.output(1);
  const int64_t bytes = static_cast<int64_t>(DTypeSize(x.dtype));
  context.ParallelFor(static_cast<size_t>(columns), GrainOf(n * 8), [&](size_t thread, size_t begin, size_t end) {
    Item* heap = static_cast<Item*>(context.thread_scratch(thread));
    for (int64_t column = static_cast<int64_t>(begin); column < static_cast<int64_t>(end); ++column) {
      const int64_t from = column / inner * n * inner + column % inner;
      const int64_t to = column / inner * k * inner + column % inner;
      Select(x, largest, from, inner, n, k, heap);
      for (int64_t i = 0; i < k; ++i) {
        const int64_t at = to + i * inner;
        if (values != nullptr) {
          CopyItem(values->As<char>() + at * bytes, x.As<char>() + (from + heap[i].position * inner) * bytes, bytes);
        }
        if (indices != nullptr) indices->As<int64_t>()[at] = heap[i].position;
      }
    }
  });
  return Status::Ok();
}

}  // namespace

OpKernel Cpu_top_k() {
  OpKernel kernel = {Prepare, Run};
  kernel.host_inputs = 1u << 1;
  return kernel;
}

}  // namespace tealight
