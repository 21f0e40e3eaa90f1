// SPDX-License-Identifier: Apache-2.0
// CPU rnn: LSTM, GRU and simple recurrent layers. The input's product with w is one gemm over all time steps; then
// every step adds the product of the last h with r and applies the gates. Directions run side by side. Stored weights
// are decoded first, all of them: every step reads r.
//
// One gate value: p = chain(w_bias; x w) ; q = chain(r_bias; h r) ; sum = q + p. Gate arithmetic is one rounding per
// written operation, in the order of the formulas in sdk/tealight/ops/rnn.py.
#include "backends/cpu/rnn_layer.h"
#include "backends/cpu/stored_weights.h"

namespace tealight {
namespace {

struct State {
  RnnLayer layer;
  GemmGrid grid;  // of x w, one direction
  StoredWeights w, r;
  size_t w_floats, r_floats;  // decoded, all directions; they come first in the scratch
};

Status CheckWeight(const OpContext& context, int i, const char* name, size_t k, const RnnLayer& layer) {
  RETURN_IF_ERROR(CheckRnnWeight(context, i, name, k, Layout::kGemmN16, layer));
  if (IsWeightDType(context.input(i)->dtype)) return Status::Ok();
  return context.Error(TL_ERROR_WRONG_DTYPE, "%s: %s, expected a dtype of weights", name,
                       DTypeName(context.input(i)->dtype));
}

Status Prepare(OpContext& context) {
  const auto& attributes = context.attributes<schema::Rnn>();
  State* s = new (context.state<State>()) State();
  RnnLayer* layer = &s->layer;
  RETURN_IF_ERROR(ReadRnnAttributes(context, attributes, layer));
  RETURN_IF_ERROR(PlanRnn(context, 3, layer));
  RETURN_IF_ERROR(CheckWeight(context, 1, "w", layer->i, *layer));
  RETURN_IF_ERROR(CheckWeight(context, 2, "r", layer->h, *layer));
  RETURN_IF_ERROR(ReadStoredWeights(context, 1, 8, 9, attributes.block_size(), &s->w));
  RETURN_IF_ERROR(ReadStoredWeights(context, 2, 10, 11, attributes.block_size(), &s->r));
  s->w_floats = DecodedFloats(s->w, layer->directions);
  s->r_floats = DecodedFloats(s->r, layer->directions);
  const size_t columns = layer->columns();
  s->grid = PlanGemmGrid(layer->t * layer->b, columns, layer->i, FindGemm(context.isa(), columns)->max_rows,
                         context.num_threads());
  const size_t floats = layer->directions * layer->direction_floats() + s->w_floats + s->r_floats;
  context.RequestScratch(floats * sizeof(float), 0);
  return Status::Ok();
}

// dst [m, g h] = lhs [m, k] (the rows of the cell) times the packed weight of a direction, plus bias and residual.
void Product(const OpContext& context, const float* lhs, size_t k, const float* weight, const GemmCell& cell,
             size_t columns, const float* bias, const float* residual, float* dst) {
  const GemmKernels& gemm = *FindGemm(context.isa(), columns);
  GemmArgs args;
  SetPackedRhs(weight, k, cell, &args);
  args.run = k;
  args.bias = bias != nullptr ? bias + cell.n_begin : nullptr;
  args.dst_stride = args.residual_stride = columns;
  args.lo = -__builtin_inff();
  args.hi = __builtin_inff();
  ForEachTile(cell, gemm.max_rows, [&](size_t begin, size_t end) {
    const float* rows[kGemmMaxRows];
    for (size_t r = begin; r < end; ++r) rows[r - begin] = lhs + r * k;
    args.dst = dst + begin * columns + cell.n_begin;
    args.residual = residual != nullptr ? residual + begin * columns + cell.n_begin : nullptr;
    gemm.tile(rows, end - begin, args);
  });
}

// The weights of one direction, and where its memory is.
class Products {
 public:
  Products(const OpContext& context, const State& s, size_t index) : context_(context), s_(s) {
    const RnnLayer& layer = s.layer;
    const size_t rows = CeilDiv(layer.columns(), kGemmPanel) * kGemmPanel;
    float* scratch = static_cast<float*>(context.shared_scratch());
    w_ = Weights(s.w, scratch) + index * rows * layer.i;
    r_ = Weights(s.r, scratch + s.w_floats) + index * rows * layer.h;
    memory_ = scratch + s.w_floats + s.r_floats + index * layer.direction_floats();
    const Tensor* bias = context.input(3);
    bias_ = bias != nullptr ? bias->As<float>() + index * 2 * layer.columns() : nullptr;
  }

  float* memory() const { return memory_; }

  /// A cell of the product of all inputs with w.
  void Input(const GemmCell& cell) const {
    const RnnLayer& layer = s_.layer;
    Product(context_, context_.input(0)->As<float>(), layer.i, w_, cell, layer.columns(), bias_, nullptr, memory_);
  }
  void State(const float* h, float* sums) const {
    const RnnLayer& layer = s_.layer;
    Product(context_, h, layer.h, r_, {0, layer.b, 0, layer.columns()}, layer.columns(), RecurrentBias(), sums, sums);
  }
  // For any columns: those before a panel's start are left out of the panel.
  void Row(const float* lhs, size_t begin, size_t end, const float* residual, float* dst) const {
    const GemmKernels& gemm = *FindGemm(context_.isa(), end - begin);
    const size_t n = s_.layer.h, columns = s_.layer.columns();
    const float* bias = RecurrentBias();
    size_t column = begin;
    while (column < end) {
      const size_t skip = column % kGemmPanel, panel = column / kGemmPanel;
      const size_t whole = skip == 0 ? end - column : Least(kGemmPanel - skip, end - column);
      GemmArgs args;
      args.run = n;
      args.rhs = r_ + panel * kGemmPanel * n + skip;
      args.rhs_k_stride = kGemmPanel;
      args.rhs_panel_stride = kGemmPanel * n;
      args.rhs_padded = skip == 0;
      args.n = whole;
      args.bias = bias != nullptr ? bias + column : nullptr;
      args.residual = residual != nullptr ? residual + (column - begin) : nullptr;
      args.residual_stride = args.dst_stride = columns;
      args.dst = dst + (column - begin);
      args.lo = -__builtin_inff();
      args.hi = __builtin_inff();
      gemm.tile(&lhs, 1, args);
      column += whole;
    }
  }

 private:
  static const float* Weights(const StoredWeights& stored, const float* decoded) {
    return stored.is_float32() ? reinterpret_cast<const float*>(stored.panels.data) : decoded;
  }
  const float* RecurrentBias() const { return bias_ != nullptr ? bias_ + s_.layer.columns() : nullptr; }

  const OpContext& context_;
  const struct State& s_;
  const float *w_, *r_, *bias_;
  float* memory_;
};

Status Run(OpContext& context) {
  const State& s = *context.state<State>();
  const size_t directions = s.layer.directions;
  ClearRnnResult(context, s.layer);
  float* scratch = static_cast<float*>(context.shared_scratch());
  if (!s.w.is_float32()) DecodeAll(context, s.w, directions, scratch);
  if (!s.r.is_float32()) DecodeAll(context, s.r, directions, scratch + s.w_floats);
  const size_t cells = s.grid.cells();
  context.ParallelFor(cells * directions, 1, [&](size_t, size_t begin, size_t end) {
    for (size_t i = begin; i < end; ++i) Products(context, s, i / cells).Input(s.grid.Cell(i % cells));
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

OpKernel Cpu_rnn() {
  OpKernel kernel;
  kernel.prepare = Prepare;
  kernel.run = Run;
  return kernel;
}

}  // namespace tealight
