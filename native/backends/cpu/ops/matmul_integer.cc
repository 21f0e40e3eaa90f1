// SPDX-License-Identifier: Apache-2.0
// CPU matmul_integer: the int8 gemm on two computed operands, sums as they are.
#include "backends/cpu/integer_operands.h"
#include "backends/cpu/qmatmul.h"

namespace tealight {
namespace {

struct State {
  QMatmul product;
  size_t a_rows;  // of one matrix
};

Status Prepare(OpContext& context) {
  const Tensor* a = context.input(0);
  const Tensor* b = context.input(1);
  RETURN_IF_ERROR(CheckByteOperand(context, "a", a));
  RETURN_IF_ERROR(CheckByteOperand(context, "b", b));
  State* s = new (context.state<State>()) State();
  Shape y;
  RETURN_IF_ERROR(ReadMatmulShape(context, a->shape, b->shape, false, false, &s->product.shape, &y));
  const int64_t rows = a->shape.rank > 1 ? a->shape[a->shape.rank - 2] : 1;
  RETURN_IF_ERROR(CheckZeroPoint(context, "a_zero_point", context.input(2), *a, rows));
  RETURN_IF_ERROR(
      CheckZeroPoint(context, "b_zero_point", context.input(3), *b, static_cast<int64_t>(s->product.shape.n)));
  s->a_rows = static_cast<size_t>(rows);
  s->product.a_flip = FlipOf(*a);
  s->product.b_flip = FlipOf(*b);
  RETURN_IF_ERROR(context.SetOutput(0, DType::kInt32, y));
  PlanQMatmul(context, 0, &s->product);
  return Status::Ok();
}

Status Run(OpContext& context) {
  const State& s = *context.state<State>();
  const QPackKernels& pack = *FindQPack(context.isa());
  const Tensor& a = *context.input(0);
  const Tensor& b = *context.input(1);
  const Tensor* a_zero = context.input(2);
  const Tensor* b_zero = context.input(3);
  int32_t* y = context.output(0)->As<int32_t>();
  const size_t rows = s.product.grid.m, n = s.product.grid.n, k = s.product.shape.k;
  const bool b_per_column = IsPerIndex(b_zero);
  const int32_t shared_a = IsPerIndex(a_zero) ? 0 : ZeroPointAt(a_zero, a, 0);
  RunQMatmul(context, s.product, shared_a, [&](const QMatmulTile& tile, QGemmArgs* args) {
    int32_t zero_points[kQGemmMaxRows], centred[kQGemmMaxRows], offsets[kQGemmMaxRows];
    const size_t m = tile.end - tile.begin;
    for (size_t i = 0; i < m; ++i) {
      zero_points[i] = ZeroPointAt(a_zero, a, (tile.begin + i) % s.a_rows);
      centred[i] = WrappingSubtractProduct(pack.sum(tile.rows[i], k), static_cast<int32_t>(k), zero_points[i]);
      offsets[i] = b_per_column ? 0 : WrappingSubtractProduct(0, ZeroPointAt(b_zero, b, 0), centred[i]);
    }
    args->row_zero_points = IsPerIndex(a_zero) ? zero_points : nullptr;
    args->row_offsets = offsets;
    args->output = QGemmOutput::kInt32;
    int32_t* out = y + (tile.batch * rows + tile.begin) * n + tile.cell.n_begin;
    args->dst = out;
    s.product.gemm->tile(tile.rows, m, *args);
    for (size_t i = 0; b_per_column && i < m; ++i, out += n) {
      for (size_t j = 0; j < args->n; ++j) {
        out[j] = WrappingSubtractProduct(out[j], ZeroPointAt(b_zero, b, tile.cell.n_begin + j), centred[i]);
      }
    }
  });
  return Status::Ok();
}

}  // namespace

OpKernel Cpu_matmul_integer() {
  OpKernel kernel;
  kernel.prepare = Prepare;
  kernel.run = Run;
  return kernel;
}

}  // namespace tealight
