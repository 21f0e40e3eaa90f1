// SPDX-License-Identifier: Apache-2.0
// What a CPU op implements: Prepare once per shape, Run many times. An op is stateless; all it keeps between the
// two lies in OpContext::state. See backends/cpu/ops/softmax.cc for the smallest real one.
#ifndef TEALIGHT_RUNTIME_OP_H_
#define TEALIGHT_RUNTIME_OP_H_

#include <new>
#include <type_traits>

#include "base/cpu_features.h"
#include "base/status.h"
#include "base/tensor.h"
#include "base/thread_pool.h"
#include "bundle/schema.h"

namespace tealight {

// One instruction as its op sees it. Lives as long as the session; belongs to the session's thread.
class OpContext {
 public:
  static constexpr size_t kStateBytes = 512;

  // ---- Prepare and Run ----
  const char* name() const { return name_; }
  Isa isa() const { return isa_; }
  size_t num_threads() const { return num_threads_; }
  int num_inputs() const { return num_inputs_; }
  int num_outputs() const { return num_outputs_; }
  /// Returns null when the operand is absent or i >= num_inputs().
  const Tensor* input(int i) const { return i < num_inputs_ ? inputs_[i] : nullptr; }
  /// Returns null when the result is not wanted. In Prepare its data is null.
  Tensor* output(int i) const { return i < num_outputs_ ? outputs_[i] : nullptr; }
  /// The op's attribute table, for example attributes<schema::Softmax>().
  template <typename T>
  const T& attributes() const {
    return *static_cast<const T*>(attributes_);
  }
  /// The op's own plain data, zeroed before Prepare, kept until the next Prepare.
  template <typename T>
  T* state() {
    static_assert(sizeof(T) <= kStateBytes && std::is_trivially_copyable<T>::value, "");
    return reinterpret_cast<T*>(state_);
  }

  // ---- Prepare only ----
  /// Declares result i; checked against the bundle where its shapes are fixed. A no-op when the result is not
  /// wanted.
  Status SetOutput(int i, DType dtype, const Shape& shape);
  /// Working memory for Run, 64-byte aligned: `shared` once, `per_thread` for each thread.
  void RequestScratch(size_t shared_bytes, size_t per_thread_bytes) {
    shared_scratch_bytes_ = shared_bytes;
    thread_scratch_bytes_ = per_thread_bytes;
  }
  /// The data of an operand listed in OpKernel::host_inputs (int64, int32 or float32) is readable in Prepare.
  /// Reads it as int64 into values[0 .. *count); fails when there are more than capacity or another dtype.
  Status ReadInts(int i, int64_t* values, int capacity, int* count) const;

  /// An error that names this instruction: "<op> '<name>': <message>".
  Status Error(tl_status code, const char* format, ...) const __attribute__((format(printf, 3, 4)));

  // ---- Run only ----
  void* shared_scratch() const { return shared_scratch_; }
  void* thread_scratch(size_t thread) const {
    return static_cast<char*>(thread_scratch_) + thread * thread_scratch_stride_;
  }
  /// Calls f(thread, begin, end) over disjoint ranges that cover [0, items), on up to num_threads() threads;
  /// `grain` is the fewest items worth handing out at once. Returns when all are done. The result must not depend
  /// on how the range is cut.
  template <typename F>
  void ParallelFor(size_t items, size_t grain, const F& f) const {
    pool_->For(items, grain, f);
  }
  /// Data-dependent results only (OpKernel::data_dependent): gives result i its shape and memory. May be called again
  /// with another shape: the bytes up to the smaller size are kept, and growing step by step is cheap.
  Status ResizeOutput(int i, DType dtype, const Shape& shape);
  /// Result i as the bundle declares it; dims below 0 are not fixed. The result is wanted.
  Shape DeclaredShape(int i) const;
  /// If and Loop: runs a program of the bundle with these inputs; its outputs stay valid until the next call for
  /// the same program from this instruction.
  Status RunProgram(int program, const Tensor* inputs, int num_inputs, const Tensor** outputs, int num_outputs);
  /// True when the run should stop early (cancelled or past its deadline); long loops ask.
  bool ShouldStop() const;

 private:
  friend class Executor;
  const char* name_ = "";
  const char* op_name_ = "";
  const void* attributes_ = nullptr;
  const Tensor** inputs_ = nullptr;
  Tensor** outputs_ = nullptr;
  int num_inputs_ = 0;
  int num_outputs_ = 0;
  Isa isa_ = Isa::kScalar;
  size_t num_threads_ = 1;
  ThreadPool* pool_ = nullptr;
  class Executor* executor_ = nullptr;
  uint32_t index_ = 0;  // of the instruction in its program
  size_t shared_scratch_bytes_ = 0;
  size_t thread_scratch_bytes_ = 0;
  size_t thread_scratch_stride_ = 0;
  void* shared_scratch_ = nullptr;
  void* thread_scratch_ = nullptr;
  alignas(16) unsigned char state_[kStateBytes] = {};
};

// The kernel of one op. Both functions trust the bundle's structure (operand indices, dtypes of fields) but check
// every dtype, rank, dim and attribute value they rely on in Prepare: after it, Run must be memory-safe for any
// operand *contents* (an index out of range is an error or is clamped, as the op's definition says).
struct OpKernel {
  /// Declares every result that is wanted, unless data_dependent.
  Status (*prepare)(OpContext& context);
  /// Not called when no result has an element, unless data_dependent.
  Status (*run)(OpContext& context);
  /// Bit i: Prepare needs the values of operand i, not only its shape.
  uint32_t host_inputs = 0;
  /// Result shapes are known only after Run, which calls ResizeOutput.
  bool data_dependent = false;
  /// Result 0 may lie in exactly the memory of an operand of as many elements of the same size.
  bool in_place = false;
};

// Each file ops/<op>.cc defines `OpKernel Cpu_<op>()`; the table of them is made from the file names at build time.

}  // namespace tealight

#endif  // TEALIGHT_RUNTIME_OP_H_
