// SPDX-License-Identifier: Apache-2.0
// What rnn and dynamic_rnn share: the attributes and operands of a recurrent layer, and the steps of one direction over
// the products that the op brings.
#ifndef TEALIGHT_BACKENDS_CPU_RNN_LAYER_H_
#define TEALIGHT_BACKENDS_CPU_RNN_LAYER_H_

#include <string.h>

#include "backends/cpu/activation.h"
#include "backends/cpu/gemm_grid.h"

namespace tealight {

struct RnnLayer {
  static constexpr size_t kMaxFunctions = 6;
  struct Function {
    UnaryOp kind;
    float alpha, beta;
  };

  schema::RnnKind kind;
  bool reverse;  // the first direction runs backwards
  bool linear_before_reset, input_forget;
  float clip, cell_clip;
  size_t directions, gates, per_direction;  // per_direction: activation functions
  size_t t, b, i, h;
  Function functions[kMaxFunctions];
  int bias;  // operand: bias, then sequence_lens, initial_h, initial_c, peepholes
  // Of one direction: the input's products [t, b, g h], and the buffers of a step: sums [b, g h], h, c and two
  // temporaries [b, h] (the GRU's recurrent part among the sums).
  size_t input_floats, step_floats;

  size_t columns() const { return gates * h; }
  size_t direction_floats() const { return input_floats + step_floats; }
};

inline size_t RnnGates(schema::RnnKind kind) {
  return kind == schema::RnnKind::lstm ? 4 : kind == schema::RnnKind::gru ? 3 : 1;
}

inline Shape RnnShape(int rank, size_t a, size_t b = 0, size_t c = 0, size_t d = 0) {
  Shape shape;
  const size_t dims[] = {a, b, c, d};
  for (int i = 0; i < rank; ++i) shape.Append(static_cast<int64_t>(dims[i]));
  return shape;
}

/// Reads the attribute table of rnn or dynamic_rnn.
template <typename T>
inline Status ReadRnnAttributes(const OpContext& context, const T& attributes, RnnLayer* s) {
  s->kind = attributes.kind();
  s->gates = RnnGates(s->kind);
  s->per_direction = s->kind == schema::RnnKind::lstm ? 3 : s->kind == schema::RnnKind::gru ? 2 : 1;
  s->directions = attributes.direction() == schema::RnnDirection::bidirectional ? 2 : 1;
  s->reverse = attributes.direction() == schema::RnnDirection::reverse;
  s->linear_before_reset = attributes.linear_before_reset();
  s->input_forget = attributes.input_forget();
  s->clip = attributes.clip();
  s->cell_clip = attributes.cell_clip();
  if (s->kind > schema::RnnKind::MAX || attributes.direction() > schema::RnnDirection::MAX ||
      attributes.hidden_size() < 1 || attributes.hidden_size() > 1 << 24 || !(s->clip >= 0) || !(s->cell_clip >= 0)) {
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

inline Status CheckRnnFloat(const OpContext& context, int i, const char* name, const Shape& wanted) {
  const Tensor* x = context.input(i);
  if (x == nullptr || (x->dtype == DType::kFloat32 && x->shape == wanted)) return Status::Ok();
  return context.Error(TL_ERROR_WRONG_SHAPE, "%s: does not fit, expected float32 of rank %d fitting x and hidden_size",
                       name, wanted.rank);
}

/// Checks a weight [d g h, k], but for its dtype.
inline Status CheckRnnWeight(const OpContext& context, int i, const char* name, size_t k, Layout layout,
                             const RnnLayer& s) {
  const Tensor* weight = context.input(i);
  if (weight == nullptr || weight->shape != RnnShape(2, s.directions * s.columns(), k)) {
    return context.Error(TL_ERROR_WRONG_SHAPE, "%s: does not fit, expected a weight fitting x and hidden_size", name);
  }
  if (weight->layout != layout || weight->layout_groups != s.directions || !weight->is_constant) {
    return context.Error(TL_ERROR_WRONG_SHAPE, "%s: layout %d in %u groups, expected a constant packed per direction",
                         name, static_cast<int>(weight->layout), weight->layout_groups);
  }
  return Status::Ok();
}

/// Reads x, checks what both ops have but the weights, and declares the results. bias: its operand.
inline Status PlanRnn(OpContext& context, int bias, RnnLayer* s) {
  const Tensor* x = context.input(0);
  if (x == nullptr || x->dtype != DType::kFloat32 || x->shape.rank != 3) {
    return context.Error(TL_ERROR_WRONG_SHAPE, "x: another type or rank, expected float32 [t, b, i]");
  }
  s->t = static_cast<size_t>(x->shape[0]);
  s->b = static_cast<size_t>(x->shape[1]);
  s->i = static_cast<size_t>(x->shape[2]);
  s->bias = bias;
  const size_t d = s->directions;
  const Shape state = RnnShape(3, d, s->b, s->h);
  RETURN_IF_ERROR(CheckRnnFloat(context, bias, "bias", RnnShape(1, 2 * d * s->columns())));
  RETURN_IF_ERROR(CheckRnnFloat(context, bias + 2, "initial_h", state));
  RETURN_IF_ERROR(CheckRnnFloat(context, bias + 3, "initial_c", state));
  RETURN_IF_ERROR(CheckRnnFloat(context, bias + 4, "peepholes", RnnShape(1, d * 3 * s->h)));
  const Tensor* lens = context.input(bias + 1);
  if (lens != nullptr && (lens->dtype != DType::kInt32 || lens->shape != RnnShape(1, s->b))) {
    return context.Error(TL_ERROR_WRONG_SHAPE, "sequence_lens: does not fit, expected int32 [%lld]",
                         static_cast<long long>(s->b));
  }
  RETURN_IF_ERROR(context.SetOutput(0, DType::kFloat32, RnnShape(4, s->t, d, s->b, s->h)));
  RETURN_IF_ERROR(context.SetOutput(1, DType::kFloat32, state));
  if (s->kind == schema::RnnKind::lstm) RETURN_IF_ERROR(context.SetOutput(2, DType::kFloat32, state));
  size_t rows, total;
  if (__builtin_mul_overflow(s->t, s->b, &rows) ||
      __builtin_mul_overflow(s->b, s->columns() + 4 * s->h, &s->step_floats) ||
      __builtin_mul_overflow(rows, s->columns(), &s->input_floats) ||
      __builtin_add_overflow(s->step_floats, s->input_floats, &total) ||
      __builtin_mul_overflow(total, d * sizeof(float), &total) || total > SIZE_MAX / 4) {
    return context.Error(TL_ERROR_OUT_OF_MEMORY, "working memory over the address space, expected a smaller x");
  }
  return Status::Ok();
}

/// Makes y 0 past the end of each sequence.
inline void ClearRnnResult(const OpContext& context, const RnnLayer& s) {
  Tensor* y = context.output(0);
  if (y != nullptr && context.input(s.bias + 1) != nullptr && y->Bytes() != 0) memset(y->data, 0, y->Bytes());
}

// One direction at work. Products has what multiplies h with r, the bias of r included:
//   void State(const float* h, float* sums)            sums [b, g h] = (h r + bias) + sums
//   void Row(const float* h, size_t begin, size_t end, const float* residual, float* dst)
//       dst [end - begin] = (h r + bias) + residual, columns [begin, end) of one row; residual may be null
template <typename Products>
class RnnDirection {
 public:
  /// memory: direction_floats() of this direction, the products of the input with w first.
  RnnDirection(const OpContext& context, const RnnLayer& s, size_t index, float* memory, const Products& products)
      : context_(context), s_(s), index_(index), kernels_(*FindElementwise(context.isa())), products_(products) {
    const Tensor* peepholes = context.input(s.bias + 4);
    peepholes_ = peepholes != nullptr ? peepholes->As<float>() + index * 3 * s.h : nullptr;
    input_ = memory;
    sums_ = input_ + s.input_floats;
    h_ = sums_ + s.b * s.columns();
    c_ = h_ + s.b * s.h;
    temporary_ = c_ + s.b * s.h;
  }

  /// All steps.
  void Run() {
    LoadState(context_.input(s_.bias + 2), h_);
    LoadState(context_.input(s_.bias + 3), c_);
    const bool backward = s_.reverse || index_ == 1;
    for (size_t step = 0; step < s_.t && !context_.ShouldStop(); ++step) {
      const size_t columns = s_.gates * s_.h;
      for (size_t b = 0; b < s_.b; ++b) {
        const size_t at = backward ? End(b) - 1 - step : step;
        if (step < End(b)) memcpy(sums_ + b * columns, input_ + (at * s_.b + b) * columns, columns * sizeof(float));
      }
      // A GRU's recurrent part waits for its reset gate.
      if (s_.kind != schema::RnnKind::gru) products_.State(h_, sums_);
      for (size_t b = 0; b < s_.b; ++b) {
        if (step < End(b)) FinishStep(b, backward ? End(b) - 1 - step : step);
      }
    }
    StoreState(context_.output(1), h_);
    StoreState(context_.output(2), c_);
  }

 private:
  size_t End(size_t b) const {
    const Tensor* lens = context_.input(s_.bias + 1);
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
    const RnnLayer::Function& f = s_.functions[index_ * s_.per_direction + function];
    if (clipped && s_.clip > 0) kernels_.unary(UnaryOp::kClip, -s_.clip, s_.clip, n, x, x);
    kernels_.unary(f.kind, f.alpha, f.beta, n, x, x);
  }
  void Binary(BinaryOp op, size_t n, const float* a, const float* b, float* y) {
    kernels_.binary(op, 1, n, {a, 0, 1}, {b, 0, 1}, y);
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
    if (s_.cell_clip > 0) kernels_.unary(UnaryOp::kClip, -s_.cell_clip, s_.cell_clip, n, c, c);
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
    products_.Row(h, 0, 2 * n, sums, sums);
    float *z = sums, *r = sums + n, *g = sums + 2 * n;
    Apply(0, 2 * n, sums);
    if (s_.linear_before_reset) {
      products_.Row(h, 2 * n, 3 * n, nullptr, recurrent);
      Binary(BinaryOp::kMul, n, r, recurrent, recurrent);
      Binary(BinaryOp::kAdd, n, recurrent, g, g);
    } else {
      Binary(BinaryOp::kMul, n, r, h, recurrent);
      products_.Row(recurrent, 2 * n, 3 * n, g, g);
    }
    Apply(1, n, g);
    const float one = 1.0f;
    kernels_.binary(BinaryOp::kSub, 1, n, {&one, 0, 0}, {z, 0, 1}, r);
    Binary(BinaryOp::kMul, n, r, g, r);
    Binary(BinaryOp::kMul, n, z, h, z);
    Binary(BinaryOp::kAdd, n, r, z, h);
  }

  const OpContext& context_;
  const RnnLayer& s_;
  const size_t index_;
  const ElementwiseKernels& kernels_;
  Products products_;
  const float* peepholes_;
  float *input_, *sums_, *h_, *c_, *temporary_;
};

}  // namespace tealight

#endif  // TEALIGHT_BACKENDS_CPU_RNN_LAYER_H_
