// SPDX-License-Identifier: Apache-2.0
// Executor: one program made ready to run. A static program has all its memory and prepared kernels from Create on and
// allocates nothing later. Any other program prepares an instruction whenever its operands' shapes changed and takes
// memory from a pool. Belongs to one thread at a time; the model, pool, budget and control outlive it.
#ifndef TEALIGHT_RUNTIME_EXECUTOR_H_
#define TEALIGHT_RUNTIME_EXECUTOR_H_

#include <atomic>

#include "base/array.h"
#include "base/memory.h"
#include "runtime/model.h"
#include "runtime/op.h"

namespace tealight {

/// Nanoseconds on the monotonic clock.
int64_t NowNs();

// Asks a run to stop early. cancel may be set by any thread.
struct RunControl {
  std::atomic<bool> cancel{false};
  int64_t deadline_ns = 0;  // on the monotonic clock; 0 = none

  bool ShouldStop() const {
    return cancel.load(std::memory_order_relaxed) || (deadline_ns != 0 && NowNs() >= deadline_ns);
  }
};

struct ExecutorConfig {
  const Model* model = nullptr;
  Isa isa = Isa::kScalar;
  ThreadPool* pool = nullptr;
  MemoryBudget* budget = nullptr;
  RunControl* control = nullptr;
  bool keep_intermediates = false;
  bool profile = false;
  bool is_nested = false;  // called from If or Loop
};

struct ProfileEntry {
  uint64_t runs = 0;
  uint64_t total_ns = 0;
  uint64_t min_ns = 0;
};

struct MemoryUse {
  uint64_t arena = 0;
  uint64_t scratch = 0;
  uint64_t state = 0;
};

class Executor {
 public:
  Executor() = default;
  ~Executor();
  Executor(const Executor&) = delete;
  Executor& operator=(const Executor&) = delete;

  Status Create(const ExecutorConfig& config, uint32_t program);

  const schema::Program& program() const { return *program_; }
  bool is_static() const { return is_static_; }
  int num_inputs() const { return static_cast<int>(inputs_.size()); }
  int num_outputs() const { return static_cast<int>(outputs_.size()); }
  /// Binds memory and shape, which agree with the declaration (CheckInput), for the following runs.
  void SetInput(int i, const Shape& shape, void* data);
  /// Checks dtype, rank, fixed dims and the bounds of symbols.
  Status CheckInput(int i, DType dtype, const Shape& shape) const;
  /// Result i is written to data, of which there are `bytes`; null unbinds.
  void BindOutput(int i, void* data, size_t bytes);
  /// The memory bound as result i, of the size that it was bound with; null when none is.
  const void* bound_output(int i, size_t* bytes) const {
    *bytes = outputs_[static_cast<size_t>(i)].bound_bytes;
    return outputs_[static_cast<size_t>(i)].bound;
  }
  /// Runs the program. Every input is bound.
  Status Run();
  /// Result of the last successful run.
  const Tensor& output(int i) const { return outputs_[static_cast<size_t>(i)].view; }
  /// The declaration of an input or output.
  const schema::Tensor& input_info(int i) const { return InfoOf(inputs_[static_cast<size_t>(i)]); }
  const schema::Tensor& output_info(int i) const { return InfoOf(outputs_[static_cast<size_t>(i)].tensor); }
  const Tensor& input(int i) const { return tensors_[static_cast<size_t>(inputs_[static_cast<size_t>(i)])]; }
  const Tensor& tensor(size_t i) const { return tensors_[i]; }
  size_t num_tensors() const { return tensors_.size(); }
  size_t num_instructions() const { return instructions_.size(); }
  const ProfileEntry& profile(size_t i) const { return instructions_[i].profile; }
  const char* op_name(size_t i) const { return instructions_[i].context.op_name_; }
  /// With everything that If and Loop run.
  MemoryUse memory() const;

  // ---- what OpContext calls ----
  Status SetOutput(const OpContext& context, int i, DType dtype, const Shape& shape);
  Status ResizeOutput(const OpContext& context, int i, DType dtype, const Shape& shape);
  Shape DeclaredShape(const OpContext& context, int i) const;
  Status RunProgram(const OpContext& context, int program, const Tensor* inputs, int num_inputs, const Tensor** outputs,
                    int num_outputs);
  const RunControl& control() const { return *config_.control; }

 private:
  static constexpr int kNoBlock = -1;
  static constexpr int32_t kNever = INT32_MAX;

  // What the executor knows of tensors_[i] beside its view.
  struct Slot {
    uint32_t version = 1;   // raised when the shape changes
    int32_t last_use = -1;  // instruction after which its memory is free; kNever for results of the program
    int block = kNoBlock;   // of pool_
    bool is_made = false;   // by an instruction
    int output = -1;        // which output of the program can be made in place; -1 = none
    bool is_sized = false;  // its instruction has declared its shape
  };
  struct Instruction {
    OpContext context;
    OpKernel kernel = {};
    bool is_prepared = false;
    bool is_empty = false;        // none of its results has an element: there is nothing to run
    bool prepare_always = false;  // reads operand values, or its results' shapes come from Run
    uint32_t first_operand = 0;   // in operands_ and seen_versions_
    ProfileEntry profile;
  };
  struct Output {
    int32_t tensor = -1;
    Tensor view;           // the result of the last run
    void* home = nullptr;  // static: its place in the arena
    void* bound = nullptr;
    size_t bound_bytes = 0;
    int copy_block = kNoBlock;     // nested: a result that is an input is copied, as the input's memory is not ours
    int retired_block = kNoBlock;  // nested: memory of the run before, which may be an input of this run
    int retired_copy = kNoBlock;
  };

  const schema::Tensor& InfoOf(int32_t tensor) const {
    return *program_->tensors()->Get(static_cast<uint32_t>(tensor));
  }
  size_t IndexOf(const Tensor* tensor) const { return static_cast<size_t>(tensor - tensors_.data()); }
  Slot& SlotOf(const Tensor* tensor) { return slots_[IndexOf(tensor)]; }

  // executor_create.cc
  Status AllocateTables();
  void InitTensors();
  Status InitInstructions();
  void InitLastUses();
  Status CreateStatic();
  Status PlaceStatic();

  // executor.cc
  Status Prepare(Instruction* instruction);
  Status RunStatic();
  Status RunDynamic();
  Status RunInstruction(Instruction* instruction);
  Status CheckStop() const;
  void SetShape(Tensor* tensor, const Shape& shape);
  Status CheckResult(const OpContext& context, int i, DType dtype, const Shape& shape) const;
  Status ReserveScratch(size_t shared_bytes, size_t thread_bytes);
  void SetScratch(OpContext* context) const;
  Status FinishOutputs();

  // executor_dynamic.cc
  bool NeedsPrepare(const Instruction& instruction) const;
  Status PrepareAndPlace(Instruction* instruction);
  bool PlaceOnOperand(const Instruction& instruction, Tensor* result);
  Status PlaceResult(const OpContext& context, int i);
  Status CheckResultsSized(const Instruction& instruction);
  void ReleaseDead(const Instruction& instruction);
  void ReleaseAll();
  void ReleaseRetired();
  Status OutOfMemory(const OpContext& context, uint64_t bytes) const;
  Status FindNested(const OpContext& context, uint32_t program, Executor** nested);

  ExecutorConfig config_;
  const schema::Program* program_ = nullptr;
  uint32_t program_index_ = 0;
  bool is_static_ = false;
  bool has_result_ = false;
  Array<Tensor> tensors_;
  Array<Slot> slots_;
  Array<Instruction> instructions_;
  Array<const Tensor*> operands_;
  Array<uint32_t> seen_versions_;  // of each operand at its instruction's last Prepare
  Array<Tensor*> results_;
  Array<int32_t> inputs_;
  Array<Output> outputs_;
  Region arena_;
  Region shared_scratch_;
  Region thread_scratch_;
  size_t thread_stride_ = 0;
  BlockPool pool_;
  // Executors of If and Loop, made when first needed: a list, one for each (instruction, program).
  Executor* first_nested_ = nullptr;
  Executor* next_nested_ = nullptr;
  uint32_t caller_ = 0;
};

}  // namespace tealight

#endif  // TEALIGHT_RUNTIME_EXECUTOR_H_
