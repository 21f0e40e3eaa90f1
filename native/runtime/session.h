// SPDX-License-Identifier: Apache-2.0
// Session: one caller's state for one entry point. Owns its threads and memory; the model outlives it. Belongs to one
// thread at a time, but for Cancel.
#ifndef TEALIGHT_RUNTIME_SESSION_H_
#define TEALIGHT_RUNTIME_SESSION_H_

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
  Status GetOutput(size_t i, tl_tensor* tensor) const;
  Status GetTensor(size_t i, tl_tensor* tensor) const;
  void Cancel() { control_.cancel.store(true); }
  size_t profile_count() const { return profiles_ ? executor_.num_instructions() : 0; }
  void ProfileRow(size_t i, tl_profile_row* row) const;

 private:
  Status CheckInputs() const;
  Status CheckSymbols() const;

  const Model* model_ = nullptr;
  MemoryBudget budget_;  // outlives the executor, which gives back to it
  RunControl control_;
  ThreadPool pool_;
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
