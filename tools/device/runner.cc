// SPDX-License-Identifier: Apache-2.0
// Runs a bundle for a program on the other end of stdin and stdout: on a phone through adb, or under qemu-user.
//
//   tealight_runner BUNDLE [--threads N] [--isa NAME] [--entry-point N] [--profile] [--keep-intermediates]
//
// Everything is little-endian. string: u32 bytes, text. tensor: u32 dtype, u32 rank, i64 dims, u64 bytes, data.
// A reply begins with u32 tl_status; when it is not 0 a string follows, and nothing else.
// At start one reply: u32 inputs, u32 outputs, then for each name and tensor without data (open dims are -1).
// Commands:
//   u32 0                            end
//   u32 1, u64 deadline_ns, tensors  run with all inputs in order  -> all outputs, tensors
//   u32 2, u32 index                 -> a tensor of the last run (--keep-intermediates)
//   u32 3                            -> tl_memory: 4 x u64, u32 exact
//   u32 4                            -> u32 rows; each u32 instruction, name, op, u64 runs, total_ns, min_ns
//   u32 5, string                    open another bundle with the same options; replies as at start
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <new>

#include "include/tealight.h"

namespace {

constexpr uint32_t kMaxInputs = 1024;
constexpr uint32_t kMaxRank = 8;

// Ends the program: the other end is gone, nobody is there to tell.
void Fail(const char* message) {
  fprintf(stderr, "tealight_runner: %s\n", message);
  exit(1);
}

void Read(void* data, size_t size) {
  if (size != 0 && fread(data, 1, size, stdin) != size) Fail("input ended, expected a whole command");
}

template <typename T>
T ReadNumber() {
  T value;
  Read(&value, sizeof(value));
  return value;
}

void Write(const void* data, size_t size) {
  if (size != 0 && fwrite(data, 1, size, stdout) != size) Fail("output closed, expected a reader");
}

template <typename T>
void WriteNumber(T value) {
  Write(&value, sizeof(value));
}

void WriteString(const char* text) {
  WriteNumber<uint32_t>(static_cast<uint32_t>(strlen(text)));
  Write(text, strlen(text));
}

void WriteTensor(const tl_tensor& tensor) {
  WriteNumber<uint32_t>(static_cast<uint32_t>(tensor.dtype));
  WriteNumber<uint32_t>(tensor.rank);
  Write(tensor.shape, tensor.rank * sizeof(int64_t));
  WriteNumber<uint64_t>(tensor.data == nullptr ? 0 : tensor.size_bytes);
  if (tensor.data != nullptr) Write(tensor.data, tensor.size_bytes);
}

void WriteStatus(tl_status status, const tl_error& error) {
  WriteNumber<uint32_t>(static_cast<uint32_t>(status));
  if (status != TL_OK) WriteString(error.message);
}

// An input as it was sent; the memory is kept and grows.
struct Input {
  tl_tensor tensor = {};
  size_t capacity = 0;
};

void ReadTensor(Input* input) {
  tl_tensor& t = input->tensor;
  t.dtype = static_cast<tl_dtype>(ReadNumber<uint32_t>());
  t.rank = ReadNumber<uint32_t>();
  if (t.rank > kMaxRank) Fail("tensor of more than 8 dims, expected at most 8");
  Read(t.shape, t.rank * sizeof(int64_t));
  t.size_bytes = static_cast<size_t>(ReadNumber<uint64_t>());
  if (t.data == nullptr || t.size_bytes > input->capacity) {
    free(t.data);
    input->capacity = t.size_bytes > 64 ? t.size_bytes : 64;
    t.data = malloc(input->capacity);
    if (t.data == nullptr) Fail("out of memory for an input, expected it to fit");
  }
  Read(t.data, t.size_bytes);
}

class Runner {
 public:
  explicit Runner(const tl_session_options& options) : options_(options), entry_point_(options.entry_point) {}
  ~Runner() { Close(); }
  Runner(const Runner&) = delete;
  Runner& operator=(const Runner&) = delete;

  /// Opens a bundle in place of the one before and replies; false when that failed.
  bool Open(const char* path) {
    Close();
    tl_error error = {};
    tl_status status = tl_model_open(path, &model_, &error);
    if (status == TL_OK) status = tl_session_create(model_, &options_, &session_, &error);
    if (status != TL_OK) {
      WriteStatus(status, error);
      Close();
      return false;
    }
    num_inputs_ = static_cast<uint32_t>(tl_model_input_count(model_, entry_point_));
    num_outputs_ = static_cast<uint32_t>(tl_model_output_count(model_, entry_point_));
    if (num_inputs_ > kMaxInputs) Fail("too many inputs, expected at most 1024");
    Describe();
    return true;
  }

  void Describe() {
    WriteNumber<uint32_t>(TL_OK);
    WriteNumber(num_inputs_);
    WriteNumber(num_outputs_);
    tl_tensor info = {};
    for (uint32_t i = 0; i < num_inputs_; ++i) {
      WriteString(tl_model_input_name(model_, entry_point_, i));
      if (tl_model_input_info(model_, entry_point_, i, &info) != TL_OK) Fail("an input without description");
      WriteTensor(info);
    }
    for (uint32_t i = 0; i < num_outputs_; ++i) {
      WriteString(tl_model_output_name(model_, entry_point_, i));
      if (tl_model_output_info(model_, entry_point_, i, &info) != TL_OK) Fail("an output without description");
      WriteTensor(info);
    }
  }

  void Run() {
    const uint64_t deadline = ReadNumber<uint64_t>();
    for (uint32_t i = 0; i < num_inputs_; ++i) ReadTensor(&inputs_[i]);
    tl_error error = {};
    tl_status status = TL_OK;
    for (uint32_t i = 0; i < num_inputs_ && status == TL_OK; ++i) {
      status = tl_session_set_input(session_, i, &inputs_[i].tensor, &error);
    }
    if (status == TL_OK) status = tl_session_run(session_, deadline, &error);
    tl_tensor output = {};
    for (uint32_t i = 0; i < num_outputs_ && status == TL_OK; ++i) {
      status = tl_session_get_output(session_, i, &output, &error);
    }
    WriteStatus(status, error);
    for (uint32_t i = 0; i < num_outputs_ && status == TL_OK; ++i) {
      if (tl_session_get_output(session_, i, &output, &error) != TL_OK) Fail("an output is gone");
      WriteTensor(output);
    }
  }

  void GetTensor() {
    const uint32_t index = ReadNumber<uint32_t>();
    tl_tensor tensor = {};
    tl_error error = {};
    const tl_status status = tl_session_get_tensor(session_, index, &tensor, &error);
    WriteStatus(status, error);
    if (status == TL_OK) WriteTensor(tensor);
  }

  void Memory() {
    tl_memory memory = {};
    tl_session_memory(session_, &memory);
    WriteNumber<uint32_t>(TL_OK);
    WriteNumber(memory.arena_bytes);
    WriteNumber(memory.scratch_bytes);
    WriteNumber(memory.weights_bytes);
    WriteNumber(memory.state_bytes);
    WriteNumber<uint32_t>(memory.exact != 0);
  }

  void Profile() {
    const size_t rows = tl_session_profile_count(session_);
    WriteNumber<uint32_t>(TL_OK);
    WriteNumber<uint32_t>(static_cast<uint32_t>(rows));
    for (size_t i = 0; i < rows; ++i) {
      tl_profile_row row = {};
      if (tl_session_profile_row(session_, i, &row) != TL_OK) Fail("a profile row is gone");
      WriteNumber<uint32_t>(row.instruction);
      WriteString(row.name);
      WriteString(row.op);
      WriteNumber(row.runs);
      WriteNumber(row.total_ns);
      WriteNumber(row.min_ns);
    }
  }

  void Serve() {
    for (;;) {
      fflush(stdout);
      uint32_t command = 0;
      if (fread(&command, sizeof(command), 1, stdin) != 1 || command == 0) return;
      if (command == 5) {
        OpenNext();
      } else if (session_ == nullptr) {
        Fail("no bundle is open, expected command 5 first");
      } else if (command == 1) {
        Run();
      } else if (command == 2) {
        GetTensor();
      } else if (command == 3) {
        Memory();
      } else if (command == 4) {
        Profile();
      } else {
        Fail("unknown command, expected 0 to 5");
      }
    }
  }

 private:
  void OpenNext() {
    char path[4096];
    const uint32_t size = ReadNumber<uint32_t>();
    if (size >= sizeof(path)) Fail("path too long, expected fewer than 4096 bytes");
    Read(path, size);
    path[size] = 0;
    Open(path);
  }

  void Close() {
    tl_session_destroy(session_);
    tl_model_destroy(model_);
    session_ = nullptr;
    model_ = nullptr;
  }

  tl_session_options options_;
  size_t entry_point_;
  tl_model* model_ = nullptr;
  tl_session* session_ = nullptr;
  uint32_t num_inputs_ = 0;
  uint32_t num_outputs_ = 0;
  Input inputs_[kMaxInputs];
};

void ParseOptions(int argc, char** argv, tl_session_options* options) {
  tl_session_options_init(options, sizeof(*options));
  options->threads = 1;
  for (int i = 2; i < argc; ++i) {
    const bool more = i + 1 < argc;
    if (strcmp(argv[i], "--profile") == 0) {
      options->profile = 1;
    } else if (strcmp(argv[i], "--keep-intermediates") == 0) {
      options->keep_intermediates = 1;
    } else if (strcmp(argv[i], "--threads") == 0 && more) {
      options->threads = static_cast<uint32_t>(strtoul(argv[++i], nullptr, 10));
    } else if (strcmp(argv[i], "--entry-point") == 0 && more) {
      options->entry_point = strtoul(argv[++i], nullptr, 10);
    } else if (strcmp(argv[i], "--isa") == 0 && more) {
      options->isa = argv[++i];
    } else {
      Fail("unknown option, expected --threads, --isa, --entry-point, --profile or --keep-intermediates");
    }
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) Fail("no bundle, expected tealight_runner BUNDLE [options]");
  tl_session_options options;
  ParseOptions(argc, argv, &options);
  Runner* runner = new (malloc(sizeof(Runner))) Runner(options);
  const bool good = runner->Open(argv[1]);
  if (good) runner->Serve();
  fflush(stdout);
  runner->~Runner();
  free(runner);
  return good ? 0 : 1;
}
