// SPDX-License-Identifier: Apache-2.0
// CPU attention: for each head, a few rows of queries at a time: scores by one gemm with the packed keys, softmax of
// each row, results by another gemm with the values where they lie. The scores never leave the cache.
#include "kernels/attention/attention.h"

#include "backends/cpu/conv_window.h"
#include "backends/cpu/gemm_grid.h"

namespace tealight {
namespace {

struct State {
  const GemmKernels* score_gemm;
  const GemmKernels* value_gemm;
  size_t batches, s, t, d, e;
  size_t blocks, max_rows;  // blocks of rows per head
  size_t packed_floats;     // of the thread's scratch, before the scores
  size_t row_floats;        // of the scores, whole vectors: a row's end and the next one share no cache line
  float scale;
  int rank;  // of the leading dims
  int64_t dims[kMaxRank];
  int64_t mask_batch[kMaxRank];  // elements per step of each leading dim
  int64_t mask_row, mask_column;
};

// The mask's strides over [..., s, t], 0 where it broadcasts.
Status PlanMask(const OpContext& context, const Tensor* mask, const Shape& scores, State* state) {
  if (mask == nullptr) return Status::Ok();
  const Shape& shape = mask->shape;
  if (mask->dtype != DType::kFloat32 || mask->layout != Layout::kPlain || shape.rank > scores.rank) {
    return context.Error(TL_ERROR_WRONG_SHAPE, "mask of rank %d, expected float32 that broadcasts to the scores",
                         shape.rank);
  }
  int64_t step = 1;
  for (int i = scores.rank - 1; i >= 0; --i) {
    const int at = i - (scores.rank - shape.rank);
    const int64_t dim = at < 0 ? 1 : shape[at];
    if (dim != 1 && dim != scores[i]) {
      return context.Error(TL_ERROR_WRONG_SHAPE, "mask dim %lld, expected 1 or %lld", static_cast<long long>(dim),
                           static_cast<long long>(scores[i]));
    }
    const int64_t stride = dim == 1 ? 0 : step;
    if (i == scores.rank - 1) {
      state->mask_column = stride;
    } else if (i == scores.rank - 2) {
      state->mask_row = stride;
    } else {
      state->mask_batch[i] = stride;
    }
    step *= dim;
  }
  return Status::Ok();
}

Status CheckOperands(const OpContext& context) {
  const Tensor* x[] = {context.input(0), context.input(1), context.input(2)};
  for (const Tensor* tensor : x) {
    if (tensor == nullptr || tensor->dtype != DType::kFloat32 || tensor->layout != Layout::kPlain) {
      return context.Error(TL_ERROR_WRONG_DTYPE, "operands of other types, expected float32 q, k, v");
    }
  }
  const int rank = x[0]->shape.rank;
  bool fits = rank >= 2 && x[1]->shape.rank == rank && x[2]->shape.rank == rank;
  for (int i = 0; fits && i < rank - 2; ++i) {
    fits = x[0]->shape[i] == x[1]->shape[i] && x[0]->shape[i] == x[2]->shape[i];
  }
  if (fits && x[0]->shape[rank - 1] == x[1]->shape[rank - 1] && x[1]->shape[rank - 2] == x[2]->shape[rank - 2]) {
    return Status::Ok();
  }
  return context.Error(TL_ERROR_WRONG_SHAPE,
                       "operands do not fit, expected q [..., s, d], k [..., t, d], v [..., t, e]");
}

Status Prepare(OpContext& context) {
  State* s = new (context.state<State>()) State();
  RETURN_IF_ERROR(CheckOperands(context));
  const Shape& q = context.input(0)->shape;
  const Shape& v = context.input(2)->shape;
  s->scale = context.attributes<schema::Attention>().scale();
  s->rank = q.rank - 2;
  size_t batches = 1;
  for (int i = 0; i < s->rank; ++i) {
    s->dims[i] = q[i];
    RETURN_IF_ERROR(CountRows(context, static_cast<int64_t>(batches), q[i], 1, &batches));
  }
  Shape scores = q, y = q;
  scores[q.rank - 1] = v[q.rank - 2];
  y[q.rank - 1] = v[q.rank - 1];
  RETURN_IF_ERROR(PlanMask(context, context.input(3), scores, s));
  RETURN_IF_ERROR(context.SetOutput(0, DType::kFloat32, y));
  s->s = static_cast<size_t>(q[q.rank - 2]);
  s->d = static_cast<size_t>(q[q.rank - 1]);
  s->t = static_cast<size_t>(scores.back());
  s->e = static_cast<size_t>(y.back());
  s->batches = batches;
  s->score_gemm = FindGemm(context.isa(), s->t);
  s->value_gemm = FindGemm(context.isa(), s->e);
  s->max_rows = Least(s->score_gemm->max_rows, s->value_gemm->max_rows);
  // The keys are packed once per block: cut heads only where there are too few for the threads.
  const size_t wanted = context.num_threads() == 1 ? 1 : CeilDiv(3 * context.num_threads(), Most(s->batches, 1));
  s->blocks = Most(1, Least(wanted, CeilDiv(s->s, 2 * s->max_rows)));
  s->row_floats = CeilDiv(s->t, kGemmPanel) * kGemmPanel;
  s->packed_floats = s->row_floats * s->d;
  context.RequestScratch(0, (s->packed_floats + s->max_rows * s->row_floats) * sizeof(float));
  return Status::Ok();
}

// Queries [begin, end) of one head, at most max_rows.
struct Head {
  const float* q;
  const float* k;
  const float* v;
  const float* mask;  // of query 0; or null
  float* y;
};

void RunTile(const OpContext& context, const State& s, const Head& head, size_t begin, size_t end, float* packed,
             float* scores) {
  const size_t m = end - begin;
  const float* rows[kGemmMaxRows];
  GemmArgs args;
  args.lo = -__builtin_inff();
  args.hi = __builtin_inff();
  SetPackedRhs(packed, s.d, {0, 0, 0, s.t}, &args);
  args.run = s.d;
  args.dst = scores;
  args.dst_stride = s.row_floats;
  for (size_t i = 0; i < m; ++i) rows[i] = head.q + (begin + i) * s.d;
  s.score_gemm->tile(rows, m, args);

  const AttentionKernels& kernels = *FindAttention(context.isa());
  for (size_t i = 0; i < m; ++i) {
    const float* mask = head.mask != nullptr ? head.mask + static_cast<int64_t>(begin + i) * s.mask_row : nullptr;
    kernels.softmax(scores + i * s.row_floats, s.t, s.scale, mask, static_cast<size_t>(s.mask_column));
  }

  args.rhs = head.v;
  args.rhs_k_stride = s.e;
  args.rhs_panel_stride = kGemmPanel;
  args.rhs_padded = false;
  args.n = s.e;
  args.run = s.t;
  args.dst = head.y + begin * s.e;
  args.dst_stride = s.e;
  for (size_t i = 0; i < m; ++i) rows[i] = scores + i * s.row_floats;
  s.value_gemm->tile(rows, m, args);
}

Status Run(OpContext& context) {
  const State& s = *context.state<State>();
  const Tensor* mask = context.input(3);
  context.ParallelFor(s.batches * s.blocks, 1, [&](size_t thread, size_t first, size_t last) {
    float* packed = static_cast<float*>(context.thread_scratch(thread));
    float* scores = packed + s.packed_floats;
    for (size_t item = first; item < last; ++item) {
      const size_t batch = item / s.blocks, block = item % s.blocks;
      Head head = {context.input(0)->As<float>() + batch * s.s * s.d, context.input(1)->As<float>() + batch * s.t * s.d,
                   context.input(2)->As<float>() + batch * s.t * s.e, mask != nullptr ? mask->As<float>() : nullptr,
                   context.output(0)->As<float>() + batch * s.s * s.e};
      int64_t rest = static_cast<int64_t>(batch);
      for (int i = s.rank - 1; i >= 0 && mask != nullptr; --i) {
        head.mask += rest % s.dims[i] * s.mask_batch[i];
        rest /= s.dims[i];
      }
      if (block == 0 || item == first) {
        GemmPackRhs(head.k, s.d, true, s.d, s.t, 0, CeilDiv(s.t, kGemmPanel), packed);
      }
      const GemmCell rows = {s.s * block / s.blocks, s.s * (block + 1) / s.blocks, 0, 0};
      ForEachTile(rows, s.max_rows,
                  [&](size_t begin, size_t end) { RunTile(context, s, head, begin, end, packed, scores); });
    }
  });
  return Status::Ok();
}

}  // namespace

OpKernel Cpu_attention() {
  OpKernel kernel;
  kernel.prepare = Prepare;
  kernel.run = Run;
  return kernel;
}

}  // namespace tealight
