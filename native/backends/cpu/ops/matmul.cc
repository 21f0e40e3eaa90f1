// SPDX-License-Identifier: Apache-2.0
// CPU matmul: one gemm for each pair of matrices. The columns that a cell works on are packed into the thread's
// scratch first, unless they are few enough to be read where they lie.
#include "backends/cpu/conv_window.h"
#include "backends/cpu/gemm_grid.h"
#include "kernels/elementwise/elementwise.h"

namespace tealight {
namespace {

struct State {
  const GemmKernels* gemm;
  GemmGrid grid;  // of one pair of matrices
  size_t k, batches;
  size_t a_stride, b_stride;  // elements from row to row as stored
  bool transpose_a, transpose_b;
  bool pack_b;
  size_t packed_floats;  // of the thread's scratch, before the transposed rows of a
  float alpha;
  int rank;  // of the leading dims
  int64_t dims[kMaxRank];
  int64_t a_batch[kMaxRank], b_batch[kMaxRank];  // elements per step of each leading dim, 0 where broadcast
};

// Wraps around where a hostile shape has huge dims beside a 0: then the stride is never used.
int64_t Multiply(int64_t a, int64_t b) {
  return static_cast<int64_t>(static_cast<uint64_t>(a) * static_cast<uint64_t>(b));
}

// Leading dims of both operands, aligned at their ends: fills s->dims and the strides.
Status Broadcast(const OpContext& context, const Shape& a, const Shape& b, State* s) {
  const int a_lead = a.rank > 2 ? a.rank - 2 : 0, b_lead = b.rank > 2 ? b.rank - 2 : 0;
  s->rank = a_lead > b_lead ? a_lead : b_lead;
  int64_t a_step = a.rank > 1 ? Multiply(a.dims[a.rank - 1], a.dims[a.rank - 2]) : a.back();
  int64_t b_step = b.rank > 1 ? Multiply(b.dims[b.rank - 1], b.dims[b.rank - 2]) : b.back();
  size_t batches = 1;
  for (int i = s->rank - 1; i >= 0; --i) {
    const int ai = i - (s->rank - a_lead), bi = i - (s->rank - b_lead);
    const int64_t p = ai < 0 ? 1 : a[ai], q = bi < 0 ? 1 : b[bi];
    if (p != q && p != 1 && q != 1) {
      return context.Error(TL_ERROR_WRONG_SHAPE, "leading dims %lld and %lld, expected ones that broadcast",
                           static_cast<long long>(p), static_cast<long long>(q));
    }
    s->dims[i] = p == 1 ? q : p;
    s->a_batch[i] = p == 1 ? 0 : a_step;
    s->b_batch[i] = q == 1 ? 0 : b_step;
    a_step = Multiply(a_step, p);
    b_step = Multiply(b_step, q);
    RETURN_IF_ERROR(CountRows(context, static_cast<int64_t>(batches), s->dims[i], 1, &batches));
  }
  s->batches = batches;
  return Status::Ok();
}

// The same b for every matrix of a, and those lie one after the other: one tall matrix.
void FoldBatches(int64_t b_elements, State* s, int64_t* m) {
  if (s->transpose_a || s->batches <= 1 || b_elements == 0) return;
  int64_t step = *m * static_cast<int64_t>(s->k);
  for (int i = s->rank - 1; i >= 0; --i) {
    if (s->dims[i] == 1) continue;
    if (s->b_batch[i] != 0 || s->a_batch[i] != step) return;
    step *= s->dims[i];
  }
  *m *= static_cast<int64_t>(s->batches);
  s->batches = 1;
  s->rank = 0;
}

Status Prepare(OpContext& context) {
  const schema::Matmul& attributes = context.attributes<schema::Matmul>();
  State* s = new (context.state<State>()) State();
  const Tensor* a = context.input(0);
  const Tensor* b = context.input(1);
  if (a == nullptr || b == nullptr || a->dtype != DType::kFloat32 || b->dtype != DType::kFloat32 ||
      a->layout != Layout::kPlain || b->layout != Layout::kPlain) {
    return context.Error(TL_ERROR_WRONG_DTYPE, "operands of other types, expected two float32 in plain layout");
  }
  const int ar = a->shape.rank, br = b->shape.rank;
  s->transpose_a = attributes.transpose_a();
  s->transpose_b = attributes.transpose_b();
  s->alpha = attributes.alpha();
  if (ar < 1 || br < 1 || (ar == 1 && s->transpose_a) || (br == 1 && s->transpose_b)) {
    return context.Error(TL_ERROR_WRONG_SHAPE, "ranks %d and %d, expected matrices or vectors", ar, br);
  }
  int64_t m = ar > 1 ? a->shape[ar - 2] : 1, k = a->shape[ar - 1];
  int64_t b_k = br > 1 ? b->shape[br - 2] : b->shape[0], n = br > 1 ? b->shape[br - 1] : 1;
  s->a_stride = static_cast<size_t>(k);
  s->b_stride = static_cast<size_t>(n);
  if (s->transpose_a) {
    const int64_t t = m;
    m = k;
    k = t;
  }
  if (s->transpose_b) {
    const int64_t t = n;
    n = b_k;
    b_k = t;
  }
  if (k != b_k) {
    return context.Error(TL_ERROR_WRONG_SHAPE, "inner dims %lld and %lld, expected equal ones",
                         static_cast<long long>(k), static_cast<long long>(b_k));
  }
  s->k = static_cast<size_t>(k);
  RETURN_IF_ERROR(Broadcast(context, a->shape, b->shape, s));
  Shape shape;
  for (int i = 0; i < s->rank; ++i) shape.Append(s->dims[i]);
  if (ar > 1) shape.Append(m);
  if (br > 1) shape.Append(n);
  RETURN_IF_ERROR(context.SetOutput(0, DType::kFloat32, shape));
  FoldBatches(b->Elements(), s, &m);

  const size_t columns = static_cast<size_t>(n);
  s->gemm = FindGemm(context.isa(), columns);
  const size_t max_rows = s->gemm->max_rows;
  const size_t threads = s->batches >= 4 * context.num_threads() ? 1 : context.num_threads();
  s->grid = PlanGemmGrid(static_cast<size_t>(m), columns, s->k, max_rows, threads);
  // Read in place, rows of b are far apart; that is fine while b is small or used once.
  s->pack_b = s->transpose_b || (static_cast<size_t>(m) > 2 * max_rows && s->k * columns > 4096);
  const size_t cell_panels = s->grid.n_cells > 0 ? CeilDiv(s->grid.panels, s->grid.n_cells) : 0;
  s->packed_floats = s->pack_b ? cell_panels * kGemmPanel * s->k : 0;
  const size_t rows_of_a = s->transpose_a ? max_rows * s->k : 0;
  context.RequestScratch(0, (s->packed_floats + rows_of_a) * sizeof(float));
  return Status::Ok();
}

struct Matrices {
  const float* a;
  const float* b;
  float* y;
};

void RunCell(const OpContext& context, const State& s, const GemmKernels& gemm, const GemmCell& cell,
             const Matrices& at, size_t thread) {
  float* packed = static_cast<float*>(context.thread_scratch(thread));
  float* transposed = packed + s.packed_floats;
  const ElementwiseKernels& elementwise = *FindElementwise(context.isa());
  GemmArgs args;
  args.n = cell.n_end - cell.n_begin;
  const float* b = at.b + cell.n_begin * (s.transpose_b ? s.b_stride : 1);
  if (s.pack_b) {
    GemmPackRhs(b, s.b_stride, s.transpose_b, s.k, args.n, 0, CeilDiv(args.n, kGemmPanel), packed);
    SetPackedRhs(packed, s.k, {0, 0, 0, args.n}, &args);
  } else {
    args.rhs = b;
    args.rhs_k_stride = s.b_stride;
    args.rhs_panel_stride = kGemmPanel;
    args.rhs_padded = false;
  }
  args.run = s.k;
  args.dst_stride = s.grid.n;
  args.lo = -__builtin_inff();
  args.hi = __builtin_inff();
  ForEachTile(cell, gemm.max_rows, [&](size_t begin, size_t end) {
    const float* rows[kGemmMaxRows];
    const size_t m = end - begin;
    if (s.transpose_a) GemmTranspose(at.a + begin, s.a_stride, s.k, m, transposed, s.k);
    for (size_t i = 0; i < m; ++i) rows[i] = s.transpose_a ? transposed + i * s.k : at.a + (begin + i) * s.a_stride;
    args.dst = at.y + begin * s.grid.n + cell.n_begin;
    gemm.tile(rows, m, args);
    if (s.alpha == 1.0f) return;
    for (size_t i = 0; i < m; ++i) {
      float* y = args.dst + i * s.grid.n;
      elementwise.binary(BinaryOp::kMul, 1, args.n, {y, 0, 1}, {&s.alpha, 0, 0}, y);
    }
  });
}

Status Run(OpContext& context) {
  const State& s = *context.state<State>();
  const GemmKernels& gemm = *s.gemm;
  const size_t cells = s.grid.cells();
  context.ParallelFor(s.batches * cells, 1, [&](size_t thread, size_t begin, size_t end) {
    for (size_t i = begin; i < end; ++i) {
      const size_t batch = i / cells;
      Matrices at = {context.input(0)->As<float>(), context.input(1)->As<float>(),
                     context.output(0)->As<float>() + batch * s.grid.m * s.grid.n};
      int64_t rest = static_cast<int64_t>(batch);
      for (int d = s.rank - 1; d >= 0; --d) {
        const int64_t index = rest % s.dims[d];
        rest /= s.dims[d];
        at.a += index * s.a_batch[d];
        at.b += index * s.b_batch[d];
      }
      RunCell(context, s, gemm, s.grid.Cell(i % cells), at, thread);
    }
  });
  return Status::Ok();
}

}  // namespace

OpKernel Cpu_matmul() {
  OpKernel kernel;
  kernel.prepare = Prepare;
  kernel.run = Run;
  return kernel;
}

}  // namespace tealight
