// SPDX-License-Identifier: Apache-2.0
#include "bench.h"

#include <time.h>
#include <unistd.h>

#include "stream.h"

namespace tealight_device {
namespace {

constexpr uint32_t kProfiledRuns = 10;

uint64_t Now() {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return static_cast<uint64_t>(t.tv_sec) * 1000000000u + static_cast<uint64_t>(t.tv_nsec);
}

// Resident bytes of this process; 0 where the system does not tell.
uint64_t Resident() {
  FILE* file = fopen("/proc/self/statm", "r");
  if (file == nullptr) return 0;
  unsigned long long total = 0, resident = 0;
  const int found = fscanf(file, "%llu %llu", &total, &resident);
  fclose(file);
  return found == 2 ? resident * static_cast<uint64_t>(sysconf(_SC_PAGESIZE)) : 0;
}

void Check(tl_status status, const tl_error& error) {
  if (status != TL_OK) Fail(error.message);
}

FILE* Open(const char* folder, const char* name, const char* mode) {
  char path[4096];
  if (snprintf(path, sizeof(path), "%s/%s", folder, name) >= static_cast<int>(sizeof(path))) {
    Fail("folder of more than 4000 bytes, expected a shorter path");
  }
  FILE* file = fopen(path, mode);
  if (file == nullptr) {
    fprintf(stderr, "tealight_runner: %s cannot be opened, expected a folder with inputs.bin that can be written\n",
            path);
    exit(1);
  }
  return file;
}

// A file that is on disk when this returns: a full disk shows late.
void Close(FILE* file) {
  if (fclose(file) != 0) Fail("output cannot be written, expected room and a reader");
}

void WriteJsonString(FILE* file, const char* text) {
  fputc('"', file);
  for (const char* p = text; *p != 0; ++p) {
    const unsigned char c = static_cast<unsigned char>(*p);
    if (c == '"' || c == '\\') {
      fprintf(file, "\\%c", c);
    } else if (c < 0x20) {
      fprintf(file, "\\u%04x", c);
    } else {
      fputc(c, file);
    }
  }
  fputc('"', file);
}

void WriteField(FILE* file, const char* key, uint64_t value) {
  fprintf(file, "\"%s\": %llu,\n", key, static_cast<unsigned long long>(value));
}

class Measured {
 public:
  Measured(const char* bundle, const BenchOptions& bench, const tl_session_options& options)
      : bench_(bench), options_(options) {
    tl_error error = {};
    resident_before_ = Resident();
    options_.profile = 0;  // taking times costs time
    const uint64_t start = Now();
    Check(tl_model_open(bundle, &model_, &error), error);
    Check(tl_session_create(model_, &options_, &session_, &error), error);
    open_ns_ = Now() - start;
    num_inputs_ = static_cast<uint32_t>(tl_model_input_count(model_, options_.entry_point));
    num_outputs_ = static_cast<uint32_t>(tl_model_output_count(model_, options_.entry_point));
    if (num_inputs_ > kMaxInputs) Fail("too many inputs, expected at most 1024");
    times_ = static_cast<uint64_t*>(malloc((bench_.runs + size_t{1}) * sizeof(uint64_t)));
    if (times_ == nullptr) Fail("out of memory for the times, expected fewer runs");
  }
  ~Measured() {
    tl_session_destroy(session_);
    tl_model_destroy(model_);
    free(times_);
    for (Input& input : inputs_) free(input.tensor.data);
  }
  Measured(const Measured&) = delete;
  Measured& operator=(const Measured&) = delete;

  void ReadInputs() {
    FILE* file = Open(bench_.folder, "inputs.bin", "rb");
    for (uint32_t i = 0; i < num_inputs_; ++i) ReadTensor(file, &inputs_[i]);
    if (fgetc(file) != EOF) Fail("inputs.bin goes on after the last input, expected a tensor for each");
    fclose(file);
  }

  /// The first run, then the warm-up, then those that count.
  void Run() {
    SetInputs(session_);
    times_[0] = RunOnce(session_);
    for (uint32_t i = 0; i < bench_.warmup; ++i) RunOnce(session_);
    for (uint32_t i = 0; i < bench_.runs; ++i) times_[i + 1] = RunOnce(session_);
    resident_after_ = Resident();
    tl_session_memory(session_, &memory_);
  }

  void WriteReport(int32_t profile) {
    FILE* file = Open(bench_.folder, "report.json", "wb");
    fprintf(file, "{\n\"version\": ");
    WriteJsonString(file, tl_version());
    fprintf(file, ",\n\"isa\": ");
    WriteJsonString(file, options_.isa != nullptr ? options_.isa : tl_isa_name(0));
    fprintf(file, ",\n");
    WriteField(file, "threads", options_.threads);
    WriteField(file, "open_ns", open_ns_);
    WriteField(file, "first_run_ns", times_[0]);
    WriteField(file, "arena_bytes", memory_.arena_bytes);
    WriteField(file, "scratch_bytes", memory_.scratch_bytes);
    WriteField(file, "weights_bytes", memory_.weights_bytes);
    WriteField(file, "state_bytes", memory_.state_bytes);
    fprintf(file, "\"exact\": %s,\n", memory_.exact != 0 ? "true" : "false");
    WriteField(file, "resident_before_bytes", resident_before_);
    WriteField(file, "resident_after_bytes", resident_after_);
    fprintf(file, "\"runs_ns\": [");
    for (uint32_t i = 0; i < bench_.runs; ++i) {
      fprintf(file, i == 0 ? "%llu" : ", %llu", static_cast<unsigned long long>(times_[i + 1]));
    }
    fprintf(file, "],\n\"outputs\": [");
    WriteOutputs(file);
    fprintf(file, "],\n\"self_test\": ");
    SelfTest(file);  // last: it ends what the outputs show
    fprintf(file, ",\n\"profile\": [");
    if (profile != 0) Profile(file);
    fprintf(file, "]\n}\n");
    Close(file);
  }

 private:
  void SetInputs(tl_session* session) {
    tl_error error = {};
    for (uint32_t i = 0; i < num_inputs_; ++i) {
      Check(tl_session_set_input(session, i, &inputs_[i].tensor, &error), error);
    }
  }

  static uint64_t RunOnce(tl_session* session) {
    tl_error error = {};
    const uint64_t start = Now();
    Check(tl_session_run(session, 0, &error), error);
    return Now() - start;
  }

  void WriteOutputs(FILE* report) {
    tl_error error = {};
    for (uint32_t i = 0; i < num_outputs_; ++i) {
      tl_tensor tensor = {};
      Check(tl_session_get_output(session_, i, &tensor, &error), error);
      char name[32];
      snprintf(name, sizeof(name), "output_%u.bin", i);
      FILE* file = Open(bench_.folder, name, "wb");
      Write(file, tensor.data, tensor.size_bytes);
      Close(file);
      fprintf(report, i == 0 ? "{\"name\": " : ", {\"name\": ");
      WriteJsonString(report, tl_model_output_name(model_, options_.entry_point, i));
      fprintf(report, ", \"dtype\": %d, \"shape\": [", static_cast<int>(tensor.dtype));
      for (uint32_t d = 0; d < tensor.rank; ++d) {
        fprintf(report, d == 0 ? "%lld" : ", %lld", static_cast<long long>(tensor.shape[d]));
      }
      fprintf(report, "]}");
    }
  }

  /// "passed", "none" without golden data, else what is wrong.
  void SelfTest(FILE* file) {
    tl_error error = {};
    const tl_status status = tl_session_self_test(session_, &error);
    WriteJsonString(file, status == TL_OK ? "passed" : status == TL_ERROR_NOT_FOUND ? "none" : error.message);
  }

  void Profile(FILE* file) {
    tl_session_options options = options_;
    options.profile = 1;
    tl_session* session = nullptr;
    tl_error error = {};
    Check(tl_session_create(model_, &options, &session, &error), error);
    SetInputs(session);
    for (uint32_t i = 0; i < kProfiledRuns; ++i) RunOnce(session);
    tl_profile_row row = {};
    for (size_t i = 0; tl_session_profile_row(session, i, &row) == TL_OK; ++i) {
      fprintf(file, i == 0 ? "\n{" : ",\n{");
      WriteField(file, "instruction", row.instruction);
      fprintf(file, "\"name\": ");
      WriteJsonString(file, row.name);
      fprintf(file, ", \"op\": ");
      WriteJsonString(file, row.op);
      fprintf(file, ",\n");
      WriteField(file, "runs", row.runs);
      WriteField(file, "total_ns", row.total_ns);
      fprintf(file, "\"min_ns\": %llu}", static_cast<unsigned long long>(row.min_ns));
    }
    tl_session_destroy(session);
  }

  BenchOptions bench_;
  tl_session_options options_;
  tl_model* model_ = nullptr;
  tl_session* session_ = nullptr;
  uint32_t num_inputs_ = 0;
  uint32_t num_outputs_ = 0;
  uint64_t open_ns_ = 0;
  uint64_t resident_before_ = 0;
  uint64_t resident_after_ = 0;
  uint64_t* times_ = nullptr;  // the first run, then those that count
  tl_memory memory_ = {};
  Input inputs_[kMaxInputs];
};

}  // namespace

int Bench(const char* bundle, const BenchOptions& bench, const tl_session_options& options) {
  Measured measured(bundle, bench, options);
  measured.ReadInputs();
  measured.Run();
  measured.WriteReport(options.profile);
  return 0;
}

}  // namespace tealight_device
