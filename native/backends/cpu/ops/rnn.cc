// SPDX-License-Identifier: Apache-2.0
// CPU rnn: LSTM, GRU and simple recurrent layers. The input's product with w is one gemm over all time steps; then
// every step adds the product of the last h with r and applies the gates. Directions run side by side. Stored weights
// are decoded first, all of them: every step reads r.
//
// One gate value: p = chain(w_bias; x w) ; q = chain(r_bias; h r) ; sum = q + p. Gate arithmetic is one rounding per
// written operation, in the order of the formulas in sdk/tealight/ops/rnn.py.
#include <string.h>

#include "backends/cpu/activation.h"
#include "backends/cpu/stored_weights.h"

namespace tealight {
namespace {

constexpr size_t kMaxFunctions = 6;

struct Function {
  UnaryOp kind;
  float alpha, beta;
};

struct State {
  schema::RnnKind kind;
  bool reverse;  // the first direction runs backwards
  bool linear_before_reset, input_forget;
  float clip;
  size_t directions, gates, per_direction;  // per_direction: activation functions
  size_t t, b, i, h;
  Function functions[kMaxFunctions];
  GemmGrid grid;                     // of x w, one direction
  size_t input_floats, step_floats;  // of one direction: [t, b, g h] and the buffers of a step
  StoredWeights w, r;
  size_t w_floats, r_floats;  // decoded, all directions; they come first in the scratch

  /// The packed float32 of w or r.
  const float* W(const OpContext& context) const { return Weights(context, w, 0); }
  const float* R(const OpContext& context) const { return Weights(context, r, w_floats); }

 private:
  static const float* Weights(const OpContext& context, const StoredWeights& stored, size_t at) {
    if (stored.is_float32()) return reinterpret_cast<const float*>(stored.panels.data);
    return static_cast<const float*>(context.shared_scratch()) + at;
  }
};

size_t Gates(schema::RnnKind kind) { return kind == schema::RnnKind::lstm ? 4 : kind == schema::RnnKind::gru ? 3 : 1; }

Status CheckFloat(const OpContext& context, int i, const char* name, const Shape& wanted) {
  const Tensor* x = context.input(i);
  if (x == nullptr || (x->dtype == DType::kFloat32 && x->shape == wanted)) return Status::Ok();
  return context.Error(TL_ERROR_WRONG_SHAPE, "%s: does not fit, expected float32 of rank %d fitting x and hidden_size",
                       name, wanted.rank);
}

Status CheckWeight(const OpContext& context, int i, const char* name, const Shape& wanted, const State& s) {
  if (context.input(i) == nullptr || !IsWeightDType(context.input(i)->dtype) || context.input(i)->shape != wanted) {
    return context.Error(TL_ERROR_WRONG_SHAPE, "%s: does not fit, expected a weight fitting x and hidden_size", name);
  }
  const Tensor& weight = *context.input(i);
  if (weight.layout != Layout::kGemmN16 || weight.layout_groups != s.directions || !weight.is_constant) {
    return context.Error(TL_ERROR_WRONG_SHAPE, "%s: layout %d in %u groups, expected a constant packed per direction",
                         name, static_cast<int>(weight.layout), weight.layout_groups);
  }
  return Status::Ok();
}

Shape MakeShape(int rank, size_t a, size_t b = 0, size_t c = 0, size_t d = 0) {
  Shape shape;
  const size_t dims[] = {a, b, c, d};
  for (int i = 0; i < rank; ++i) shape.Append(static_cast<int64_t>(dims[i]));
  return shape;
}

Status ReadAttributes(const OpContext& context, State* s) {
  const auto& attributes = context.attributes<schema::Rnn>();
  s->kind = attributes.kind();
  s->gates = Gates(s->kind);
  s->per_direction = s->kind == schema::RnnKind::lstm ? 3 : s->kind == schema::RnnKind::gru ? 2 : 1;
  s->directions = attributes.direction() == schema::RnnDirection::bidirectional ? 2 : 1;
  s->reverse = attributes.direction() == schema::RnnDirection::reverse;
  s->linear_before_reset = attributes.linear_before_reset();
  s->input_forget = attributes.input_forget();
  s->clip = attributes.clip();
  if (s->kind > schema::RnnKind::MAX || attributes.direction() > schema::RnnDirection::MAX ||
      attributes.hidden_size() < 1 || attributes.hidden_size() > 1 << 24 || !(s->clip >= 0)) {
    return context.Error(TL_ERROR_INVALID_BUNDLE, "kind %d, hidden_size %d, expected a known kind and a size above 0",
                         static_cast<int>(s->kind), attributes.hidden_size());
  }
  s->h = static_cast<size_t>(attributes.hidden_size());
  const auto* list = attributes.activations();
  const size_t count = s->directions * s->per_direction;
  if (list == nullptr || list->size() != count) {
    return context.Error(TL_ERROR_INVALID_BUNDLE, "activations: %u, expected %u", list == nullptr ? 0u : list->size(),
                         static_cast<unsigned>(count));
  }
  for (unsigned j = 0; j < list->size(); ++j) {
    const schema::Activation* a = list->Get(j);
    if (a == nullptr || !IsFloatUnary(static_cast<UnaryOp>(a->kind()))) {
      return context.Error(TL_ERROR_INVALID_BUNDLE, "activation %u: unknown, expected a float32 function", j);
    }
    s->functions[j] = {static_cast<UnaryOp>(a->kind()), a->alpha(), a->beta()};
  }
  return Status::Ok();
}

Status CheckOperands(const OpContext& context, const State& s) {
  const size_t d = s.directions, rows = d * s.gates * s.h;
  RETURN_IF_ERROR(CheckWeight(context, 1, "w", MakeShape(2, rows, s.i), s));
  RETURN_IF_ERROR(CheckWeight(context, 2, "r", MakeShape(2, rows, s.h), s));
  RETURN_IF_ERROR(CheckFloat(context, 3, "bias", MakeShape(1, 2 * rows)));
  RETURN_IF_ERROR(CheckFloat(context, 5, "initial_h", MakeShape(3, d, s.b, s.h)));
  RETURN_IF_ERROR(CheckFloat(context, 6, "initial_c", MakeShape(3, d, s.b, s.h)));
  RETURN_IF_ERROR(CheckFloat(context, 7, "peepholes", MakeShape(1, d * 3 * s.h)));
  const Tensor* lens = context.input(4);
  if (lens != nullptr && (lens->dtype != DType::kInt32 || lens->shape != MakeShape(1, s.b))) {
    return context.Error(TL_ERROR_WRONG_SHAPE, "sequence_lens: does not fit, expected int32 [%lld]",
                         static_cast<long long>(s.b));
  }
  return Status::Ok();
}

Status Prepare(OpContext& context) {
  State* s = new (context.state<State>()) State();
  RETURN_IF_ERROR(ReadAttributes(context, s));
  const Tensor* x = context.input(0);
  if (x == nullptr || x->dtype != DType::kFloat32 || x->shape.rank != 3) {
    return context.Error(TL_ERROR_WRONG_SHAPE, "x: another type or rank, expected float32 [t, b, i]");
  }
  s->t = static_cast<size_t>(x->shape[0]);
  s->b = static_cast<size_t>(x->shape[1]);
  s->i = static_cast<size_t>(x->shape[2]);
  RETURN_IF_ERROR(CheckOperands(context, *s));
  const int64_t block_size = context.attributes<schema::Rnn>().block_size();
  RETURN_IF_ERROR(ReadStoredWeights(context, 1, 8, 9, block_size, &s->w));
  RETURN_IF_ERROR(ReadStoredWeights(context, 2, 10, 11, block_size, &s->r));
  s->w_floats = DecodedFloats(s->w, s->directions);
  s->r_floats = DecodedFloats(s->r, s->directions);
  const Shape state = MakeShape(3, s->directions, s->b, s->h);
  RETURN_IF_ERROR(context.SetOutput(0, DType::kFloat32, MakeShape(4, s->t, s->directions, s->b, s->h)));
  RETURN_IF_ERROR(context.SetOutput(1, DType::kFloat32, state));
  if (s->kind == schema::RnnKind::lstm) RETURN_IF_ERROR(context.SetOutput(2, DType::kFloat32, state));
  const size_t columns = s->gates * s->h;
  size_t total;
  // A step has sums [b, g h], h, c and two temporaries [b, h] (the GRU's recurrent part among the sums).
  size_t rows;
  if (__builtin_mul_overflow(s->t, s->b, &rows) || __builtin_mul_overflow(s->b, columns + 4 * s->h, &s->step_floats) ||
      __builtin_mul_overflow(rows, columns, &s->input_floats) ||
      __builtin_add_overflow(s->step_floats, s->input_floats, &total) ||
      __builtin_mul_overflow(total, s->directions, &total) ||
      __builtin_add_overflow(total, s->w_floats + s->r_floats, &total) ||
      __builtin_mul_overflow(total, sizeof(float), &total)) {
    return context.Error(TL_ERROR_OUT_OF_MEMORY, "working memory over the address space, expected a smaller x");
  }
  s->grid = PlanGemmGrid(rows, columns, s->i, FindGemm(context.isa(), columns)->max_rows, context.num_threads());
  context.RequestScratch(total, 0);
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

// One direction at work.
class Direction {
 public:
  Direction(const OpContext& context, const State& s, size_t index)
      : context_(context), s_(s), index_(index), kernels_(*FindElementwise(context.isa())) {
    const size_t columns = s.gates * s.h, panels = CeilDiv(columns, kGemmPanel);
    w_ = s.W(context) + index * panels * kGemmPanel * s.i;
    r_ = s.R(context) + index * panels * kGemmPanel * s.h;
    const Tensor* bias = context.input(3);
    bias_ = bias != nullptr ? bias->As<float>() + index * 2 * columns : nullptr;
    const Tensor* peepholes = context.input(7);
    peepholes_ = peepholes != nullptr ? peepholes->As<float>() + index * 3 * s.h : nullptr;
    input_ = static_cast<float*>(context.shared_scratch()) + s.w_floats + s.r_floats +
             index * (s.input_floats + s.step_floats);
    sums_ = input_ + s.input_floats;
    h_ = sums_ + s.b * columns;
    c_ = h_ + s.b * s.h;
    temporary_ = c_ + s.b * s.h;
  }

  /// A cell of the product of all inputs with w.
  void MultiplyInput(const GemmCell& cell) {
    const float* x = context_.input(0)->As<float>();
    Product(context_, x, s_.i, w_, cell, s_.gates * s_.h, bias_, nullptr, input_);
  }

  /// All steps.
  void Run() {
    LoadState(context_.input(5), h_);
    LoadState(context_.input(6), c_);
    const bool backward = s_.reverse || index_ == 1;
    for (size_t step = 0; step < s_.t && !context_.ShouldStop(); ++step) {
      const size_t columns = s_.gates * s_.h;
      for (size_t b = 0; b < s_.b; ++b) {
        const size_t at = backward ? End(b) - 1 - step : step;
        if (step < End(b)) memcpy(sums_ + b * columns, input_ + (at * s_.b + b) * columns, columns * sizeof(float));
      }
      MultiplyState();
      for (size_t b = 0; b < s_.b; ++b) {
        if (step < End(b)) FinishStep(b, backward ? End(b) - 1 - step : step);
      }
    }
    StoreState(context_.output(1), h_);
    StoreState(context_.output(2), c_);
  }

 private:
  size_t End(size_t b) const {
    const Tensor* lens = context_.input(4);
    if (lens == nullptr) return s_.t;
    const int32_t end = lens->As<int32_t>()[b];
    return end < 0 ? 0 : Least(static_cast<size_t>(end), s_.t);
  }
  void LoadState(const Tensor* source, float* state) {
    const size_t n = s_.b * s_.h;
    if (n == 0) return;
    if (source == nullptr) {
      memset(state, 0, n * sizeof(float));
    } else {
      memcpy(state, source->As<float>() + index_ * n, n * sizeof(float));
    }
  }
  void StoreState(Tensor* target, const float* state) {
    const size_t n = s_.b * s_.h;
    if (target != nullptr && n > 0) memcpy(target->As<float>() + index_ * n, state, n * sizeof(float));
  }
  void Apply(size_t function, size_t n, float* x, bool clipped = true) {
    const Function& f = s_.functions[index_ * s_.per_direction + function];
    if (clipped && s_.clip > 0) kernels_.unary(UnaryOp::kClip, -s_.clip, s_.clip, n, x, x);
    kernels_.unary(f.kind, f.alpha, f.beta, n, x, x);
  }
  void Binary(BinaryOp op, size_t n, const float* a, const float* b, float* y) {
    kernels_.binary(op, 1, n, {a, 0, 1}, {b, 0, 1}, y);
  }
  // Adds the recurrent part to the sums of all rows; a GRU's waits for its reset gate.
  void MultiplyState() {
    const size_t columns = s_.gates * s_.h;
    if (s_.kind != schema::RnnKind::gru) {
      const float* bias = bias_ != nullptr ? bias_ + columns : nullptr;
      Product(context_, h_, s_.h, r_, {0, s_.b, 0, columns}, columns, bias, sums_, sums_);
    }
  }

  void FinishStep(size_t b, size_t at) {
    float* sums = sums_ + b * s_.gates * s_.h;
    float* h = h_ + b * s_.h;
    switch (s_.kind) {
      case schema::RnnKind::lstm:
        Lstm(sums, h, c_ + b * s_.h);
        break;
      case schema::RnnKind::gru:
        Gru(b, sums, h);
        break;
      default:
        Apply(0, s_.h, sums);
        memcpy(h, sums, s_.h * sizeof(float));
    }
    Tensor* y = context_.output(0);
    if (y == nullptr) return;
    memcpy(y->As<float>() + ((at * s_.directions + index_) * s_.b + b) * s_.h, h, s_.h * sizeof(float));
  }

  void AddPeephole(size_t which, const float* c, float* gate) {
    if (peepholes_ == nullptr) return;
    Binary(BinaryOp::kMul, s_.h, peepholes_ + which * s_.h, c, temporary_);
    Binary(BinaryOp::kAdd, s_.h, gate, temporary_, gate);
  }

  void Lstm(float* sums, float* h, float* c) {
    const size_t n = s_.h;
    float *i = sums, *o = sums + n, *f = sums + 2 * n, *g = sums + 3 * n;
    AddPeephole(0, c, i);
    Apply(0, n, i);
    if (s_.input_forget) {
      const float one = 1.0f;
      kernels_.binary(BinaryOp::kSub, 1, n, {&one, 0, 0}, {i, 0, 1}, f);
    } else {
      AddPeephole(2, c, f);
      Apply(0, n, f);
    }
    Apply(1, n, g);
    Binary(BinaryOp::kMul, n, f, c, f);
    Binary(BinaryOp::kMul, n, i, g, i);
    Binary(BinaryOp::kAdd, n, f, i, c);
    AddPeephole(1, c, o);
    Apply(0, n, o);
    memcpy(g, c, n * sizeof(float));
    Apply(2, n, g, false);
    Binary(BinaryOp::kMul, n, o, g, h);
  }

  // sums holds the input's part; the recurrent part is computed here, row by row.
  void Gru(size_t b, float* sums, float* h) {
    const size_t n = s_.h;
    float* recurrent = temporary_ + b * 2 * n;  // [2, h]: a row's part of the temporaries
    RecurrentRow(h, 0, 2 * n, sums, sums);
    float *z = sums, *r = sums + n, *g = sums + 2 * n;
    Apply(0, 2 * n, sums);
    if (s_.linear_before_reset) {
      RecurrentRow(h, 2 * n, 3 * n, nullptr, recurrent);
      Binary(BinaryOp::kMul, n, r, recurrent, recurrent);
      Binary(BinaryOp::kAdd, n, recurrent, g, g);
    } else {
      Binary(BinaryOp::kMul, n, r, h, recurrent);
      RecurrentRow(recurrent, 2 * n, 3 * n, g, g);
    }
    Apply(1, n, g);
    const float one = 1.0f;
    kernels_.binary(BinaryOp::kSub, 1, n, {&one, 0, 0}, {z, 0, 1}, r);
    Binary(BinaryOp::kMul, n, r, g, r);
    Binary(BinaryOp::kMul, n, z, h, z);
    Binary(BinaryOp::kAdd, n, r, z, h);
  }

  // dst [end - begin] = chain(r_bias; lhs r) + residual, for any columns: those before a panel's start are computed
  // into the same panel's buffer and left out.
  void RecurrentRow(const float* lhs, size_t begin, size_t end, const float* residual, float* dst) {
    const GemmKernels& gemm = *FindGemm(context_.isa(), end - begin);
    const size_t n = s_.h, columns = s_.gates * n;
    const float* bias = bias_ != nullptr ? bias_ + columns : nullptr;
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

  const OpContext& context_;
  const State& s_;
  const size_t index_;
  const ElementwiseKernels& kernels_;
  const float *w_, *r_, *bias_, *peepholes_;
  float *input_, *sums_, *h_, *c_, *temporary_;
};

Status Run(OpContext& context) {
  const State& s = *context.state<State>();
  Tensor* y = context.output(0);
  if (y != nullptr && context.input(4) != nullptr && y->Bytes() != 0) memset(y->data, 0, y->Bytes());
  float* scratch = static_cast<float*>(context.shared_scratch());
  if (!s.w.is_float32()) DecodeAll(context, s.w, s.directions, scratch);
  if (!s.r.is_float32()) DecodeAll(context, s.r, s.directions, scratch + s.w_floats);
  const size_t cells = s.grid.cells();
  context.ParallelFor(cells * s.directions, 1, [&](size_t, size_t begin, size_t end) {
    for (size_t i = begin; i < end; ++i) Direction(context, s, i / cells).MultiplyInput(s.grid.Cell(i % cells));
  });
  context.ParallelFor(s.directions, 1, [&](size_t, size_t begin, size_t end) {
    for (size_t i = begin; i < end; ++i) Direction(context, s, i).Run();
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
