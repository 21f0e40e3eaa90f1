// SPDX-License-Identifier: Apache-2.0
// Numbers, strings and tensors in files and pipes, little-endian. string: u32 bytes, text. tensor: u32 dtype, u32 rank,
// i64 dims, u64 bytes, data. A stream that ends early ends the program: nobody is there to tell.
#ifndef TEALIGHT_DEVICE_STREAM_H_
#define TEALIGHT_DEVICE_STREAM_H_

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "include/tealight.h"

namespace tealight_device {

constexpr uint32_t kMaxInputs = 1024;
constexpr uint32_t kMaxRank = 8;

/// Writes a line to stderr and ends the program with status 1.
[[noreturn]] inline void Fail(const char* message) {
  fprintf(stderr, "tealight_runner: %s\n", message);
  exit(1);
}

inline void Read(FILE* file, void* data, size_t size) {
  if (size != 0 && fread(data, 1, size, file) != size) Fail("input ended, expected a whole command");
}

template <typename T>
T ReadNumber(FILE* file) {
  T value;
  Read(file, &value, sizeof(value));
  return value;
}

inline void Write(FILE* file, const void* data, size_t size) {
  if (size != 0 && fwrite(data, 1, size, file) != size) Fail("output cannot be written, expected room and a reader");
}

template <typename T>
void WriteNumber(FILE* file, T value) {
  Write(file, &value, sizeof(value));
}

inline void WriteString(FILE* file, const char* text) {
  WriteNumber<uint32_t>(file, static_cast<uint32_t>(strlen(text)));
  Write(file, text, strlen(text));
}

inline void WriteTensor(FILE* file, const tl_tensor& tensor) {
  WriteNumber<uint32_t>(file, static_cast<uint32_t>(tensor.dtype));
  WriteNumber<uint32_t>(file, tensor.rank);
  Write(file, tensor.shape, tensor.rank * sizeof(int64_t));
  WriteNumber<uint64_t>(file, tensor.data == nullptr ? 0 : tensor.size_bytes);
  if (tensor.data != nullptr) Write(file, tensor.data, tensor.size_bytes);
}

/// An input as it was sent; the memory is kept and grows.
struct Input {
  tl_tensor tensor = {};
  size_t capacity = 0;
};

inline void ReadTensor(FILE* file, Input* input) {
  tl_tensor& t = input->tensor;
  t.dtype = static_cast<tl_dtype>(ReadNumber<uint32_t>(file));
  t.rank = ReadNumber<uint32_t>(file);
  if (t.rank > kMaxRank) Fail("tensor of more than 8 dims, expected at most 8");
  Read(file, t.shape, t.rank * sizeof(int64_t));
  t.size_bytes = static_cast<size_t>(ReadNumber<uint64_t>(file));
  if (t.data == nullptr || t.size_bytes > input->capacity) {
    free(t.data);
    input->capacity = t.size_bytes > 64 ? t.size_bytes : 64;
    t.data = malloc(input->capacity);
    if (t.data == nullptr) Fail("out of memory for an input, expected it to fit");
  }
  Read(file, t.data, t.size_bytes);
}

}  // namespace tealight_device

#endif  // TEALIGHT_DEVICE_STREAM_H_
