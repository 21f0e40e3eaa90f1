// SPDX-License-Identifier: Apache-2.0
// Executor::Create: the tables of a program, and for static ones all memory and prepared kernels.
#include <stdlib.h>

#include "base/format.h"
#include "bundle/validate.h"
#include "runtime/executor.h"
#include "runtime/registry.h"

namespace tealight {

Executor::~Executor() {
  for (Executor* nested = first_nested_; nested != nullptr;) {
    Executor* next = nested->next_nested_;
    nested->~Executor();
    free(nested);
    nested = next;
  }
}

Status Executor::Create(const ExecutorConfig& config, uint32_t program) {
  config_ = config;
  program_ = &config.model->program(program);
  program_index_ = program;
  // A nested program's operands may lie in the results of its last run, so these cannot be at fixed places.
  is_static_ = program_->is_static() && !config.is_nested;
  pool_.SetBudget(config.budget);
  RETURN_IF_ERROR(AllocateTables());
  InitTensors();
  RETURN_IF_ERROR(InitInstructions());
  InitLastUses();
  return is_static_ ? CreateStatic() : Status::Ok();
}

Status Executor::AllocateTables() {
  size_t operands = 0;
  size_t results = 0;
  const uint32_t count = program_->instructions() == nullptr ? 0 : program_->instructions()->size();
  for (uint32_t i = 0; i < count; ++i) {
    operands += SizeOf(program_->instructions()->Get(i)->inputs());
    results += SizeOf(program_->instructions()->Get(i)->outputs());
  }
  const size_t tensors = program_->tensors() == nullptr ? 0 : program_->tensors()->size();
  if (!tensors_.Allocate(tensors) || !slots_.Allocate(tensors) || !instructions_.Allocate(count) ||
      !operands_.Allocate(operands) || !seen_versions_.Allocate(operands) || !results_.Allocate(results) ||
      !inputs_.Allocate(SizeOf(program_->inputs())) || !outputs_.Allocate(SizeOf(program_->outputs()))) {
    return Status::Error(TL_ERROR_OUT_OF_MEMORY, "session: no memory for the tables of %zu tensors, expected some",
                         tensors);
  }
  return Status::Ok();
}

void Executor::InitTensors() {
  for (size_t i = 0; i < tensors_.size(); ++i) {
    const schema::Tensor& info = InfoOf(static_cast<int32_t>(i));
    Tensor& tensor = tensors_[i];
    tensor.dtype = static_cast<DType>(info.dtype());
    tensor.shape = ShapeOf(info);
    tensor.layout = static_cast<Layout>(info.layout());
    tensor.layout_groups = static_cast<uint32_t>(info.layout_groups());
    if (info.constant() >= 0) {
      tensor.is_constant = true;
      tensor.data = config_.model->constant_data(info.constant());
      tensor.data_bytes = static_cast<size_t>(config_.model->constant_size(info.constant()));
    } else if (!is_static_) {
      // Dims that are symbols are not known yet; ops never see them, as shapes are set before they are read.
      for (int j = 0; j < tensor.shape.rank; ++j) {
        if (tensor.shape[j] < 0) tensor.shape[j] = 0;
      }
    }
  }
  for (uint32_t i = 0; i < inputs_.size(); ++i) inputs_[i] = program_->inputs()->Get(i);
  for (uint32_t i = 0; i < outputs_.size(); ++i) outputs_[i].tensor = program_->outputs()->Get(i);
}

Status Executor::InitInstructions() {
  uint32_t next_operand = 0;
  size_t next_result = 0;
  for (uint32_t i = 0; i < instructions_.size(); ++i) {
    const schema::Instruction& info = *program_->instructions()->Get(i);
    Instruction& instruction = instructions_[i];
    const size_t op = static_cast<size_t>(info.attributes_type());
    if (!FindOp(op, &instruction.kernel))
      return Status::Error(TL_ERROR_UNSUPPORTED_OP, "op %zu: not in this library", op);
    OpContext& context = instruction.context;
    context.name_ = NameOf(info.name());
    context.op_name_ = OpName(op);
    context.attributes_ = info.attributes();
    context.isa_ = config_.isa;
    context.num_threads_ = config_.pool->num_threads();
    context.pool_ = config_.pool;
    context.executor_ = this;
    context.index_ = i;
    context.num_inputs_ = static_cast<int>(SizeOf(info.inputs()));
    context.num_outputs_ = static_cast<int>(SizeOf(info.outputs()));
    context.inputs_ = operands_.data() + next_operand;
    context.outputs_ = results_.data() + next_result;
    instruction.first_operand = next_operand;
    instruction.prepare_always = instruction.kernel.data_dependent;
    for (uint32_t j = 0; j < SizeOf(info.inputs()); ++j) {
      const int32_t tensor = info.inputs()->Get(j);
      if (tensor < 0) continue;
      operands_[next_operand + j] = &tensors_[static_cast<size_t>(tensor)];
      const bool is_read = j < 32 && (instruction.kernel.host_inputs >> j & 1) != 0;
      if (!is_read || tensors_[static_cast<size_t>(tensor)].is_constant) continue;
      instruction.prepare_always = true;
      if (is_static_) {
        return context.Error(TL_ERROR_INVALID_BUNDLE, "operand %u is computed, expected a constant in a static program",
                             j);
      }
    }
    if (is_static_ && instruction.kernel.data_dependent) {
      return context.Error(TL_ERROR_INVALID_BUNDLE, "its shapes depend on data, expected it in no static program");
    }
    for (uint32_t j = 0; j < SizeOf(info.outputs()); ++j) {
      const int32_t tensor = info.outputs()->Get(j);
      if (tensor >= 0) results_[next_result + j] = &tensors_[static_cast<size_t>(tensor)];
    }
    next_operand += SizeOf(info.inputs());
    next_result += SizeOf(info.outputs());
  }
  return Status::Ok();
}

// last_use of a result that nobody reads is its own instruction.
void Executor::InitLastUses() {
  for (size_t i = 0; i < instructions_.size(); ++i) {
    const OpContext& context = instructions_[i].context;
    for (int j = 0; j < context.num_inputs_; ++j) {
      if (context.inputs_[j] != nullptr) SlotOf(context.inputs_[j]).last_use = static_cast<int32_t>(i);
    }
    for (int j = 0; j < context.num_outputs_; ++j) {
      if (context.outputs_[j] == nullptr) continue;
      SlotOf(context.outputs_[j]).last_use = static_cast<int32_t>(i);
      SlotOf(context.outputs_[j]).is_made = true;
    }
  }
  for (size_t i = 0; i < outputs_.size(); ++i) {
    Slot& slot = slots_[static_cast<size_t>(outputs_[i].tensor)];
    slot.last_use = kNever;
    if (slot.is_made && slot.output < 0) slot.output = static_cast<int>(i);
  }
}

Status Executor::CreateStatic() {
  size_t shared = 0;
  size_t per_thread = 0;
  for (Instruction& instruction : instructions_) {
    RETURN_IF_ERROR(Prepare(&instruction));
    const OpContext& context = instruction.context;
    if (context.shared_scratch_bytes_ > shared) shared = context.shared_scratch_bytes_;
    if (context.thread_scratch_bytes_ > per_thread) per_thread = context.thread_scratch_bytes_;
  }
  RETURN_IF_ERROR(PlaceStatic());
  RETURN_IF_ERROR(ReserveScratch(shared, per_thread));
  for (Instruction& instruction : instructions_) SetScratch(&instruction.context);
  return Status::Ok();
}

// With keep_intermediates every result gets memory of its own instead of its planned place.
Status Executor::PlaceStatic() {
  uint64_t bytes = program_->arena_bytes();
  Array<uint64_t> offsets;
  if (!offsets.Allocate(tensors_.size())) {
    return Status::Error(TL_ERROR_OUT_OF_MEMORY, "session: no memory for %zu offsets, expected some", tensors_.size());
  }
  for (size_t i = 0; i < tensors_.size(); ++i) {
    const int64_t offset = InfoOf(static_cast<int32_t>(i)).arena_offset();
    offsets[i] = offset < 0 ? 0 : static_cast<uint64_t>(offset);
  }
  if (config_.keep_intermediates) {
    bytes = 0;
    for (Tensor* result : results_) {
      if (result == nullptr) continue;
      offsets[IndexOf(result)] = bytes;
      const uint64_t size =
          (BytesOf(InfoOf(static_cast<int32_t>(IndexOf(result)))) + kMemoryAlignment - 1) / kMemoryAlignment;
      if (__builtin_add_overflow(bytes, size * kMemoryAlignment, &bytes)) bytes = UINT64_MAX;
    }
  }
  if (bytes > SIZE_MAX || !arena_.Reserve(static_cast<size_t>(bytes), config_.budget)) {
    return Status::Error(TL_ERROR_OUT_OF_MEMORY,
                         "session: arena of %llu bytes not available, expected it within memory_limit %llu (0 = none)",
                         static_cast<unsigned long long>(bytes),
                         static_cast<unsigned long long>(config_.budget->limit));
  }
  for (Tensor* result : results_) {
    if (result != nullptr) result->data = arena_.data() + offsets[IndexOf(result)];
  }
  for (Output& output : outputs_) output.home = tensors_[static_cast<size_t>(output.tensor)].data;
  return Status::Ok();
}

}  // namespace tealight
