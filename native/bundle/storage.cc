// SPDX-License-Identifier: Apache-2.0
// CheckStorage: results and operands of an instruction do not overlap, but where the op may run in place.
#include "bundle/validate.h"

namespace tealight {
namespace {

struct Span {
  uint64_t begin = 0;
  uint64_t end = 0;  // begin == end: nothing, or not in the arena
  size_t element_bytes = 0;

  bool Overlaps(const Span& other) const { return begin < other.end && other.begin < end; }
  bool HoldsSameElements(const Span& other) const {
    return begin == other.begin && end == other.end && element_bytes == other.element_bytes;
  }
};

Span SpanOf(const schema::Program& program, int32_t index) {
  if (index < 0) return Span();
  const schema::Tensor& tensor = *program.tensors()->Get(static_cast<uint32_t>(index));
  if (tensor.constant() >= 0 || tensor.arena_offset() < 0) return Span();
  const uint64_t begin = static_cast<uint64_t>(tensor.arena_offset());
  return Span{begin, begin + BytesOf(tensor), DTypeSize(static_cast<DType>(tensor.dtype()))};
}

Status Overlap(const schema::Instruction& instruction, const char* role, uint32_t i, const char* other_role,
               uint32_t j) {
  return Status::Error(TL_ERROR_INVALID_BUNDLE, "instruction '%.60s': %s %u overlaps %s %u, expected separate memory",
                       NameOf(instruction.name()), role, i, other_role, j);
}

Status CheckInstructionStorage(const schema::Program& program, const schema::Instruction& instruction, bool in_place) {
  for (uint32_t i = 0; i < SizeOf(instruction.outputs()); ++i) {
    const Span result = SpanOf(program, instruction.outputs()->Get(i));
    for (uint32_t j = 0; j < SizeOf(instruction.inputs()); ++j) {
      const Span operand = SpanOf(program, instruction.inputs()->Get(j));
      if (result.Overlaps(operand) && !(in_place && i == 0 && result.HoldsSameElements(operand))) {
        return Overlap(instruction, "result", i, "operand", j);
      }
    }
    for (uint32_t j = 0; j < i; ++j) {
      if (result.Overlaps(SpanOf(program, instruction.outputs()->Get(j)))) {
        return Overlap(instruction, "result", i, "result", j);
      }
    }
  }
  return Status::Ok();
}

}  // namespace

Status CheckStorage(const schema::Program& program, MayRunInPlace may_run_in_place) {
  if (!program.is_static() || program.instructions() == nullptr) return Status::Ok();
  for (const schema::Instruction* instruction : *program.instructions()) {
    RETURN_IF_ERROR(CheckInstructionStorage(program, *instruction, may_run_in_place(instruction->attributes_type())));
  }
  return Status::Ok();
}

}  // namespace tealight
