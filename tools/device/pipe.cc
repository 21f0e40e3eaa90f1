// SPDX-License-Identifier: Apache-2.0
#include "pipe.h"

#include <new>

#include "stream.h"

namespace tealight_device {
namespace {

void WriteStatus(tl_status status, const tl_error& error) {
  WriteNumber<uint32_t>(stdout, static_cast<uint32_t>(status));
  if (status != TL_OK) WriteString(stdout, error.message);
}

class Server {
 public:
  explicit Server(const tl_session_options& options) : options_(options), entry_point_(options.entry_point) {}
  ~Server() { Close(); }
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

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
    WriteNumber<uint32_t>(stdout, TL_OK);
    WriteNumber(stdout, num_inputs_);
    WriteNumber(stdout, num_outputs_);
    tl_tensor info = {};
    for (uint32_t i = 0; i < num_inputs_; ++i) {
      WriteString(stdout, tl_model_input_name(model_, entry_point_, i));
      if (tl_model_input_info(model_, entry_point_, i, &info) != TL_OK) Fail("an input without description");
      WriteTensor(stdout, info);
    }
    for (uint32_t i = 0; i < num_outputs_; ++i) {
      WriteString(stdout, tl_model_output_name(model_, entry_point_, i));
      if (tl_model_output_info(model_, entry_point_, i, &info) != TL_OK) Fail("an output without description");
      WriteTensor(stdout, info);
    }
  }

  void Run() {
    const uint64_t deadline = ReadNumber<uint64_t>(stdin);
    for (uint32_t i = 0; i < num_inputs_; ++i) ReadTensor(stdin, &inputs_[i]);
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
      WriteTensor(stdout, output);
    }
  }

  void GetTensor() {
    const uint32_t index = ReadNumber<uint32_t>(stdin);
    tl_tensor tensor = {};
    tl_error error = {};
    const tl_status status = tl_session_get_tensor(session_, index, &tensor, &error);
    WriteStatus(status, error);
    if (status == TL_OK) WriteTensor(stdout, tensor);
  }

  void Memory() {
    tl_memory memory = {};
    tl_session_memory(session_, &memory);
    WriteNumber<uint32_t>(stdout, TL_OK);
    WriteNumber(stdout, memory.arena_bytes);
    WriteNumber(stdout, memory.scratch_bytes);
    WriteNumber(stdout, memory.weights_bytes);
    WriteNumber(stdout, memory.state_bytes);
    WriteNumber<uint32_t>(stdout, memory.exact != 0);
  }

  void Profile() {
    const size_t rows = tl_session_profile_count(session_);
    WriteNumber<uint32_t>(stdout, TL_OK);
    WriteNumber<uint32_t>(stdout, static_cast<uint32_t>(rows));
    for (size_t i = 0; i < rows; ++i) {
      tl_profile_row row = {};
      if (tl_session_profile_row(session_, i, &row) != TL_OK) Fail("a profile row is gone");
      WriteNumber<uint32_t>(stdout, row.instruction);
      WriteString(stdout, row.name);
      WriteString(stdout, row.op);
      WriteNumber(stdout, row.runs);
      WriteNumber(stdout, row.total_ns);
      WriteNumber(stdout, row.min_ns);
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
    const uint32_t size = ReadNumber<uint32_t>(stdin);
    if (size >= sizeof(path)) Fail("path too long, expected fewer than 4096 bytes");
    Read(stdin, path, size);
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

}  // namespace

int ServePipe(const char* bundle, const tl_session_options& options) {
  Server* server = new (malloc(sizeof(Server))) Server(options);
  const bool good = server->Open(bundle);
  if (good) server->Serve();
  fflush(stdout);
  server->~Server();
  free(server);
  return good ? 0 : 1;
}

}  // namespace tealight_device
