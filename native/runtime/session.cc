// SPDX-License-Identifier: Apache-2.0
#include "runtime/session.h"

#include <string.h>

#include "base/format.h"
#include "bundle/layout.h"
#include "bundle/validate.h"

namespace tealight {
namespace {

constexpr uint32_t kMaxThreads = 256;
constexpr uint32_t kMaxBalancedThreads = 4;
// What an empty input without data points to, so that ops never see null; nobody reads or writes it.
alignas(64) constexpr char kNothing[64] = {};

// isa is null for the best one.
Status ChooseIsa(const char* name, Isa* isa) {
  char known[64] = "";
  size_t used = 0;
  for (size_t i = 0; SupportedIsa(i, isa); ++i) {
    if (name == nullptr || strcmp(IsaName(*isa), name) == 0) return Status::Ok();
    const int more = snprintf(known + used, sizeof(known) - used, "%s%s", i == 0 ? "" : ", ", IsaName(*isa));
    if (more > 0 && used + static_cast<size_t>(more) < sizeof(known)) used += static_cast<size_t>(more);
  }
  return Status::Error(TL_ERROR_NOT_FOUND, "session isa: '%.40s', expected one of %s", name, known);
}

DType FromC(const tl_tensor& tensor) {
  const unsigned value = NumberOf(tensor.dtype);
  return value <= static_cast<unsigned>(DType::kUint4) ? static_cast<DType>(value) : DType::kNone;
}

bool Overlap(const void* a, size_t a_bytes, const void* b, size_t b_bytes) {
  const uintptr_t first = reinterpret_cast<uintptr_t>(a);
  const uintptr_t second = reinterpret_cast<uintptr_t>(b);
  return a_bytes != 0 && b_bytes != 0 && first < second + b_bytes && second < first + a_bytes;
}

Status NoSuch(const char* what, size_t i, size_t count) {
  return Status::Error(TL_ERROR_NOT_FOUND, "%s %zu: not there, expected less than %zu", what, i, count);
}

}  // namespace

void ToC(const Tensor& tensor, tl_tensor* result) {
  memset(result, 0, sizeof(*result));
  result->dtype = static_cast<tl_dtype>(tensor.dtype);
  result->rank = static_cast<uint32_t>(tensor.shape.rank);
  for (int i = 0; i < tensor.shape.rank; ++i) result->shape[i] = tensor.shape[i];
  result->data = tensor.data;
  result->size_bytes = DTypeSize(tensor.dtype) != 0 ? tensor.Bytes() : static_cast<size_t>(tensor.Elements() + 1) / 2;
}

// Checks the options and starts the threads.
Status Session::Configure(const tl_session_options& options, ExecutorConfig* config) {
  RETURN_IF_ERROR(ChooseIsa(options.isa, &config->isa));
  if (options.threads > kMaxThreads) {
    return Status::Error(TL_ERROR_INVALID_ARGUMENT, "session threads: %u, expected at most %u", options.threads,
                         kMaxThreads);
  }
  const unsigned backend = NumberOf(options.backend);
  const unsigned power_mode = NumberOf(options.power_mode);
  if (backend > TL_BACKEND_CPU || power_mode > TL_POWER_SAVING) {
    return Status::Error(TL_ERROR_INVALID_ARGUMENT, "session backend %u, power_mode %u: expected at most %u and %u",
                         backend, power_mode, TL_BACKEND_CPU, TL_POWER_SAVING);
  }
  const Cores cores = FindCores();
  const bool saves = power_mode == TL_POWER_SAVING;
  if (saves) caller_cores_ = cores.little;
  uint32_t threads = options.threads;
  if (threads == 0) {
    const uint32_t fast = cores.big.empty() ? cores.online : cores.big.Count();
    const uint32_t most = saves ? 1 : power_mode == TL_POWER_BALANCED ? kMaxBalancedThreads : kMaxThreads;
    threads = fast < most ? fast : most;
  }
  if (!pool_.Start(threads, saves ? cores.little : cores.big)) {
    return Status::Error(TL_ERROR_OUT_OF_MEMORY, "session threads: %u not started, expected the system to give them",
                         threads);
  }
  return Status::Ok();
}

Status Session::Create(const Model& model, const tl_session_options& options) {
  model_ = &model;
  if (options.entry_point >= model.entry_point_count()) {
    return NoSuch("entry point", options.entry_point, model.entry_point_count());
  }
  program_ = model.entry_program(options.entry_point);
  ExecutorConfig config;
  RETURN_IF_ERROR(Configure(options, &config));
  budget_.limit = options.memory_limit;
  keeps_ = options.keep_intermediates != 0;
  profiles_ = options.profile != 0;
  config.model = &model;
  config.pool = &pool_;
  config.budget = &budget_;
  config.control = &control_;
  config.keep_intermediates = keeps_;
  config.profile = profiles_;
  RETURN_IF_ERROR(executor_.Create(config, program_));
  if (!is_set_.Allocate(static_cast<size_t>(executor_.num_inputs()))) {
    return Status::Error(TL_ERROR_OUT_OF_MEMORY, "session: no memory for %d inputs, expected some",
                         executor_.num_inputs());
  }
  if (options.log != nullptr) {
    const MemoryUse use = executor_.memory();
    char text[160];
    snprintf(text, sizeof(text), "session: isa %s, %zu threads, arena %llu bytes, scratch %llu bytes%s",
             IsaName(config.isa), pool_.num_threads(), static_cast<unsigned long long>(use.arena),
             static_cast<unsigned long long>(use.scratch), executor_.is_static() ? "" : ", more while running");
    options.log(options.log_context, TL_LOG_INFO, text);
  }
  return Status::Ok();
}

void Session::Memory(tl_memory* memory) const {
  const MemoryUse use = executor_.memory();
  memory->arena_bytes = use.arena;
  memory->scratch_bytes = use.scratch;
  memory->weights_bytes = model_->constant_bytes();
  memory->state_bytes = use.state + sizeof(*this) - sizeof(executor_) + is_set_.bytes();
  memory->exact = executor_.is_static() ? 1 : 0;
}

Status Session::SetInput(size_t i, const tl_tensor& tensor) {
  if (i >= is_set_.size()) return NoSuch("input", i, is_set_.size());
  const int index = static_cast<int>(i);
  const char* name = NameOf(executor_.input_info(index).name());
  if (tensor.rank > static_cast<uint32_t>(kMaxRank)) {
    return Status::Error(TL_ERROR_WRONG_SHAPE, "input %zu '%.80s': rank %u, expected at most %d", i, name, tensor.rank,
                         kMaxRank);
  }
  Shape shape;
  for (uint32_t j = 0; j < tensor.rank; ++j) shape.Append(tensor.shape[j]);
  const DType dtype = FromC(tensor);
  RETURN_IF_ERROR(executor_.CheckInput(index, dtype, shape));
  uint64_t bytes = 0;
  if (!PlainBytes(dtype, shape, &bytes) || tensor.size_bytes != bytes) {
    return Status::Error(TL_ERROR_WRONG_SHAPE, "input %zu '%.80s': %zu bytes, expected %llu for shape %s", i, name,
                         tensor.size_bytes, static_cast<unsigned long long>(bytes), ShapeText(shape).c_str());
  }
  const bool aligned = reinterpret_cast<uintptr_t>(tensor.data) % DTypeSize(dtype) == 0;
  if (!aligned || (tensor.data == nullptr && bytes != 0)) {
    return Status::Error(TL_ERROR_INVALID_ARGUMENT, "input %zu '%.80s': data %s, expected memory aligned to %zu bytes",
                         i, name, aligned ? "is NULL" : "is not aligned", DTypeSize(dtype));
  }
  executor_.SetInput(index, shape, tensor.data != nullptr ? tensor.data : const_cast<char*>(kNothing));
  is_set_[i] = true;
  return Status::Ok();
}

Status Session::SetOutput(size_t i, const tl_tensor* tensor) {
  if (i >= static_cast<size_t>(executor_.num_outputs())) {
    return NoSuch("output", i, static_cast<size_t>(executor_.num_outputs()));
  }
  const int index = static_cast<int>(i);
  const schema::Tensor& info = executor_.output_info(index);
  const char* name = NameOf(info.name());
  has_result_ = false;
  if (tensor == nullptr) {
    executor_.BindOutput(index, nullptr, 0);
    return Status::Ok();
  }
  const DType dtype = static_cast<DType>(info.dtype());
  if (FromC(*tensor) != dtype) {
    return Status::Error(TL_ERROR_WRONG_DTYPE, "output %zu '%.80s': dtype %s, expected %s", i, name,
                         DTypeName(FromC(*tensor)), DTypeName(dtype));
  }
  if (executor_.is_static() && tensor->size_bytes < BytesOf(info)) {
    return Status::Error(TL_ERROR_WRONG_SHAPE, "output %zu '%.80s': %zu bytes, expected %llu for shape %s", i, name,
                         tensor->size_bytes, static_cast<unsigned long long>(BytesOf(info)),
                         ShapeText(ShapeOf(info)).c_str());
  }
  const size_t alignment = DTypeSize(dtype) == 0 ? 1 : DTypeSize(dtype);
  if (tensor->data == nullptr || reinterpret_cast<uintptr_t>(tensor->data) % alignment != 0) {
    return Status::Error(TL_ERROR_INVALID_ARGUMENT, "output %zu '%.80s': data %s, expected memory aligned to %zu bytes",
                         i, name, tensor->data == nullptr ? "is NULL" : "is not aligned", alignment);
  }
  executor_.BindOutput(index, tensor->data, tensor->size_bytes);
  return Status::Ok();
}

Status Session::CheckInputs() const {
  for (size_t i = 0; i < is_set_.size(); ++i) {
    if (!is_set_[i]) {
      return Status::Error(TL_ERROR_MISSING_INPUT, "input %zu '%.80s': not set, expected set_input before run", i,
                           NameOf(executor_.input_info(static_cast<int>(i)).name()));
    }
  }
  return executor_.is_static() ? Status::Ok() : CheckSymbols();
}

// Every symbol has one size in all inputs: each use is compared with the first one.
Status Session::CheckSymbols() const {
  struct Use {
    int64_t symbol;
    int64_t size;
    int input;
  };
  constexpr int kRemembered = 64;
  Use uses[kRemembered];
  int count = 0;
  for (int i = 0; i < executor_.num_inputs(); ++i) {
    const Shape declared = ShapeOf(executor_.input_info(i));
    const Shape& shape = executor_.input(i).shape;
    for (int j = 0; j < declared.rank; ++j) {
      if (declared[j] >= 0) continue;
      int first = 0;
      while (first < count && uses[first].symbol != declared[j]) ++first;
      if (first == count) {
        if (count < kRemembered) uses[count++] = Use{declared[j], shape[j], i};
      } else if (uses[first].size != shape[j]) {
        const uint32_t symbol = static_cast<uint32_t>(-1 - declared[j]);
        return Status::Error(
            TL_ERROR_WRONG_SHAPE, "input %d '%.60s': dim %d ('%.30s') is %lld, expected %lld as in input %d", i,
            NameOf(executor_.input_info(i).name()), j, NameOf(executor_.program().symbols()->Get(symbol)->name()),
            static_cast<long long>(shape[j]), static_cast<long long>(uses[first].size), uses[first].input);
      }
    }
  }
  return Status::Ok();
}

// Inputs are read after outputs were written, and outputs written in any order.
Status Session::CheckSharing() const {
  for (int i = 0; i < executor_.num_outputs(); ++i) {
    size_t bytes = 0;
    const void* data = executor_.bound_output(i, &bytes);
    if (data == nullptr) continue;
    const char* name = NameOf(executor_.output_info(i).name());
    for (int j = 0; j < executor_.num_inputs(); ++j) {
      const Tensor& input = executor_.input(j);
      if (!Overlap(data, bytes, input.data, input.Bytes())) continue;
      return Status::Error(TL_ERROR_INVALID_ARGUMENT,
                           "output %d '%.60s': shares memory with input %d '%.60s', expected memory of its own", i,
                           name, j, NameOf(executor_.input_info(j).name()));
    }
    for (int j = 0; j < i; ++j) {
      size_t others = 0;
      const void* other = executor_.bound_output(j, &others);
      if (!Overlap(data, bytes, other, others)) continue;
      return Status::Error(TL_ERROR_INVALID_ARGUMENT,
                           "output %d '%.60s': shares memory with output %d '%.60s', expected memory of its own", i,
                           name, j, NameOf(executor_.output_info(j).name()));
    }
  }
  return Status::Ok();
}

Status Session::Run(uint64_t deadline_ns) {
  RETURN_IF_ERROR(Begin(deadline_ns));
  return Finish();
}

Status Session::Begin(uint64_t deadline_ns) {
  has_result_ = false;
  RETURN_IF_ERROR(CheckInputs());
  RETURN_IF_ERROR(CheckSharing());
  const int64_t now = NowNs();
  const int64_t most = INT64_MAX - now;
  control_.deadline_ns = deadline_ns == 0                            ? 0
                         : deadline_ns > static_cast<uint64_t>(most) ? INT64_MAX
                                                                     : now + static_cast<int64_t>(deadline_ns);
  return Status::Ok();
}

Status Session::Finish() {
  CoreSet before;
  KeepThreadTo(caller_cores_, &before);
  Status status = executor_.Run();
  if (status.code() == TL_ERROR_CANCELLED) control_.cancel.store(false);
  KeepThreadTo(before);
  has_result_ = status.ok();
  return status;
}

Status Session::GetOutput(size_t i, tl_tensor* tensor) const {
  if (i >= static_cast<size_t>(executor_.num_outputs())) {
    return NoSuch("output", i, static_cast<size_t>(executor_.num_outputs()));
  }
  if (!has_result_) {
    return Status::Error(TL_ERROR_INVALID_ARGUMENT,
                         "output %zu '%.80s': no result yet, expected a successful run before", i,
                         NameOf(executor_.output_info(static_cast<int>(i)).name()));
  }
  ToC(executor_.output(static_cast<int>(i)), tensor);
  return Status::Ok();
}

Status Session::GetTensor(size_t i, tl_tensor* tensor) const {
  if (i >= executor_.num_tensors()) return NoSuch("tensor", i, executor_.num_tensors());
  if (!keeps_ || !has_result_) {
    return Status::Error(TL_ERROR_INVALID_ARGUMENT,
                         "tensor %zu: not kept, expected keep_intermediates and a successful run", i);
  }
  const Tensor& found = executor_.tensor(i);
  if (found.layout != Layout::kPlain) {
    return Status::Error(TL_ERROR_INVALID_ARGUMENT, "tensor %zu: packed as %s, expected a plain one", i,
                         LayoutName(found.layout));
  }
  if (found.data == nullptr) {
    return Status::Error(TL_ERROR_NOT_FOUND, "tensor %zu: no instruction makes it, expected one that is used", i);
  }
  ToC(found, tensor);
  return Status::Ok();
}

void Session::ProfileRow(size_t i, tl_profile_row* row) const {
  const ProfileEntry& entry = executor_.profile(i);
  row->instruction = static_cast<uint32_t>(i);
  row->name = NameOf(executor_.program().instructions()->Get(static_cast<uint32_t>(i))->name());
  row->op = executor_.op_name(i);
  row->runs = entry.runs;
  row->total_ns = entry.total_ns;
  row->min_ns = entry.min_ns;
}

}  // namespace tealight
