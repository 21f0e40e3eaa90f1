// SPDX-License-Identifier: Apache-2.0
// CPU dynamic_fully_connected: the rows of x become int8 first, all of them; then the int8 gemm gives float32. 4-bit
// weights are unpacked into the thread's scratch, some panels at a time, or in registers where there are few rows.
#include "backends/cpu/activation.h"
#include "backends/cpu/conv_window.h"
#include "backends/cpu/dynamic_rows.h"
#include "kernels/decode/decode.h"
#include "kernels/qgemm4/qgemm4.h"

namespace tealight {
namespace {

struct State {
  FusedActivation activation;
  const QGemmKernels* gemm;
  GemmGrid grid;
  DynamicRows rows;
  bool per_row, is_int4;
  bool in_registers;       // int4 weights are unpacked by the gemm
  size_t unpacked_panels;  // of int4 weights, at a time, where they are not
};

Status CheckOperands(const OpContext& context) {
  const Tensor* x = context.input(0);
  const Tensor* weight = context.input(1);
  if (x == nullptr || weight == nullptr || x->dtype != DType::kFloat32 ||
      (weight->dtype != DType::kInt8 && weight->dtype != DType::kInt4)) {
    return context.Error(TL_ERROR_WRONG_DTYPE,
                         "operands of other types, expected float32 x and an int8 or int4 weight");
  }
  if (x->shape.rank < 1 || weight->shape.rank != 2 || weight->layout != Layout::kGemmN32K4 ||
      weight->layout_groups != 1 || !weight->is_constant || weight->shape[1] != x->shape.back()) {
    return context.Error(TL_ERROR_WRONG_SHAPE, "weight does not fit x, expected a packed constant [n, %lld]",
                         static_cast<long long>(x->shape.back()));
  }
  RETURN_IF_ERROR(CheckChannels(context, "scale", context.input(2), DType::kFloat32, weight->shape[0], 1));
  return CheckFloatBias(context, context.input(3), weight->shape[0]);
}

Status Prepare(OpContext& context) {
  const auto& attributes = context.attributes<schema::DynamicFullyConnected>();
  State* s = new (context.state<State>()) State();
  RETURN_IF_ERROR(ReadActivation(context, attributes.activation(), &s->activation));
  RETURN_IF_ERROR(CheckOperands(context));
  const Tensor& weight = *context.input(1);
  Shape shape = context.input(0)->shape;
  shape[shape.rank - 1] = weight.shape[0];
  RETURN_IF_ERROR(CheckResidual(context, context.input(4), shape));
  RETURN_IF_ERROR(context.SetOutput(0, DType::kFloat32, shape));
  const size_t n = static_cast<size_t>(weight.shape[0]), k = static_cast<size_t>(weight.shape[1]);
  const size_t m = static_cast<size_t>(shape.Product(0, shape.rank - 1));
  s->per_row = attributes.per_row();
  s->is_int4 = weight.dtype == DType::kInt4;
  s->gemm = FindQGemm(context.isa(), n);
  const QGemmKernels* few_rows = s->is_int4 && k <= kQGemm4MaxK ? FindQGemm4(context.isa(), m) : nullptr;
  s->in_registers = few_rows != nullptr;
  if (s->in_registers) s->gemm = few_rows;
  s->rows = DynamicRows::Plan(m, k, n, s->is_int4 ? 8 : 4);
  s->grid = PlanQGemmGrid(m, n, s->rows.run, s->gemm->max_rows, context.num_threads());
  const size_t panel_bytes = QGemmPanelBytes(s->rows.run);
  s->unpacked_panels = Least(Most(128 * 1024 / panel_bytes / 2 * 2, 2), Most(s->grid.panels, 1));
  context.RequestScratch(s->rows.Bytes(), s->is_int4 && !s->in_registers ? s->unpacked_panels * panel_bytes : 0);
  return Status::Ok();
}

// The columns of a cell that rhs holds.
void RunColumns(const OpContext& context, const State& s, const DynamicRows& x, const GemmCell& cell, QGemmArgs args) {
  const size_t n = s.grid.n;
  const Tensor* bias = context.input(3);
  const Tensor* residual = context.input(4);
  const ElementwiseKernels& elementwise = *FindElementwise(context.isa());
  float* y = context.output(0)->As<float>();
  args.run = x.run;
  args.scale = context.input(2)->As<float>() + cell.n_begin;
  args.float_bias = bias != nullptr ? bias->As<float>() + cell.n_begin : nullptr;
  args.output = QGemmOutput::kFloat32;
  args.dst_stride = args.residual_stride = n;
  ForEachTile(cell, s.gemm->max_rows, [&](size_t begin, size_t end) {
    const int8_t* rows[kQGemmMaxRows];
    x.Point(begin, end, rows, &args);
    const size_t at = begin * n + cell.n_begin;
    args.dst = y + at;
    args.residual = residual != nullptr ? residual->As<float>() + at : nullptr;
    s.gemm->tile(rows, end - begin, args);
    s.activation.ApplyAll(elementwise, y + at, n, end - begin, args.n);
  });
}

void RunCell(const OpContext& context, const State& s, const DynamicRows& x, const GemmCell& cell, size_t thread) {
  const void* weight = context.input(1)->data;
  QGemmArgs args;
  if (!s.is_int4) {
    SetQGemmRhs(weight, x.run, cell, &args);
    return RunColumns(context, s, x, cell, args);
  }
  if (s.in_registers) {
    args.rhs_panel_stride = QGemm4PanelBytes(x.run);
    args.rhs = static_cast<const char*>(weight) + cell.n_begin / kQGemmPanel * args.rhs_panel_stride;
    args.n = cell.n_end - cell.n_begin;
    return RunColumns(context, s, x, cell, args);
  }
  void* unpacked = context.thread_scratch(thread);
  const size_t step = s.unpacked_panels * kQGemmPanel;
  for (size_t n = cell.n_begin; n < cell.n_end; n += step) {
    const GemmCell part = {cell.m_begin, cell.m_end, n, Least(cell.n_end, n + step)};
    FindDecode(context.isa())->int4_panels(weight, x.run, n / kQGemmPanel, CeilDiv(part.n_end, kQGemmPanel), unpacked);
    SetQGemmRhs(unpacked, x.run, {0, 0, 0, part.n_end - n}, &args);
    RunColumns(context, s, x, part, args);
  }
}

Status Run(OpContext& context) {
  const State& s = *context.state<State>();
  DynamicRows x = s.rows;
  x.memory = static_cast<char*>(context.shared_scratch());
  QuantizeRows(context, context.input(0)->As<float>(), s.per_row, x);
  context.ParallelFor(s.grid.cells(), 1, [&](size_t thread, size_t first, size_t last) {
    for (size_t i = first; i < last; ++i) RunCell(context, s, x, QGemmCell(s.grid, i), thread);
  });
  return Status::Ok();
}

}  // namespace

OpKernel Cpu_dynamic_fully_connected() {
  OpKernel kernel;
  kernel.prepare = Prepare;
  kernel.run = Run;
  return kernel;
}

}  // namespace tealight
