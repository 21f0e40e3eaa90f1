// SPDX-License-Identifier: Apache-2.0
// Damages bundles at random and opens and runs what is left: anything but a crash is right. Built with the sanitizers
// (TL_SANITIZE=address,undefined) it finds what a crash would hide.
//
//   tealight_mutate SEED COUNT BUNDLE...     COUNT mutations of each bundle
//   tealight_mutate SEED COUNT BUNDLE --only N   only mutation N, to look into one
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "include/tealight.h"

namespace {

constexpr size_t kHeaderBytes = 128;
constexpr size_t kMaxInputBytes = 8 << 20;
constexpr uint64_t kMemoryLimit = 64 << 20;
constexpr uint64_t kDeadlineNs = 100 * 1000000ull;
constexpr unsigned kHangSeconds = 30;
constexpr int64_t kSymbolSize = 3;  // for dims that are not fixed

// xorshift64*: the same sequence everywhere.
class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed * 2654435769u + 88172645463325252ull) {}
  uint64_t Next() {
    state_ ^= state_ >> 12;
    state_ ^= state_ << 25;
    state_ ^= state_ >> 27;
    return state_ * 2685821657736338717ull;
  }
  size_t Below(size_t n) { return n == 0 ? 0 : static_cast<size_t>(Next() % n); }

 private:
  uint64_t state_;
};

struct File {
  uint8_t* data = nullptr;
  size_t size = 0;
};

File ReadFile(const char* path) {
  File file;
  FILE* stream = fopen(path, "rb");
  if (stream == nullptr) return file;
  fseek(stream, 0, SEEK_END);
  file.size = static_cast<size_t>(ftell(stream));
  fseek(stream, 0, SEEK_SET);
  if (posix_memalign(reinterpret_cast<void**>(&file.data), 64, file.size + 1) != 0) abort();
  if (fread(file.data, 1, file.size, stream) != file.size) abort();
  fclose(stream);
  return file;
}

int64_t InterestingNumber(Random* random) {
  constexpr int64_t kNumbers[] = {-1,        0,         1,          2,         -2,        3,         7,         8,
                                  16,        17,        64,         127,       -128,      255,       65535,     1 << 20,
                                  INT32_MAX, INT32_MIN, UINT32_MAX, INT64_MAX, INT64_MIN, 1ll << 40, 1ll << 33, 1000};
  return kNumbers[random->Below(sizeof(kNumbers) / sizeof(kNumbers[0]))];
}

// Mostly in the metadata, as the kernels must take any weights anyway.
void Mutate(uint8_t* data, size_t size, Random* random) {
  uint64_t metadata_size = 0;
  memcpy(&metadata_size, data + 32, sizeof(metadata_size));
  for (size_t left = 1 + random->Below(3); left > 0; --left) {
    const size_t where = random->Below(20);
    size_t begin = kHeaderBytes;
    size_t end = kHeaderBytes + static_cast<size_t>(metadata_size);
    if (where == 0) begin = 0;
    if (where <= 3) end = size;
    if (end > size || begin >= end) end = size;
    const size_t at = begin + random->Below(end - begin);
    const size_t kind = random->Below(8);
    const int64_t number = InterestingNumber(random);
    if (kind < 2) {
      data[at] = static_cast<uint8_t>(data[at] ^ (1u << random->Below(8)));
    } else if (kind == 2) {
      data[at] = static_cast<uint8_t>(random->Next());
    } else if (kind < 6) {
      const size_t aligned = at & ~size_t{3};
      const int32_t narrow = static_cast<int32_t>(number);
      if (aligned + sizeof(narrow) <= size) memcpy(data + aligned, &narrow, sizeof(narrow));
    } else {
      const size_t aligned = at & ~size_t{7};
      if (aligned + sizeof(number) <= size) memcpy(data + aligned, &number, sizeof(number));
    }
  }
}

// Fills an input: random bytes, or small numbers, which get further as indices and shapes.
bool FillInput(tl_tensor* tensor, Random* random) {
  static constexpr size_t kSizes[16] = {0, 4, 2, 8, 1, 1, 2, 2, 4, 4, 8, 8, 1, 2, 0, 0};
  const size_t width = kSizes[tensor->dtype & 15];
  size_t elements = 1;
  for (uint32_t i = 0; i < tensor->rank; ++i) {
    if (tensor->shape[i] < 0) tensor->shape[i] = kSymbolSize;
    if (__builtin_mul_overflow(elements, static_cast<size_t>(tensor->shape[i]), &elements)) return false;
  }
  if (width == 0 || elements > kMaxInputBytes / width) return false;
  tensor->size_bytes = elements * width;
  tensor->data = calloc(1, tensor->size_bytes + 1);
  uint8_t* bytes = static_cast<uint8_t*>(tensor->data);
  const size_t kind = random->Below(3);
  for (size_t i = 0; i < elements && kind != 0; ++i) {
    if (kind == 1) {
      bytes[i * width] = static_cast<uint8_t>(random->Below(4));
    } else {
      for (size_t j = 0; j < width; ++j) bytes[i * width + j] = static_cast<uint8_t>(random->Next());
    }
  }
  if (tensor->dtype == TL_DTYPE_BOOL) {
    for (size_t i = 0; i < elements; ++i) bytes[i] &= 1;
  }
  return true;
}

// Returns whether the run went through.
bool RunSession(const tl_model* model, size_t entry_point, Random* random) {
  tl_session_options options;
  tl_session_options_init(&options);
  options.entry_point = entry_point;
  options.threads = 1 + static_cast<uint32_t>(random->Below(2));
  options.memory_limit = kMemoryLimit;
  options.keep_intermediates = random->Below(4) == 0;
  size_t isas = 0;
  while (tl_isa_name(isas) != nullptr) ++isas;
  options.isa = tl_isa_name(random->Below(isas));
  tl_session* session = nullptr;
  if (tl_session_create(model, &options, &session, nullptr) != TL_OK) return false;
  constexpr size_t kMaxInputs = 64;
  void* kept[kMaxInputs] = {};
  const size_t inputs = tl_model_input_count(model, entry_point);
  bool good = inputs <= kMaxInputs;
  for (size_t i = 0; good && i < inputs; ++i) {
    tl_tensor tensor = {};
    good = tl_model_input_info(model, entry_point, i, &tensor) == TL_OK && FillInput(&tensor, random) &&
           tl_session_set_input(session, i, &tensor, nullptr) == TL_OK;
    kept[i] = tensor.data;
  }
  for (int run = 0; good && run < 2; ++run) good = tl_session_run(session, kDeadlineNs, nullptr) == TL_OK;
  uint8_t sum = 0;
  for (size_t i = 0; good && i < tl_model_output_count(model, entry_point); ++i) {
    tl_tensor tensor = {};
    if (tl_session_get_output(session, i, &tensor, nullptr) != TL_OK) continue;
    for (size_t j = 0; j < tensor.size_bytes; ++j)
      sum = static_cast<uint8_t>(sum + static_cast<uint8_t*>(tensor.data)[j]);
  }
  tl_session_destroy(session);
  for (void* data : kept) free(data);
  return good;
}

// One mutation; returns 0 when it did not open, 1 when it did not run, 2 when it ran.
int Try(const File& good, uint64_t seed) {
  File file;
  file.size = good.size;
  if (posix_memalign(reinterpret_cast<void**>(&file.data), 64, good.size) != 0) abort();
  memcpy(file.data, good.data, good.size);
  Random random(seed);
  Mutate(file.data, file.size, &random);
  tl_model* model = nullptr;
  int result = 0;
  alarm(kHangSeconds);
  if (tl_model_open_memory(file.data, file.size, &model, nullptr) == TL_OK) {
    result = 1;
    for (size_t i = 0; i < tl_model_entry_point_count(model) && i < 2; ++i) {
      if (RunSession(model, i, &random)) result = 2;
    }
    tl_model_destroy(model);
  }
  alarm(0);
  free(file.data);
  return result;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 4) {
    fprintf(stderr, "usage: tealight_mutate SEED COUNT BUNDLE... [--only N]\n");
    return 2;
  }
  const uint64_t seed = strtoull(argv[1], nullptr, 10);
  const uint64_t count = strtoull(argv[2], nullptr, 10);
  const bool only = argc == 6 && strcmp(argv[4], "--only") == 0;
  unsigned long long results[3] = {};
  for (int i = 3; i < (only ? 4 : argc); ++i) {
    const File file = ReadFile(argv[i]);
    if (file.data == nullptr || file.size < kHeaderBytes) {
      fprintf(stderr, "%s: not readable, expected a bundle\n", argv[i]);
      return 2;
    }
    for (uint64_t n = only ? strtoull(argv[5], nullptr, 10) : 0; n < count; ++n) {
      fprintf(stderr, "\r%s mutation %llu", argv[i], static_cast<unsigned long long>(n));
      ++results[Try(file, seed * 1000003 + n)];
      if (only) break;
    }
    free(file.data);
  }
  fprintf(stderr, "\n");
  printf("refused at load: %llu, refused at run: %llu, ran: %llu\n", results[0], results[1], results[2]);
  return 0;
}
