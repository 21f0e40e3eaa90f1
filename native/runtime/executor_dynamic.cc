// SPDX-License-Identifier: Apache-2.0
// Executor: programs whose shapes are known only while running, and what If and Loop call.
#include <stdlib.h>
#include <string.h>

#include "bundle/layout.h"
#include "bundle/validate.h"
#include "runtime/executor.h"

namespace tealight {

Status Executor::RunDynamic() {
  ReleaseAll();
  for (Instruction& instruction : instructions_) {
    RETURN_IF_ERROR(CheckStop());
    RETURN_IF_ERROR(PrepareAndPlace(&instruction));
    SetScratch(&instruction.context);
    RETURN_IF_ERROR(RunInstruction(&instruction));
    RETURN_IF_ERROR(CheckResultsSized(instruction));
    ReleaseDead(instruction);
  }
  RETURN_IF_ERROR(CheckStop());
  RETURN_IF_ERROR(FinishOutputs());
  if (!config_.is_nested) return Status::Ok();
  for (Output& output : outputs_) {
    const Tensor& tensor = tensors_[static_cast<size_t>(output.tensor)];
    if (slots_[static_cast<size_t>(output.tensor)].is_made || tensor.is_constant) continue;
    output.copy_block = pool_.Take(tensor.Bytes());
    if (output.copy_block == kNoBlock) {
      return Status::Error(TL_ERROR_OUT_OF_MEMORY, "program %u: no memory for a result of %zu bytes", program_index_,
                           tensor.Bytes());
    }
    output.view.data = pool_.data(output.copy_block);
    if (tensor.Bytes() != 0) memcpy(output.view.data, tensor.data, tensor.Bytes());
  }
  ReleaseRetired();
  return Status::Ok();
}

// ---- memory ----

// Gives back what the last run left. A nested program's results stay one run longer: Loop hands them in as operands.
void Executor::ReleaseAll() {
  ReleaseRetired();
  for (Output& output : outputs_) {
    Slot& slot = slots_[static_cast<size_t>(output.tensor)];
    if (!config_.is_nested) continue;
    output.retired_block = slot.block;
    output.retired_copy = output.copy_block;
    slot.block = kNoBlock;
    output.copy_block = kNoBlock;
  }
  for (Slot& slot : slots_) {
    if (slot.block != kNoBlock) pool_.Give(slot.block);
    slot.block = kNoBlock;
  }
}

void Executor::ReleaseRetired() {
  for (Output& output : outputs_) {
    if (output.retired_block != kNoBlock) pool_.Give(output.retired_block);
    if (output.retired_copy != kNoBlock) pool_.Give(output.retired_copy);
    output.retired_block = kNoBlock;
    output.retired_copy = kNoBlock;
  }
}

void Executor::ReleaseDead(const Instruction& instruction) {
  if (config_.keep_intermediates) return;
  const OpContext& context = instruction.context;
  const auto release = [&](const Tensor* tensor) {
    if (tensor == nullptr) return;
    Slot& slot = SlotOf(tensor);
    if (slot.block == kNoBlock || slot.last_use != static_cast<int32_t>(context.index_)) return;
    pool_.Give(slot.block);
    slot.block = kNoBlock;
  };
  for (int i = 0; i < context.num_inputs_; ++i) release(context.inputs_[i]);
  for (int i = 0; i < context.num_outputs_; ++i) release(context.outputs_[i]);
}

// Lets result 0 take over the memory of an operand that dies here.
bool Executor::PlaceOnOperand(const Instruction& instruction, Tensor* result) {
  if (!instruction.kernel.in_place || config_.keep_intermediates) return false;
  const OpContext& context = instruction.context;
  for (int i = 0; i < context.num_inputs_; ++i) {
    const Tensor* operand = context.inputs_[i];
    if (operand == nullptr || operand->Elements() != result->Elements()) continue;
    if (DTypeSize(operand->dtype) != DTypeSize(result->dtype)) continue;
    Slot& slot = SlotOf(operand);
    if (slot.block == kNoBlock || slot.last_use != static_cast<int32_t>(context.index_)) continue;
    SlotOf(result).block = slot.block;
    slot.block = kNoBlock;
    result->data = operand->data;
    return true;
  }
  return false;
}

Status Executor::OutOfMemory(const OpContext& context, uint64_t bytes) const {
  return context.Error(TL_ERROR_OUT_OF_MEMORY,
                       "%llu bytes not available, expected them within memory_limit %llu (0 = none)",
                       static_cast<unsigned long long>(bytes), static_cast<unsigned long long>(config_.budget->limit));
}

// Gives result i, whose shape is set, memory: where its output is bound, or a block, keeping what it holds.
Status Executor::PlaceResult(const OpContext& context, int i) {
  Tensor* tensor = context.outputs_[i];
  Slot& slot = SlotOf(tensor);
  const size_t bytes = tensor->Bytes();
  if (slot.output >= 0 && outputs_[static_cast<size_t>(slot.output)].bound != nullptr) {
    const Output& output = outputs_[static_cast<size_t>(slot.output)];
    if (bytes > output.bound_bytes) {
      return Status::Error(TL_ERROR_WRONG_SHAPE, "output %d '%.80s': bound memory of %zu bytes, expected at least %zu",
                           slot.output, NameOf(InfoOf(output.tensor).name()), output.bound_bytes, bytes);
    }
    tensor->data = output.bound;
    return Status::Ok();
  }
  if (slot.block == kNoBlock) {
    slot.block = pool_.Take(bytes);
    if (slot.block == kNoBlock) return OutOfMemory(context, bytes);
  } else if (!pool_.Grow(slot.block, bytes)) {
    return OutOfMemory(context, bytes);
  }
  tensor->data = pool_.data(slot.block);
  return Status::Ok();
}

// ---- instructions ----

bool Executor::NeedsPrepare(const Instruction& instruction) const {
  if (instruction.prepare_always || !instruction.is_prepared) return true;
  for (int i = 0; i < instruction.context.num_inputs_; ++i) {
    const Tensor* operand = instruction.context.inputs_[i];
    if (operand == nullptr) continue;
    const uint32_t seen = seen_versions_[instruction.first_operand + static_cast<uint32_t>(i)];
    if (slots_[IndexOf(operand)].version != seen) return true;
  }
  return false;
}

Status Executor::PrepareAndPlace(Instruction* instruction) {
  OpContext& context = instruction->context;
  if (NeedsPrepare(*instruction)) {
    RETURN_IF_ERROR(Prepare(instruction));
    for (int i = 0; i < context.num_inputs_; ++i) {
      if (context.inputs_[i] == nullptr) continue;
      seen_versions_[instruction->first_operand + static_cast<uint32_t>(i)] = SlotOf(context.inputs_[i]).version;
    }
  }
  // Also of one that is prepared: a later one may have given up what it found, asking for more than there was.
  RETURN_IF_ERROR(ReserveScratch(context.shared_scratch_bytes_, context.thread_scratch_bytes_));
  for (int i = 0; i < context.num_outputs_; ++i) {
    Tensor* result = context.outputs_[i];
    if (result == nullptr || !SlotOf(result).is_sized) continue;
    const int output = SlotOf(result).output;
    const bool is_bound = output >= 0 && outputs_[static_cast<size_t>(output)].bound != nullptr;
    if (i == 0 && !is_bound && PlaceOnOperand(*instruction, result)) continue;
    RETURN_IF_ERROR(PlaceResult(context, i));
  }
  return Status::Ok();
}

Status Executor::CheckResultsSized(const Instruction& instruction) {
  const OpContext& context = instruction.context;
  for (int i = 0; i < context.num_outputs_; ++i) {
    if (context.outputs_[i] != nullptr && !SlotOf(context.outputs_[i]).is_sized) {
      // An op that stops early leaves its results open.
      RETURN_IF_ERROR(CheckStop());
      return context.Error(TL_ERROR_INVALID_BUNDLE, "result %d is not one of its results, expected fewer results", i);
    }
  }
  return Status::Ok();
}

Status Executor::ResizeOutput(const OpContext& context, int i, DType dtype, const Shape& shape) {
  if (is_static_ || !instructions_[context.index_].kernel.data_dependent) {
    return context.Error(TL_ERROR_RUNTIME, "result %d resized, expected only ops with data_dependent to do it", i);
  }
  RETURN_IF_ERROR(SetOutput(context, i, dtype, shape));
  return PlaceResult(context, i);
}

// ---- If and Loop ----

Status Executor::FindNested(const OpContext& context, uint32_t program, Executor** nested) {
  for (Executor* known = first_nested_; known != nullptr; known = known->next_nested_) {
    if (known->caller_ == context.index_ && known->program_index_ == program) {
      *nested = known;
      return Status::Ok();
    }
  }
  void* memory = nullptr;
  if (posix_memalign(&memory, alignof(Executor), sizeof(Executor)) != 0) return OutOfMemory(context, sizeof(Executor));
  Executor* made = new (memory) Executor;
  ExecutorConfig config = config_;
  config.keep_intermediates = false;
  config.profile = false;
  config.is_nested = true;
  Status status = made->Create(config, program);
  if (!status.ok()) {
    made->~Executor();
    free(memory);
    return status;
  }
  made->caller_ = context.index_;
  made->next_nested_ = first_nested_;
  first_nested_ = made;
  *nested = made;
  return Status::Ok();
}

Status Executor::RunProgram(const OpContext& context, int program, const Tensor* inputs, int num_inputs,
                            const Tensor** outputs, int num_outputs) {
  // Only programs that this instruction names: Validate has checked that these form no cycle.
  const schema::Instruction& info = *program_->instructions()->Get(context.index_);
  const schema::If* branch = info.attributes_as_If();
  const schema::Loop* loop = info.attributes_as_Loop();
  const bool is_named =
      (branch != nullptr && (program == branch->then_program() || program == branch->else_program())) ||
      (loop != nullptr && program == loop->body_program());
  if (!is_named) return context.Error(TL_ERROR_RUNTIME, "runs program %d, expected one of its attributes", program);
  Executor* nested = nullptr;
  RETURN_IF_ERROR(FindNested(context, static_cast<uint32_t>(program), &nested));
  if (num_inputs != nested->num_inputs() || num_outputs != nested->num_outputs()) {
    return context.Error(TL_ERROR_INVALID_BUNDLE, "%d operands and %d results for program %d, expected %d and %d",
                         num_inputs, num_outputs, program, nested->num_inputs(), nested->num_outputs());
  }
  for (int i = 0; i < num_inputs; ++i) {
    RETURN_IF_ERROR(nested->CheckInput(i, inputs[i].dtype, inputs[i].shape));
    nested->SetInput(i, inputs[i].shape, inputs[i].data);
  }
  RETURN_IF_ERROR(nested->Run());
  for (int i = 0; i < num_outputs; ++i) outputs[i] = &nested->output(i);
  return Status::Ok();
}

}  // namespace tealight
