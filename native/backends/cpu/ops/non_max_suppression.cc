// SPDX-License-Identifier: Apache-2.0
// NonMaxSuppression (sdk/tealight/ops/non_max_suppression.py). Threads share the (batch, class) pairs; a pair takes
// its candidates from a heap, best first, until it has enough boxes.
#include "backends/cpu/operands.h"
#include "backends/cpu/sort_keys.h"

namespace tealight {
namespace {

struct State {
  int64_t batches;
  int64_t classes;
  int64_t boxes;
  int64_t keep;  // most boxes of a pair
};

// Smaller is better.
struct Candidate {
  uint32_t key;
  uint32_t box;
};

struct Corners {
  float top, left, bottom, right;
};

bool Better(const Candidate& a, const Candidate& b) { return a.key != b.key ? a.key < b.key : a.box < b.box; }

// Restores a heap whose best candidate is at 0, from position `at` down.
void SiftDown(Candidate* heap, int64_t n, int64_t at) {
  const Candidate item = heap[at];
  for (;;) {
    int64_t child = 2 * at + 1;
    if (child >= n) break;
    if (child + 1 < n && Better(heap[child + 1], heap[child])) ++child;
    if (!Better(heap[child], item)) break;
    heap[at] = heap[child];
    at = child;
  }
  heap[at] = item;
}

Status Prepare(OpContext& context) {
  const Tensor *boxes, *scores, *operand;
  RETURN_IF_ERROR(TypedOperand(context, 0, "boxes", DType::kFloat32, &boxes));
  RETURN_IF_ERROR(TypedOperand(context, 1, "scores", DType::kFloat32, &scores));
  RETURN_IF_ERROR(WantedResult(context, 0));
  const Shape &b = boxes->shape, &s = scores->shape;
  if (b.rank != 3 || s.rank != 3 || b[2] != 4 || b[0] != s[0] || b[1] != s[2] || b[1] > INT32_MAX) {
    return context.Error(TL_ERROR_WRONG_SHAPE, "boxes and scores: do not fit, expected [b, n, 4] and [b, c, n]");
  }
  if (context.input(3) != nullptr) {
    RETURN_IF_ERROR(ScalarOperand(context, 3, "iou_threshold", DType::kFloat32, &operand));
  }
  if (context.input(4) != nullptr) {
    RETURN_IF_ERROR(ScalarOperand(context, 4, "score_threshold", DType::kFloat32, &operand));
  }
  int64_t keep = 0;
  int count = 1;
  if (context.input(2) != nullptr) RETURN_IF_ERROR(context.ReadInts(2, &keep, 1, &count));
  if (count != 1) return context.Error(TL_ERROR_WRONG_SHAPE, "max_output_boxes_per_class: absent, expected 1 element");
  keep = keep < 0 ? 0 : keep > b[1] ? b[1] : keep;
  *context.state<State>() = {b[0], s[1], b[1], keep};
  // Shared: how many boxes each pair found, then which ones. Per thread: the candidates, then the corners of the taken.
  const size_t pairs = static_cast<size_t>(s[0] * s[1]);
  size_t found = 0;
  if (__builtin_mul_overflow(pairs, (static_cast<size_t>(keep) + 1) * sizeof(uint32_t), &found)) {
    return context.Error(TL_ERROR_OUT_OF_MEMORY, "scores: %zu classes, expected fewer", pairs);
  }
  context.RequestScratch(found,
                         static_cast<size_t>(b[1]) * sizeof(Candidate) + static_cast<size_t>(keep) * sizeof(Corners));
  return Status::Ok();
}

Corners CornersOf(const float* box, bool center_point) {
  Corners c = {box[0], box[1], box[2], box[3]};
  if (center_point) {
    const float half_w = box[2] * 0.5f, half_h = box[3] * 0.5f;
    c = {box[1] - half_h, box[0] - half_w, box[1] + half_h, box[0] + half_w};
  }
  const bool flip_y = c.bottom < c.top, flip_x = c.right < c.left;
  return {flip_y ? c.bottom : c.top, flip_x ? c.right : c.left, flip_y ? c.top : c.bottom, flip_x ? c.left : c.right};
}

bool Overlaps(const Corners& a, const Corners& b, float threshold) {
  const float height = (a.bottom < b.bottom ? a.bottom : b.bottom) - (a.top > b.top ? a.top : b.top);
  const float width = (a.right < b.right ? a.right : b.right) - (a.left > b.left ? a.left : b.left);
  const float inner = height * width;
  const float area_a = (a.bottom - a.top) * (a.right - a.left), area_b = (b.bottom - b.top) * (b.right - b.left);
  const float outer = area_a + area_b - inner;
  return height > 0 && width > 0 && area_a > 0 && area_b > 0 && outer > 0 && inner / outer > threshold;
}

// Chooses boxes of one pair; returns how many.
uint32_t Choose(const OpContext& context, const State& state, const float* boxes, const float* scores, void* scratch,
                uint32_t* chosen) {
  const bool center_point = context.attributes<schema::NonMaxSuppression>().center_point_box();
  const float iou = context.input(3) == nullptr ? 0.0f : *context.input(3)->As<float>();
  const float* least = context.input(4) == nullptr ? nullptr : context.input(4)->As<float>();
  Corners* taken = static_cast<Corners*>(scratch);
  Candidate* heap = reinterpret_cast<Candidate*>(taken + state.keep);
  int64_t left = 0;
  for (int64_t i = 0; i < state.boxes; ++i) {
    const float score = scores[i];
    if (least != nullptr ? !(score > *least) : score != score) continue;
    const uint64_t key = FloatSortKey<uint32_t>(LoadAs<uint32_t>(scores, i), 0x7f800000u);
    heap[left++] = {~static_cast<uint32_t>(key), static_cast<uint32_t>(i)};
  }
  for (int64_t i = left / 2 - 1; i >= 0; --i) SiftDown(heap, left, i);
  uint32_t count = 0;
  for (uint32_t step = 1; left > 0 && count < state.keep; ++step) {
    const uint32_t box = heap[0].box;
    heap[0] = heap[--left];
    if (left > 0) SiftDown(heap, left, 0);
    const Corners corners = CornersOf(boxes + int64_t{4} * box, center_point);
    bool is_free = true;
    for (uint32_t i = 0; is_free && i < count; ++i) is_free = !Overlaps(corners, taken[i], iou);
    if (!is_free) continue;
    taken[count] = corners;
    chosen[count++] = box;
    if (step % 256 == 0 && context.ShouldStop()) break;
  }
  return count;
}

Status Run(OpContext& context) {
  const State state = *context.state<State>();
  const int64_t pairs = state.batches * state.classes;
  uint32_t* counts = static_cast<uint32_t*>(context.shared_scratch());
  uint32_t* chosen = counts + pairs;
  const float *boxes = context.input(0)->As<float>(), *scores = context.input(1)->As<float>();
  if (state.keep > 0) {
    context.ParallelFor(
        static_cast<size_t>(pairs), GrainOf(state.boxes * 16), [&](size_t thread, size_t begin, size_t end) {
          for (int64_t pair = static_cast<int64_t>(begin); pair < static_cast<int64_t>(end); ++pair) {
            counts[pair] =
                Choose(context, state, boxes + pair / state.classes * state.boxes * 4, scores + pair * state.boxes,
                       context.thread_scratch(thread), chosen + pair * state.keep);
          }
        });
  }
  Shape shape;
  shape.Append(0);
  shape.Append(3);
  for (int64_t pair = 0; state.keep > 0 && pair < pairs; ++pair) shape[0] += counts[pair];
  RETURN_IF_ERROR(context.ResizeOutput(0, DType::kInt64, shape));
  int64_t* out = context.output(0)->As<int64_t>();
  for (int64_t pair = 0; state.keep > 0 && pair < pairs; ++pair) {
    for (uint32_t i = 0; i < counts[pair]; ++i, out += 3) {
      out[0] = pair / state.classes;
      out[1] = pair % state.classes;
      out[2] = chosen[pair * state.keep + i];
    }
  }
  return Status::Ok();
}

}  // namespace

OpKernel Cpu_non_max_suppression() {
  OpKernel kernel = {Prepare, Run};
  kernel.host_inputs = 1u << 2;
  kernel.data_dependent = true;
  return kernel;
}

}  // namespace tealight
