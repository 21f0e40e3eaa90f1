// SPDX-License-Identifier: Apache-2.0
// CPU elementwise: a chain of float32 steps, run for one tile of the result after the other. Operands are read where
// they lie; a value that is broadcast along a dim stays narrow until a step needs it wide. Results of steps lie in
// scratch slots that are reused after their last reader; the last step writes to memory directly.
#include "kernels/elementwise/elementwise.h"

#include <string.h>

#include "backends/cpu/broadcast.h"

namespace tealight {
namespace {

constexpr int kMaxSteps = 32;
constexpr int kMaxResults = 8;
constexpr size_t kTileElements = 1024;

struct State {
  int num_steps;
  int num_slots;
  int8_t slots[kMaxSteps];  // of each step's result; -1: written to the output directly
};

struct Step {
  bool is_binary;
  UnaryOp unary;
  BinaryOp binary;
  int a, b;
  float alpha, beta;
};
Step ReadStep(const schema::Elementwise& attributes, int i) {
  const schema::ElementwiseStep& s = *attributes.steps()->Get(static_cast<unsigned>(i));
  return {s.is_binary(), static_cast<UnaryOp>(s.unary()), static_cast<BinaryOp>(s.binary()), s.a(), s.b(), s.alpha(),
          s.beta()};
}

Status CheckSteps(OpContext& context, const schema::Elementwise& attributes, int num_inputs) {
  const auto* steps = attributes.steps();
  const auto* results = attributes.results();
  if (steps == nullptr || results == nullptr || steps->size() < 1 || steps->size() > kMaxSteps || results->size() < 1 ||
      results->size() > kMaxResults || results->size() != static_cast<unsigned>(context.num_outputs())) {
    return context.Error(TL_ERROR_INVALID_BUNDLE, "steps or results: a wrong number, expected 1 to %d and 1 to %d",
                         kMaxSteps, kMaxResults);
  }
  const int num_steps = static_cast<int>(steps->size());
  for (int i = 0; i < num_steps; ++i) {
    if (steps->Get(static_cast<unsigned>(i)) == nullptr) {
      return context.Error(TL_ERROR_INVALID_BUNDLE, "step %d: absent, expected a step", i);
    }
    const Step s = ReadStep(attributes, i);
    const int limit = num_inputs + i;
    const bool known = s.is_binary ? IsFloatBinary(s.binary) : IsFloatUnary(s.unary);
    if (!known || s.a < 0 || s.a >= limit || (s.is_binary && (s.b < 0 || s.b >= limit))) {
      return context.Error(TL_ERROR_INVALID_BUNDLE,
                           "step %d: a kind or register out of range, expected earlier registers", i);
    }
  }
  for (int r : *results) {
    if (r < num_inputs || r >= num_inputs + num_steps) {
      return context.Error(TL_ERROR_INVALID_BUNDLE, "result register %d, expected the result of a step", r);
    }
  }
  return Status::Ok();
}

// Gives each step a slot that no living result holds.
void AssignSlots(const schema::Elementwise& attributes, int num_inputs, State* state) {
  int last_use[kMaxSteps];
  for (int i = 0; i < state->num_steps; ++i) last_use[i] = i;
  for (int i = 0; i < state->num_steps; ++i) {
    const Step s = ReadStep(attributes, i);
    if (s.a >= num_inputs) last_use[s.a - num_inputs] = i;
    if (s.is_binary && s.b >= num_inputs) last_use[s.b - num_inputs] = i;
  }
  for (int r : *attributes.results()) last_use[r - num_inputs] = kMaxSteps;
  uint32_t busy = 0;
  state->num_slots = 0;
  for (int i = 0; i < state->num_steps; ++i) {
    int slot = 0;
    while (((busy >> slot) & 1u) != 0) ++slot;
    state->slots[i] = static_cast<int8_t>(slot);
    busy |= 1u << slot;
    if (slot >= state->num_slots) state->num_slots = slot + 1;
    for (int j = 0; j <= i; ++j) {
      if (last_use[j] == i) busy &= ~(1u << state->slots[j]);
    }
  }
}

Status Prepare(OpContext& context) {
  const schema::Elementwise& attributes = context.attributes<schema::Elementwise>();
  const int num_inputs = context.num_inputs();
  const Tensor* operands[kMaxBroadcast];
  if (num_inputs < 1 || num_inputs > kMaxBroadcast) {
    return context.Error(TL_ERROR_INVALID_BUNDLE, "%d operands, expected 1 to %d", num_inputs, kMaxBroadcast);
  }
  for (int i = 0; i < num_inputs; ++i) {
    operands[i] = context.input(i);
    if (operands[i] == nullptr || operands[i]->dtype != DType::kFloat32 || operands[i]->layout != Layout::kPlain) {
      return context.Error(TL_ERROR_WRONG_DTYPE, "operand %d: absent, packed or of another dtype, expected float32", i);
    }
  }
  RETURN_IF_ERROR(CheckSteps(context, attributes, num_inputs));
  Shape shape;
  if (!BroadcastShapes(operands, num_inputs, &shape)) {
    return context.Error(TL_ERROR_WRONG_SHAPE, "operands do not broadcast, expected shapes that do");
  }
  State* state = context.state<State>();
  state->num_steps = static_cast<int>(attributes.steps()->size());
  AssignSlots(attributes, num_inputs, state);
  context.RequestScratch(0, static_cast<size_t>(state->num_slots) * kTileElements * sizeof(float));
  for (int i = 0; i < context.num_outputs(); ++i) RETURN_IF_ERROR(context.SetOutput(i, DType::kFloat32, shape));
  return Status::Ok();
}

// Element (r, i) of a tile is data[r * row + i * col].
struct Register {
  const float* data;
  size_t row;
  size_t col;
};

// One tile: rows x columns of the result, rows == 1 where columns > kTileElements / 2.
class Tile {
 public:
  Tile(const ElementwiseKernels& kernels, size_t rows, size_t columns)
      : kernels_(kernels), rows_(rows), columns_(columns) {}

  void Run(const Step& step, const Register* registers, float* y, Register* result) const {
    const Register& a = registers[step.a];
    if (!step.is_binary) {
      // Runs over what the operand has, not over what it stands for.
      if (a.col == 0 && a.row != 0) {
        for (size_t r = 0; r < rows_; ++r) y[r] = a.data[r * a.row];
        kernels_.unary(step.unary, step.alpha, step.beta, rows_, y, y);
        *result = {y, 1, 0};
      } else {
        const size_t n = (a.col != 0 ? columns_ : 1) * (a.row != 0 ? rows_ : 1);
        kernels_.unary(step.unary, step.alpha, step.beta, n, a.data, y);
        *result = {y, a.row, a.col};
      }
      return;
    }
    const Register& b = registers[step.b];
    const bool by_row = a.row != 0 || b.row != 0, by_column = a.col != 0 || b.col != 0;
    const size_t n = by_column ? columns_ : 1, m = by_row ? rows_ : 1;
    if (Dense(a, by_row, n) && Dense(b, by_row, n) && by_column) {
      kernels_.binary(step.binary, 1, m * n, {a.data, 0, a.col}, {b.data, 0, b.col}, y);
    } else {
      kernels_.binary(step.binary, m, n, {a.data, a.row, a.col}, {b.data, b.row, b.col}, y);
    }
    *result = {y, by_row ? n : 0, by_column ? size_t{1} : 0};
  }

  /// y[r * columns + i], whatever the form of x.
  void Expand(const Register& x, float* y) const {
    for (size_t r = 0; r < rows_; ++r) {
      for (size_t i = 0; i < columns_; ++i) y[r * columns_ + i] = x.data[r * x.row + i * x.col];
    }
  }
  bool Full(const Register& x) const { return (x.col == 1 || columns_ == 1) && (x.row == columns_ || rows_ == 1); }

 private:
  // Whether x is one run of elements (or one scalar) over all rows.
  bool Dense(const Register& x, bool by_row, size_t n) const {
    return rows_ == 1 || !by_row || (x.row == 0 && x.col == 0) || (x.row == n && x.col == 1);
  }
  const ElementwiseKernels& kernels_;
  const size_t rows_;
  const size_t columns_;
};

// Whether a step gives every element of a tile; a narrower result stays in its slot and is expanded from there.
bool GivesAll(const Step& s, const Register* registers, size_t rows, size_t columns) {
  const Register& a = registers[s.a];
  const Register& b = registers[s.is_binary ? s.b : s.a];
  const bool full = (a.col != 0 || b.col != 0 || columns == 1) && (a.row != 0 || b.row != 0 || rows == 1);
  return full && !(a.col == 0 && a.row != 0 && !s.is_binary);
}

Status Run(OpContext& context) {
  const schema::Elementwise& attributes = context.attributes<schema::Elementwise>();
  const State& state = *context.state<State>();
  const ElementwiseKernels& kernels = *FindElementwise(context.isa());
  const int num_inputs = context.num_inputs(), num_steps = state.num_steps, num_results = context.num_outputs();
  const Tensor* operands[kMaxBroadcast];
  for (int i = 0; i < num_inputs; ++i) operands[i] = context.input(i);
  Step steps[kMaxSteps];
  for (int i = 0; i < num_steps; ++i) steps[i] = ReadStep(attributes, i);
  int results[kMaxResults];
  float* outputs[kMaxResults];
  const Shape* shape = nullptr;
  int direct = -1;  // the result that the last step writes to memory
  for (int i = 0; i < num_results; ++i) {
    results[i] = attributes.results()->Get(static_cast<unsigned>(i));
    outputs[i] = context.output(i) != nullptr ? context.output(i)->As<float>() : nullptr;
    if (outputs[i] != nullptr || context.output(i) != nullptr) shape = &context.output(i)->shape;
    if (outputs[i] != nullptr && results[i] == num_inputs + num_steps - 1) direct = i;
  }
  if (shape == nullptr) return Status::Ok();
  const BroadcastLoop loop = MakeBroadcastLoop(operands, num_inputs, *shape);

  auto run_tile = [&](float* scratch, const BroadcastBlock& block, size_t first, size_t columns) {
    const Tile tile(kernels, block.rows, columns);
    Register registers[kMaxBroadcast + kMaxSteps];
    for (int i = 0; i < num_inputs; ++i) {
      const size_t col = loop.column_stride(i);
      registers[i] = {operands[i]->As<float>() + block.offsets[i] + first * col, loop.row_stride(i), col};
      if (block.rows == 1) registers[i].row = 0;
    }
    for (int i = 0; i < num_steps; ++i) {
      float* y = scratch + static_cast<size_t>(state.slots[i]) * kTileElements;
      const bool last = i == num_steps - 1 && direct >= 0;
      if (last && GivesAll(steps[i], registers, block.rows, columns)) y = outputs[direct] + block.out + first;
      tile.Run(steps[i], registers, y, &registers[num_inputs + i]);
    }
    for (int i = 0; i < num_results; ++i) {
      if (outputs[i] == nullptr) continue;
      const Register& x = registers[results[i]];
      float* y = outputs[i] + block.out + first;
      if (x.data == y) continue;
      if (tile.Full(x)) {
        memcpy(y, x.data, block.rows * columns * sizeof(float));
      } else {
        tile.Expand(x, y);
      }
    }
  };
  ForEachBroadcastBlock(context, loop, num_inputs, kTileElements, [&](size_t thread, const BroadcastBlock& block) {
    float* scratch = static_cast<float*>(context.thread_scratch(thread));
    for (size_t first = 0; first < block.columns; first += kTileElements) {
      const size_t left = block.columns - first;
      run_tile(scratch, block, first, left < kTileElements ? left : kTileElements);
    }
  });
  return Status::Ok();
}

}  // namespace

OpKernel Cpu_elementwise() {
  OpKernel kernel;
  kernel.prepare = Prepare;
  kernel.run = Run;
  kernel.in_place = true;
  return kernel;
}

}  // namespace tealight
