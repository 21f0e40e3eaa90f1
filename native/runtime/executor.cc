// SPDX-License-Identifier: Apache-2.0
// Executor: preparing and running instructions, and what static and dynamic programs share.
#include "runtime/executor.h"

#include <string.h>
#include <time.h>

#include "base/format.h"
#include "bundle/layout.h"
#include "bundle/validate.h"

namespace tealight {
namespace {

// What scratch of no bytes points to, so that ops may clear it as any other. Nobody writes it.
alignas(kMemoryAlignment) constexpr char kNoScratch[kMemoryAlignment] = {};

}  // namespace

int64_t NowNs() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<int64_t>(now.tv_sec) * 1000000000 + now.tv_nsec;
}

// ---- inputs and outputs ----

Status Executor::CheckInput(int i, DType dtype, const Shape& shape) const {
  const schema::Tensor& info = input_info(i);
  const char* name = NameOf(info.name());
  if (dtype != static_cast<DType>(info.dtype())) {
    return Status::Error(TL_ERROR_WRONG_DTYPE, "input %d '%.80s': dtype %s, expected %s", i, name, DTypeName(dtype),
                         DTypeName(static_cast<DType>(info.dtype())));
  }
  const Shape declared = ShapeOf(info);
  bool fits = shape.rank == declared.rank;
  for (int j = 0; fits && j < shape.rank; ++j) {
    if (declared[j] >= 0) {
      fits = shape[j] == declared[j];
    } else {
      const schema::Symbol* symbol = program_->symbols()->Get(static_cast<uint32_t>(-1 - declared[j]));
      fits = shape[j] >= symbol->min() && (symbol->max() < 0 || shape[j] <= symbol->max());
      if (!fits) {
        return Status::Error(
            TL_ERROR_WRONG_SHAPE, "input %d '%.80s': dim %d is %lld, expected %lld to %lld ('%.40s'%s)", i, name, j,
            static_cast<long long>(shape[j]), static_cast<long long>(symbol->min()),
            static_cast<long long>(symbol->max()), NameOf(symbol->name()), symbol->max() < 0 ? ", no upper bound" : "");
      }
    }
  }
  if (!fits) {
    return Status::Error(TL_ERROR_WRONG_SHAPE, "input %d '%.80s': shape %s, expected %s", i, name,
                         ShapeText(shape).c_str(), ShapeText(declared).c_str());
  }
  return Status::Ok();
}

void Executor::SetInput(int i, const Shape& shape, void* data) {
  Tensor* tensor = &tensors_[static_cast<size_t>(inputs_[static_cast<size_t>(i)])];
  SetShape(tensor, shape);
  tensor->data = data;
}

void Executor::BindOutput(int i, void* data, size_t bytes) {
  Output& output = outputs_[static_cast<size_t>(i)];
  const size_t index = static_cast<size_t>(output.tensor);
  if (is_static_ && slots_[index].output == i) tensors_[index].data = data != nullptr ? data : output.home;
  output.bound = data;
  output.bound_bytes = data == nullptr ? 0 : bytes;
  has_result_ = false;
}

// ---- running ----

Status Executor::Run() {
  Status status = is_static_ ? RunStatic() : RunDynamic();
  has_result_ = status.ok();
  return status;
}

Status Executor::CheckStop() const {
  const RunControl& control = *config_.control;
  if (__builtin_expect(control.cancel.load(std::memory_order_relaxed), 0)) {
    return Status::Error(TL_ERROR_CANCELLED, "run: cancelled, expected to finish");
  }
  if (control.deadline_ns != 0 && NowNs() >= control.deadline_ns) {
    return Status::Error(TL_ERROR_DEADLINE, "run: past its deadline, expected to finish before");
  }
  return Status::Ok();
}

Status Executor::RunInstruction(Instruction* instruction) {
  const auto run = [&] { return instruction->is_empty ? Status::Ok() : instruction->kernel.run(instruction->context); };
  if (!config_.profile) return run();
  const int64_t start = NowNs();
  Status status = run();
  const uint64_t elapsed = static_cast<uint64_t>(NowNs() - start);
  ProfileEntry& profile = instruction->profile;
  profile.min_ns = profile.runs == 0 || elapsed < profile.min_ns ? elapsed : profile.min_ns;
  profile.total_ns += elapsed;
  ++profile.runs;
  return status;
}

Status Executor::RunStatic() {
  for (Instruction& instruction : instructions_) {
    RETURN_IF_ERROR(CheckStop());
    RETURN_IF_ERROR(RunInstruction(&instruction));
  }
  RETURN_IF_ERROR(CheckStop());
  return FinishOutputs();
}

// Copies results that are bound but lie elsewhere, and notes where every result is.
Status Executor::FinishOutputs() {
  for (size_t i = 0; i < outputs_.size(); ++i) {
    Output& output = outputs_[i];
    const Tensor& tensor = tensors_[static_cast<size_t>(output.tensor)];
    output.view = tensor;
    output.view.is_constant = false;
    if (output.bound == nullptr || output.bound == tensor.data) continue;
    if (tensor.Bytes() > output.bound_bytes) {
      return Status::Error(TL_ERROR_WRONG_SHAPE, "output %zu '%.80s': bound memory of %zu bytes, expected at least %zu",
                           i, NameOf(InfoOf(output.tensor).name()), output.bound_bytes, tensor.Bytes());
    }
    if (tensor.Bytes() != 0) memcpy(output.bound, tensor.data, tensor.Bytes());
    output.view.data = output.bound;
  }
  return Status::Ok();
}

Status Executor::Prepare(Instruction* instruction) {
  OpContext& context = instruction->context;
  memset(context.state_, 0, sizeof(context.state_));
  context.shared_scratch_bytes_ = 0;
  context.thread_scratch_bytes_ = 0;
  instruction->is_prepared = false;
  for (int i = 0; i < context.num_outputs_; ++i) {
    if (context.outputs_[i] != nullptr) SlotOf(context.outputs_[i]).is_sized = false;
  }
  RETURN_IF_ERROR(instruction->kernel.prepare(context));
  instruction->is_empty = !instruction->kernel.data_dependent;
  if (instruction->is_empty) RETURN_IF_ERROR(CheckResultsSized(*instruction));
  for (int i = 0; i < context.num_outputs_; ++i) {
    if (context.outputs_[i] != nullptr && context.outputs_[i]->Elements() != 0) instruction->is_empty = false;
  }
  // The other dims of an empty result may be of any size, and what depends on them.
  if (instruction->is_empty) context.RequestScratch(0, 0);
  instruction->is_prepared = true;
  return Status::Ok();
}

void Executor::SetShape(Tensor* tensor, const Shape& shape) {
  if (tensor->shape == shape) return;
  tensor->shape = shape;
  ++SlotOf(tensor).version;
}

Status Executor::CheckResult(const OpContext& context, int i, DType dtype, const Shape& shape) const {
  const schema::Tensor& info = InfoOf(static_cast<int32_t>(IndexOf(context.outputs_[i])));
  const Shape declared = ShapeOf(info);
  const DType declared_dtype = static_cast<DType>(info.dtype());
  uint64_t bytes = 0;
  bool fits = dtype == declared_dtype && shape.rank == declared.rank && PlainBytes(dtype, shape, &bytes);
  for (int j = 0; fits && j < shape.rank; ++j) fits = declared[j] < 0 || declared[j] == shape[j];
  if (!fits) {
    return context.Error(TL_ERROR_INVALID_BUNDLE, "result %d is %s %s, expected %s %s as the bundle says", i,
                         DTypeName(dtype), ShapeText(shape).c_str(), DTypeName(declared_dtype),
                         ShapeText(declared).c_str());
  }
  return Status::Ok();
}

Shape Executor::DeclaredShape(const OpContext& context, int i) const {
  return ShapeOf(InfoOf(static_cast<int32_t>(IndexOf(context.outputs_[i]))));
}

Status Executor::SetOutput(const OpContext& context, int i, DType dtype, const Shape& shape) {
  RETURN_IF_ERROR(CheckResult(context, i, dtype, shape));
  SetShape(context.outputs_[i], shape);
  SlotOf(context.outputs_[i]).is_sized = true;
  return Status::Ok();
}

// ---- scratch ----

Status Executor::ReserveScratch(size_t shared_bytes, size_t thread_bytes) {
  const size_t threads = config_.pool->num_threads();
  size_t total = 0;
  bool good = thread_bytes < SIZE_MAX / 2 && shared_bytes < SIZE_MAX / 2;
  const size_t stride = good ? (thread_bytes + kMemoryAlignment - 1) / kMemoryAlignment * kMemoryAlignment : 0;
  good = good && !__builtin_mul_overflow(stride, threads, &total);
  good =
      good && shared_scratch_.Reserve(shared_bytes, config_.budget) && thread_scratch_.Reserve(total, config_.budget);
  if (!good) {
    return Status::Error(
        TL_ERROR_OUT_OF_MEMORY,
        "session: scratch of %zu bytes and %zu for each of %zu threads not available, expected it within "
        "memory_limit %llu (0 = none)",
        shared_bytes, thread_bytes, threads, static_cast<unsigned long long>(config_.budget->limit));
  }
  if (stride > thread_stride_) thread_stride_ = stride;
  return Status::Ok();
}

void Executor::SetScratch(OpContext* context) const {
  char* const none = const_cast<char*>(kNoScratch);
  context->shared_scratch_ = shared_scratch_.size() != 0 ? shared_scratch_.data() : none;
  context->thread_scratch_ = thread_scratch_.size() != 0 ? thread_scratch_.data() : none;
  context->thread_scratch_stride_ = thread_stride_;
}

MemoryUse Executor::memory() const {
  MemoryUse use;
  use.arena = arena_.size() + pool_.total_bytes();
  use.scratch = shared_scratch_.size() + thread_scratch_.size();
  use.state = sizeof(*this) + tensors_.bytes() + slots_.bytes() + instructions_.bytes() + operands_.bytes() +
              seen_versions_.bytes() + results_.bytes() + inputs_.bytes() + outputs_.bytes();
  for (const Executor* nested = first_nested_; nested != nullptr; nested = nested->next_nested_) {
    const MemoryUse more = nested->memory();
    use.arena += more.arena;
    use.scratch += more.scratch;
    use.state += more.state;
  }
  return use;
}

}  // namespace tealight
