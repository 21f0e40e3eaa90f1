// SPDX-License-Identifier: Apache-2.0
// CPU fully_connected: the gemm over all leading dims of x as rows.
#include "backends/cpu/activation.h"
#include "backends/cpu/conv_window.h"
#include "backends/cpu/stored_weights.h"

namespace tealight {
namespace {

struct State {
  FusedActivation activation;
  const GemmKernels* gemm;
  GemmGrid grid;
  StoredWeights weights;
  size_t k;
  bool copy_rows;    // into scratch, kRowGap apart
  size_t row_bytes;  // of the copied rows in the thread's scratch, before the decoded weights
};

Status Prepare(OpContext& context) {
  State* s = new (context.state<State>()) State();
  RETURN_IF_ERROR(ReadActivation(context, context.attributes<schema::FullyConnected>().activation(), &s->activation));
  const Tensor* x = context.input(0);
  const Tensor* weight = context.input(1);
  const Tensor* bias = context.input(2);
  if (x == nullptr || weight == nullptr || x->dtype != DType::kFloat32 || !IsWeightDType(weight->dtype)) {
    return context.Error(TL_ERROR_WRONG_DTYPE, "operands of other types, expected float32 x and a weight");
  }
  if (x->shape.rank < 1 || weight->shape.rank != 2 || weight->layout != Layout::kGemmN16 ||
      weight->layout_groups != 1 || !weight->is_constant || weight->shape[1] != x->shape.back()) {
    return context.Error(TL_ERROR_WRONG_SHAPE, "weight does not fit x, expected a packed constant [n, %lld]",
                         static_cast<long long>(x->shape.back()));
  }
  if (bias != nullptr && (bias->dtype != DType::kFloat32 || bias->layout != Layout::kPlain || bias->shape.rank != 1 ||
                          bias->shape[0] != weight->shape[0])) {
    return context.Error(TL_ERROR_WRONG_SHAPE, "bias does not fit, expected float32 [%lld]",
                         static_cast<long long>(weight->shape[0]));
  }
  Shape shape = x->shape;
  shape[shape.rank - 1] = weight->shape[0];
  RETURN_IF_ERROR(CheckResidual(context, context.input(3), shape));
  RETURN_IF_ERROR(context.SetOutput(0, DType::kFloat32, shape));
  const int64_t block_size = context.attributes<schema::FullyConnected>().block_size();
  RETURN_IF_ERROR(ReadStoredWeights(context, 1, 4, 5, block_size, &s->weights));
  const size_t n = static_cast<size_t>(weight->shape[0]);
  s->gemm = FindGemm(context.isa(), n);
  s->k = static_cast<size_t>(weight->shape[1]);
  s->grid = PlanGemmGrid(static_cast<size_t>(shape.Product(0, shape.rank - 1)), n, s->k, s->gemm->max_rows,
                         context.num_threads());
  s->copy_rows = s->grid.m > 1 && RowsCollide(s->k, n);
  s->row_bytes = s->copy_rows ? kGemmMaxRows * (s->k + kRowGap) * sizeof(float) : 0;
  context.RequestScratch(0, s->row_bytes + DecodeScratchBytes(s->weights, s->grid));
  return Status::Ok();
}

// Points rows at m rows of x, or at copies of them in scratch.
void PointRows(const State& s, const float* x, size_t m, float* scratch, const float** rows) {
  for (size_t i = 0; i < m; ++i) {
    rows[i] = x + i * s.k;
    if (!s.copy_rows) continue;
    float* copy = scratch + i * (s.k + kRowGap);
    memcpy(copy, rows[i], s.k * sizeof(float));
    rows[i] = copy;
  }
}

void RunCell(const OpContext& context, const State& s, const GemmCell& cell, size_t thread) {
  const size_t n = s.grid.n;
  const ElementwiseKernels& elementwise = *FindElementwise(context.isa());
  const float* x = context.input(0)->As<float>();
  const Tensor* bias = context.input(2);
  const Tensor* residual = context.input(3);
  float* y = context.output(0)->As<float>();
  char* scratch = static_cast<char*>(context.thread_scratch(thread));
  GemmArgs common;
  common.run = s.k;
  common.dst_stride = common.residual_stride = n;
  common.lo = s.activation.lo;
  common.hi = s.activation.hi;
  float* decoded = reinterpret_cast<float*>(scratch + s.row_bytes);
  ForEachRhs(context.isa(), *s.gemm, s.weights, 0, cell, decoded, common,
             [&](const GemmCell& part, const GemmRhs& rhs, GemmArgs args) {
               args.bias = bias != nullptr ? bias->As<float>() + part.n_begin : nullptr;
               ForEachTile(part, rhs.max_rows(), [&](size_t begin, size_t end) {
                 const float* rows[kGemmMaxRows];
                 PointRows(s, x + begin * s.k, end - begin, reinterpret_cast<float*>(scratch), rows);
                 const size_t at = begin * n + part.n_begin;
                 args.dst = y + at;
                 args.residual = residual != nullptr ? residual->As<float>() + at : nullptr;
                 rhs.Multiply(rows, end - begin, args);
                 s.activation.Apply(elementwise, args.dst, n, end - begin, args.n);
               });
             });
}

Status Run(OpContext& context) {
  const State& s = *context.state<State>();
  context.ParallelFor(s.grid.cells(), 1, [&](size_t thread, size_t first, size_t last) {
    for (size_t i = first; i < last; ++i) RunCell(context, s, s.grid.Cell(i), thread);
  });
  return Status::Ok();
}

}  // namespace

OpKernel Cpu_fully_connected() {
  OpKernel kernel;
  kernel.prepare = Prepare;
  kernel.run = Run;
  return kernel;
}

}  // namespace tealight
