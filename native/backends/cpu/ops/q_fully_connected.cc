// SPDX-License-Identifier: Apache-2.0
// CPU q_fully_connected: the int8 gemm over all leading dims of x as rows.
#include "backends/cpu/conv_window.h"
#include "backends/cpu/qgemm_rows.h"

namespace tealight {
namespace {

struct State {
  QuantizedOutput output;
  const QGemmKernels* gemm;
  GemmGrid grid;
  size_t k, run;  // run: k rounded up to 4
  int32_t x_zero_point, weight_zero_point;
  bool copy_rows;  // into scratch: k is no multiple of 4, or rows collide in the cache
  size_t copy_stride;
};

Status CheckOperands(const OpContext& context) {
  const Tensor* x = context.input(0);
  const Tensor* weight = context.input(1);
  if (x == nullptr || weight == nullptr || x->dtype != DType::kInt8 || weight->dtype != DType::kInt8) {
    return context.Error(TL_ERROR_WRONG_DTYPE, "operands of other types, expected int8 x and weight");
  }
  if (x->shape.rank < 1 || weight->shape.rank != 2 || weight->layout != Layout::kGemmN32K4 ||
      weight->layout_groups != 1 || !weight->is_constant || weight->shape[1] != x->shape.back()) {
    return context.Error(TL_ERROR_WRONG_SHAPE, "weight does not fit x, expected a packed constant [n, %lld]",
                         static_cast<long long>(x->shape.back()));
  }
  RETURN_IF_ERROR(CheckChannels(context, "bias", context.input(2), DType::kInt32, weight->shape[0], 1));
  return CheckChannels(context, "scale", context.input(3), DType::kFloat32, weight->shape[0], 1);
}

Status Prepare(OpContext& context) {
  const schema::QFullyConnected& attributes = context.attributes<schema::QFullyConnected>();
  State* s = new (context.state<State>()) State();
  RETURN_IF_ERROR(CheckOperands(context));
  const Tensor& weight = *context.input(1);
  Shape shape = context.input(0)->shape;
  shape[shape.rank - 1] = weight.shape[0];
  RETURN_IF_ERROR(ReadQuantizedOutput(context, attributes.output(), attributes.residual_add(), 4, shape, &s->output));
  s->x_zero_point = attributes.x_zero_point();
  s->weight_zero_point = attributes.weight_zero_point();
  RETURN_IF_ERROR(CheckInt8(context, "x_zero_point", s->x_zero_point));
  RETURN_IF_ERROR(CheckInt8(context, "weight_zero_point", s->weight_zero_point));
  RETURN_IF_ERROR(context.SetOutput(0, DType::kInt8, shape));
  const size_t n = static_cast<size_t>(weight.shape[0]);
  s->k = static_cast<size_t>(weight.shape[1]);
  s->run = (s->k + 3) / 4 * 4;
  s->gemm = FindQGemm(context.isa(), n);
  s->grid = PlanQGemmGrid(static_cast<size_t>(shape.Product(0, shape.rank - 1)), n, s->run, s->gemm->max_rows,
                          context.num_threads());
  s->copy_rows = s->run != s->k || (s->grid.m > 1 && RowsCollide(s->k / 4, n));
  s->copy_stride = s->run + 4 * kRowGap;
  if (s->copy_rows) context.RequestScratch(0, kQGemmMaxRows * s->copy_stride);
  return Status::Ok();
}

// Points rows at m rows of x, or at copies of them in scratch.
void PointRows(const State& s, const int8_t* x, size_t m, int8_t* scratch, const int8_t** rows) {
  for (size_t i = 0; i < m; ++i) {
    rows[i] = x + i * s.k;
    if (!s.copy_rows) continue;
    int8_t* copy = scratch + i * s.copy_stride;
    if (s.run != s.k) memset(copy + s.run - 4, 0, 4);
    memcpy(copy, rows[i], s.k);
    rows[i] = copy;
  }
}

void RunCell(const OpContext& context, const State& s, const GemmCell& cell, size_t thread) {
  const size_t n = s.grid.n;
  const int8_t* x = context.input(0)->As<int8_t>();
  const Tensor* residual = context.input(4);
  int8_t* y = context.output(0)->As<int8_t>();
  QGemmArgs args;
  SetQGemmRhs(context.input(1)->data, s.run, cell, &args);
  SetQGemmOutput(s.output, context.input(2), *context.input(3), cell.n_begin, context.input(5), &args);
  args.run = s.run;
  args.dst_stride = args.residual_stride = n;
  ForEachTile(cell, s.gemm->max_rows, [&](size_t begin, size_t end) {
    const int8_t* rows[kQGemmMaxRows];
    int32_t offsets[kQGemmMaxRows];
    const size_t m = end - begin;
    PointRows(s, x + begin * s.k, m, static_cast<int8_t*>(context.thread_scratch(thread)), rows);
    if (s.weight_zero_point != 0) {
      WeightZeroPointOffsets(rows, m, 1, s.run, s.k, s.x_zero_point, s.weight_zero_point, offsets);
      args.row_offsets = offsets;
      args.full_range = true;
    }
    const size_t at = begin * n + cell.n_begin;
    args.dst = y + at;
    args.residual = residual != nullptr ? residual->As<int8_t>() + at : nullptr;
    s.gemm->tile(rows, m, args);
  });
}

Status Run(OpContext& context) {
  const State& s = *context.state<State>();
  context.ParallelFor(s.grid.cells(), 1, [&](size_t thread, size_t first, size_t last) {
    for (size_t i = first; i < last; ++i) RunCell(context, s, QGemmCell(s.grid, i), thread);
  });
  return Status::Ok();
}

}  // namespace

OpKernel Cpu_q_fully_connected() {
  OpKernel kernel;
  kernel.prepare = Prepare;
  kernel.run = Run;
  return kernel;
}

}  // namespace tealight
