// SPDX-License-Identifier: Apache-2.0
// CPU q_matmul: the int8 gemm on two computed operands, requantized with one scale.
#include "backends/cpu/qmatmul.h"

namespace tealight {
namespace {

struct State {
  QMatmul product;
  Requantization output;
  int32_t a_zero_point, b_zero_point;
  float scale;
};

size_t ScaleFloats(const State& s) { return CeilDiv(s.product.shape.n, kQGemmPanel) * kQGemmPanel; }

Status Prepare(OpContext& context) {
  const schema::QMatmul& attributes = context.attributes<schema::QMatmul>();
  const Tensor* a = context.input(0);
  const Tensor* b = context.input(1);
  if (a == nullptr || b == nullptr || a->dtype != DType::kInt8 || b->dtype != DType::kInt8 ||
      a->layout != Layout::kPlain || b->layout != Layout::kPlain) {
    return context.Error(TL_ERROR_WRONG_DTYPE, "operands of other types, expected two int8 in plain layout");
  }
  State* s = new (context.state<State>()) State();
  s->a_zero_point = attributes.a_zero_point();
  s->b_zero_point = attributes.b_zero_point();
  s->scale = attributes.scale();
  RETURN_IF_ERROR(CheckFinite(context, "scale", s->scale));
  RETURN_IF_ERROR(ReadRequantization(context, attributes.output(), &s->output));
  RETURN_IF_ERROR(CheckInt8(context, "a_zero_point", s->a_zero_point));
  RETURN_IF_ERROR(CheckInt8(context, "b_zero_point", s->b_zero_point));
  Shape y;
  RETURN_IF_ERROR(ReadMatmulShape(context, a->shape, b->shape, attributes.transpose_a(), attributes.transpose_b(),
                                  &s->product.shape, &y));
  RETURN_IF_ERROR(context.SetOutput(0, DType::kInt8, y));
  PlanQMatmul(context, ScaleFloats(*s) * sizeof(float), &s->product);
  return Status::Ok();
}

// What -b_zero_point * (a - a_zero_point) adds to each sum of a row; wraps around.
int32_t RowOffset(const State& s, int32_t sum) {
  const uint32_t k = static_cast<uint32_t>(s.product.shape.k);
  const uint32_t centred = static_cast<uint32_t>(sum) - k * static_cast<uint32_t>(s.a_zero_point);
  return static_cast<int32_t>(0u - static_cast<uint32_t>(s.b_zero_point) * centred);
}

Status Run(OpContext& context) {
  const State& s = *context.state<State>();
  const QPackKernels& pack = *FindQPack(context.isa());
  int8_t* y = context.output(0)->As<int8_t>();
  float* scale = static_cast<float*>(context.shared_scratch());
  for (size_t i = 0; i < ScaleFloats(s); ++i) scale[i] = s.scale;
  const size_t rows = s.product.grid.m, n = s.product.grid.n;
  RunQMatmul(context, s.product, s.a_zero_point, [&](const QMatmulTile& tile, QGemmArgs* args) {
    int32_t offsets[kQGemmMaxRows];
    const size_t m = tile.end - tile.begin;
    if (s.b_zero_point != 0) {
      for (size_t i = 0; i < m; ++i) offsets[i] = RowOffset(s, pack.sum(tile.rows[i], s.product.shape.k));
      args->row_offsets = offsets;
    }
    args->scale = scale;
    args->requantization = s.output;
    args->dst = y + (tile.batch * rows + tile.begin) * n + tile.cell.n_begin;
    s.product.gemm->tile(tile.rows, m, *args);
  });
  return Status::Ok();
}

}  // namespace

OpKernel Cpu_q_matmul() {
  OpKernel kernel;
  kernel.prepare = Prepare;
  kernel.run = Run;
  return kernel;
}

}  // namespace tealight
