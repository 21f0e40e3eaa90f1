// SPDX-License-Identifier: Apache-2.0
// CPU dynamic_rnn: rnn with int8 weights. All inputs, and before each step the states, become int8 row by row; the int8
// gemm gives the float32 sums of the gates: p = fma(float(x w), x_scale * w_scale, w_bias), q = fma(float(h r),
// h_scale * r_scale, r_bias), sum = q + p. The rest is as in rnn.
#include "backends/cpu/dynamic_rows.h"
#include "backends/cpu/rnn_layer.h"

namespace tealight {
namespace {

struct State {
  RnnLayer layer;
  const QGemmKernels* gemm;
  GemmGrid grid;            // of x w, one direction
  DynamicRows x, h;         // h: of one direction
  size_t direction_bytes;   // of one direction: the quantized rows of h, [b, g h] of products, the layer's floats
  size_t recurrent_floats;  // [b, g h]
};

Status CheckWeight(const OpContext& context, int i, const char* name, const char* scale_name, size_t k,
                   const RnnLayer& layer) {
  RETURN_IF_ERROR(CheckRnnWeight(context, i, name, k, Layout::kGemmN32K4, layer));
  if (context.input(i)->dtype != DType::kInt8) {
    return context.Error(TL_ERROR_WRONG_DTYPE, "%s: %s, expected int8", name, DTypeName(context.input(i)->dtype));
  }
  return CheckChannels(context, scale_name, context.input(i + 2), DType::kFloat32, context.input(i)->shape[0],
                       static_cast<int64_t>(layer.directions));
}

Status Prepare(OpContext& context) {
  State* s = new (context.state<State>()) State();
  RnnLayer* layer = &s->layer;
  RETURN_IF_ERROR(ReadRnnAttributes(context, context.attributes<schema::DynamicRnn>(), layer));
  RETURN_IF_ERROR(PlanRnn(context, 5, layer));
  RETURN_IF_ERROR(CheckWeight(context, 1, "w", "w_scale", layer->i, *layer));
  RETURN_IF_ERROR(CheckWeight(context, 2, "r", "r_scale", layer->h, *layer));
  const size_t columns = layer->columns(), rows = layer->t * layer->b;
  s->gemm = FindQGemm(context.isa(), columns);
  s->x = DynamicRows::Plan(rows, layer->i, columns, 4);
  s->h = DynamicRows::Plan(layer->b, layer->h, columns, 4);
  s->grid = PlanQGemmGrid(rows, columns, s->x.run, s->gemm->max_rows, context.num_threads());
  s->recurrent_floats = Most(layer->b, 1) * columns;
  s->direction_bytes = s->h.Bytes() + (s->recurrent_floats + layer->direction_floats()) * sizeof(float);
  context.RequestScratch(s->x.Bytes() + layer->directions * s->direction_bytes, 0);
  return Status::Ok();
}

// The weights of one direction, and where its memory is.
class Products {
 public:
  Products(const OpContext& context, const State& s, size_t index) : context_(context), s_(s), x_(s.x), h_(s.h) {
    const RnnLayer& layer = s.layer;
    const size_t panels = CeilDiv(layer.columns(), kQGemmPanel);
    w_ = context.input(1)->As<char>() + index * panels * QGemmPanelBytes(s.x.run);
    r_ = context.input(2)->As<char>() + index * panels * QGemmPanelBytes(s.h.run);
    w_scale_ = context.input(3)->As<float>() + index * panels * kQGemmPanel;
    r_scale_ = context.input(4)->As<float>() + index * panels * kQGemmPanel;
    const Tensor* bias = context.input(5);
    bias_ = bias != nullptr ? bias->As<float>() + index * 2 * layer.columns() : nullptr;
    x_.memory = static_cast<char*>(context.shared_scratch());
    h_.memory = x_.memory + s.x.Bytes() + index * s.direction_bytes;
    recurrent_ = reinterpret_cast<float*>(h_.memory + s.h.Bytes());
    memory_ = recurrent_ + s.recurrent_floats;
  }

  float* memory() const { return memory_; }

  /// A cell of the product of all inputs with w.
  void Input(const GemmCell& cell) const { Multiply(x_, w_, w_scale_, bias_, cell, memory_); }

  void State(const float* h, float* sums) const {
    const RnnLayer& layer = s_.layer;
    const QElementwiseKernels& kernels = *FindQElementwise(context_.isa());
    for (size_t b = 0; b < layer.b; ++b) QuantizeState(kernels, b, h + b * layer.h);
    Multiply(h_, r_, r_scale_, RecurrentBias(), {0, layer.b, 0, layer.columns()}, recurrent_);
    const size_t n = layer.b * layer.columns();
    FindElementwise(context_.isa())->binary(BinaryOp::kAdd, 1, n, {recurrent_, 0, 1}, {sums, 0, 1}, sums);
  }

  // For any columns: those before a panel's start are computed too.
  void Row(const float* lhs, size_t begin, size_t end, const float* residual, float* dst) const {
    QuantizeState(*FindQElementwise(context_.isa()), 0, lhs);
    Multiply(h_, r_, r_scale_, RecurrentBias(), {0, 1, begin / kQGemmPanel * kQGemmPanel, end}, recurrent_);
    for (size_t j = begin; j < end; ++j) {
      dst[j - begin] = residual != nullptr ? recurrent_[j] + residual[j - begin] : recurrent_[j];
    }
  }

 private:
  const float* RecurrentBias() const { return bias_ != nullptr ? bias_ + s_.layer.columns() : nullptr; }

  void QuantizeState(const QElementwiseKernels& kernels, size_t row, const float* h) const {
    if (h_.run != h_.k) memset(h_.Row(row) + h_.k, 0, h_.run - h_.k);
    h_.Quantize(kernels, row, h);
  }

  // dst [m, g h], the cell of rows times packed + bias.
  void Multiply(const DynamicRows& rows, const char* packed, const float* scale, const float* bias,
                const GemmCell& cell, float* dst) const {
    const size_t columns = s_.layer.columns();
    QGemmArgs args;
    SetQGemmRhs(packed, rows.run, cell, &args);
    args.run = rows.run;
    args.output = QGemmOutput::kFloat32;
    args.scale = scale + cell.n_begin;
    args.float_bias = bias != nullptr ? bias + cell.n_begin : nullptr;
    args.dst_stride = columns;
    ForEachTile(cell, s_.gemm->max_rows, [&](size_t begin, size_t end) {
      const int8_t* pointers[kQGemmMaxRows];
      rows.Point(begin, end, pointers, &args);
      args.dst = dst + begin * columns + cell.n_begin;
      s_.gemm->tile(pointers, end - begin, args);
    });
  }

  const OpContext& context_;
  const struct State& s_;
  DynamicRows x_, h_;
  const char *w_, *r_;
  const float *w_scale_, *r_scale_, *bias_;
  float *recurrent_, *memory_;
};

Status Run(OpContext& context) {
  const State& s = *context.state<State>();
  ClearRnnResult(context, s.layer);
  DynamicRows x = s.x;
  x.memory = static_cast<char*>(context.shared_scratch());
  QuantizeRows(context, context.input(0)->As<float>(), true, x);
  const size_t cells = s.grid.cells(), directions = s.layer.directions;
  context.ParallelFor(cells * directions, 1, [&](size_t, size_t begin, size_t end) {
    for (size_t i = begin; i < end; ++i) Products(context, s, i / cells).Input(QGemmCell(s.grid, i % cells));
  });
  context.ParallelFor(directions, 1, [&](size_t, size_t begin, size_t end) {
    for (size_t i = begin; i < end; ++i) {
      const Products products(context, s, i);
      RnnDirection<Products>(context, s.layer, i, products.memory(), products).Run();
    }
  });
  return Status::Ok();
}

}  // namespace

OpKernel Cpu_dynamic_rnn() {
  OpKernel kernel;
  kernel.prepare = Prepare;
  kernel.run = Run;
  return kernel;
}

}  // namespace tealight
