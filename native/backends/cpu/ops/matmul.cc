// SPDX-License-Identifier: Apache-2.0
// CPU matmul: one gemm for each pair of matrices. The columns that a cell works on are packed into the thread's
// scratch first, unless they are few enough to be read where they lie.
#include "backends/cpu/gemm_grid.h"
#include "backends/cpu/matmul_shape.h"
#include "kernels/elementwise/elementwise.h"

namespace tealight {
namespace {

struct State {
  MatmulShape shape;
  const GemmKernels* gemm;
  GemmGrid grid;  // of one pair of matrices
  bool pack_b;
  size_t packed_floats;  // of the thread's scratch, before the transposed rows of a
  float alpha;
};

Status Prepare(OpContext& context) {
  const schema::Matmul& attributes = context.attributes<schema::Matmul>();
  State* s = new (context.state<State>()) State();
  const Tensor* a = context.input(0);
  const Tensor* b = context.input(1);
  if (a == nullptr || b == nullptr || a->dtype != DType::kFloat32 || b->dtype != DType::kFloat32 ||
      a->layout != Layout::kPlain || b->layout != Layout::kPlain) {
    return context.Error(TL_ERROR_WRONG_DTYPE, "operands of other types, expected two float32 in plain layout");
  }
  MatmulShape& shape = s->shape;
  Shape y;
  RETURN_IF_ERROR(
      ReadMatmulShape(context, a->shape, b->shape, attributes.transpose_a(), attributes.transpose_b(), &shape, &y));
  RETURN_IF_ERROR(context.SetOutput(0, DType::kFloat32, y));
  s->alpha = attributes.alpha();

  const size_t columns = shape.n;
  s->gemm = FindGemm(context.isa(), columns);
  const size_t max_rows = s->gemm->max_rows;
  const size_t threads = shape.batches >= 4 * context.num_threads() ? 1 : context.num_threads();
  s->grid = PlanGemmGrid(shape.m, columns, shape.k, max_rows, threads);
  // Read in place, rows of b are far apart; that is fine while b is small or used once.
  s->pack_b = shape.transpose_b || (shape.m > 2 * max_rows && shape.k * columns > 4096);
  const size_t cell_panels = s->grid.n_cells > 0 ? CeilDiv(s->grid.panels, s->grid.n_cells) : 0;
  s->packed_floats = s->pack_b ? cell_panels * kGemmPanel * shape.k : 0;
  const size_t rows_of_a = shape.transpose_a ? max_rows * shape.k : 0;
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
  const MatmulShape& shape = s.shape;
  float* packed = static_cast<float*>(context.thread_scratch(thread));
  float* transposed = packed + s.packed_floats;
  const ElementwiseKernels& elementwise = *FindElementwise(context.isa());
  GemmArgs args;
  args.n = cell.n_end - cell.n_begin;
  const float* b = at.b + cell.n_begin * (shape.transpose_b ? shape.b_stride : 1);
  if (s.pack_b) {
    GemmPackRhs(b, shape.b_stride, shape.transpose_b, shape.k, args.n, 0, CeilDiv(args.n, kGemmPanel), packed);
    SetPackedRhs(packed, shape.k, {0, 0, 0, args.n}, &args);
  } else {
    args.rhs = b;
    args.rhs_k_stride = shape.b_stride;
    args.rhs_panel_stride = kGemmPanel;
    args.rhs_padded = false;
  }
  args.run = shape.k;
  args.dst_stride = s.grid.n;
  args.lo = -__builtin_inff();
  args.hi = __builtin_inff();
  ForEachTile(cell, gemm.max_rows, [&](size_t begin, size_t end) {
    const float* rows[kGemmMaxRows];
    const size_t m = end - begin;
    if (shape.transpose_a) GemmTranspose(at.a + begin, shape.a_stride, shape.k, m, transposed, shape.k);
    for (size_t i = 0; i < m; ++i)
      rows[i] = shape.transpose_a ? transposed + i * shape.k : at.a + (begin + i) * shape.a_stride;
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
  context.ParallelFor(s.shape.batches * cells, 1, [&](size_t thread, size_t begin, size_t end) {
    for (size_t i = begin; i < end; ++i) {
      const size_t batch = i / cells;
      int64_t a, b;
      s.shape.BatchOffsets(batch, &a, &b);
      const Matrices at = {context.input(0)->As<float>() + a, context.input(1)->As<float>() + b,
                           context.output(0)->As<float>() + batch * s.grid.m * s.grid.n};
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
