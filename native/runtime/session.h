// SPDX-License-Identifier: Apache-2.0
// Session: one caller's state for one entry point. Owns its threads and memory; the model outlives it. Belongs to one
// thread at a time, but for Cancel.
#ifndef TEALIGHT_RUNTIME_SESSION_H_
#define TEALIGHT_RUNTIME_SESSION_H_

#include "base/cores.h"
#include "base/thread_pool.h"
#include "runtime/executor.h"

namespace tealight {

class Session {
 public:
  Status Create(const Model& model, const tl_session_options& options);

  void Memory(tl_memory* memory) const;
  Status SetInput(size_t i, const tl_tensor& tensor);
  /// A null tensor unbinds.
  Status SetOutput(size_t i, const tl_tensor* tensor);
  Status Run(uint64_t deadline_ns);
  /// The two halves of Run, which may be on different threads: Begin checks the inputs and starts the clock.
  Status Begin(uint64_t deadline_ns);
  Status Finish();
  /// Runs the golden inputs and compares the outputs. Afterwards no input or output is bound.
  Status SelfTest();
  Status GetOutput(size_t i, tl_tensor* tensor) const;
  Status GetTensor(size_t i, tl_tensor* tensor) const;
  void Cancel() { control_.cancel.store(true); }
  void ForgetCancel() { control_.cancel.store(false); }
  size_t profile_count() const { return profiles_ ? executor_.num_instructions() : 0; }
  void ProfileRow(size_t i, tl_profile_row* row) const;

 private:
  Status Configure(const tl_session_options& options, ExecutorConfig* config);
  Status CheckInputs() const;
  Status CheckSymbols() const;
  Status CheckSharing() const;
  // self_test.cc
  Status RunGolden(const schema::Golden& golden);
  Status CompareGolden(int i, const void* expected, uint64_t bytes) const;
  void Unbind();

  const Model* model_ = nullptr;
  uint32_t program_ = 0;
  MemoryBudget budget_;  // outlives the executor, which gives back to it
  RunControl control_;
  ThreadPool pool_;
  CoreSet caller_cores_;  // where the calling thread goes for the time of a run
  Executor executor_;
  Array<bool> is_set_;
  bool profiles_ = false;
  bool keeps_ = false;
  bool has_result_ = false;
};

/// Shape, dtype and data of a tensor as the C API shows them.
void ToC(const Tensor& tensor, tl_tensor* result);

}  // namespace tealight

#endif  // TEALIGHT_RUNTIME_SESSION_H_
