// SPDX-License-Identifier: Apache-2.0
// Opens and runs damaged bundles in this process: no variant may crash, hang or fail without a message.
//   fuzz_bundle BASE.tea COUNT SEED [FIELDS]   variants that it makes itself; FIELDS lists the scalars of the metadata
//                                              (tools/fuzz/mutate.py writes it)
//   fuzz_bundle - SEED [BASE.tea]              whole variants from stdin, each with its size (u64) before it
// Prints one JSON line of counts. FUZZ_ONLY=k runs variant k alone; FUZZ_SAVE=path keeps its bytes.
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <map>
#include <random>
#include <string>
#include <vector>

#include "include/tealight.h"

#if defined(__SANITIZE_ADDRESS__)
extern "C" void __sanitizer_set_death_callback(void (*callback)());
#endif

namespace {

constexpr uint64_t kDeadlineNs = 1000000000;
constexpr uint64_t kMemoryLimit = 256u << 20;
constexpr size_t kMaxInputBytes = 16u << 20;
constexpr size_t kMaxOpenBytes = 256u << 10;
constexpr unsigned kHangSeconds = 60;
constexpr uint64_t kRunBudgetNs = 8000000000;  // of processor time; later runs are made for one variant in 64

struct Field {
  uint32_t offset;  // in the file
  uint16_t bytes;
  uint16_t kind;  // fields of one kind are of one field of one table
};

// What was being done, for the report of a crash or hang.
char g_where[512] = "start";

void Report() {
  const ssize_t unused = write(2, g_where, strlen(g_where));
  (void)unused;
}

void OnAlarm(int) {
  Report();
  _exit(3);
}

// Of this process: other load on the machine does not count; who waits for ever is ended by the alarm.
uint64_t CpuNs() {
  timespec now;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<uint64_t>(now.tv_sec) * 1000000000u + static_cast<uint64_t>(now.tv_nsec);
}

// Memory of exactly `size` bytes, 64-byte aligned, so that a read past the end is seen.
class Buffer {
 public:
  explicit Buffer(size_t size) : size_(size) {
    if (posix_memalign(&data_, 64, size > 0 ? size : 1) != 0) abort();
  }
  ~Buffer() { free(data_); }
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;
  uint8_t* data() { return static_cast<uint8_t*>(data_); }
  size_t size() const { return size_; }

 private:
  void* data_ = nullptr;
  size_t size_;
};

// The shape of each input.
using Shapes = std::vector<std::vector<int64_t>>;

struct Totals {
  Shapes known;  // with which the base runs
  std::map<int, int> codes;
  int ran = 0;
  int silent = 0;   // failures without a message
  int skipped = 0;  // sound variants that were not run
  uint64_t slowest_ns = 0;
  uint64_t runs_ns = 0;
  std::map<std::string, int> samples;
};

bool Note(Totals* totals, const tl_error& error) {
  ++totals->codes[static_cast<int>(error.code)];
  if (error.code == TL_OK) return true;
  if (error.message[0] == 0 || memchr(error.message, 0, sizeof(error.message)) == nullptr) ++totals->silent;
  if (getenv("FUZZ_VERBOSE") != nullptr) {
    std::string text = error.message;
    for (char& c : text) c = c >= '0' && c <= '9' ? '#' : c;
    ++totals->samples[text.substr(0, 110)];
  }
  return false;
}

size_t SizeOf(tl_dtype dtype) {
  static const uint8_t kSizes[16] = {0, 4, 2, 8, 1, 1, 2, 2, 4, 4, 8, 8, 1, 2, 0, 0};
  return kSizes[static_cast<unsigned>(dtype) & 15];
}

// Gives every input zeros (or noise) of its declared shape; open dims get that of `known`, or a small size, often the
// same one. Notes the shapes in *used.
bool SetInputs(const tl_model* model, size_t entry_point, tl_session* session, const Shapes& known, Shapes* used,
               std::vector<Buffer*>* memory, std::mt19937_64* rng, Totals* totals) {
  static const int64_t kDims[] = {1, 1, 1, 2, 3, 4, 7, 16, 64, 512};
  const auto pick = [&] { return kDims[(*rng)() % (sizeof(kDims) / sizeof(kDims[0]))]; };
  const bool noise = (*rng)() % 2 != 0;
  const int64_t common = pick();
  for (size_t i = 0; i < tl_model_input_count(model, entry_point); ++i) {
    tl_tensor tensor;
    if (tl_model_input_info(model, entry_point, i, &tensor) != TL_OK) return false;
    const tl_tensor declared = tensor;
    uint64_t bytes = SizeOf(tensor.dtype);
    for (uint32_t d = 0; d < tensor.rank; ++d) {
      if (tensor.shape[d] < 0) {
        const bool is_known = i < known.size() && d < known[i].size();
        tensor.shape[d] = is_known ? known[i][d] : (*rng)() % 2 != 0 ? common : pick();
      }
      if (__builtin_mul_overflow(bytes, static_cast<uint64_t>(tensor.shape[d]), &bytes)) return false;
    }
    if (bytes > kMaxOpenBytes) {  // open dims only make it slow
      bytes = SizeOf(tensor.dtype);
      for (uint32_t d = 0; d < tensor.rank; ++d) {
        tensor.shape[d] = declared.shape[d] < 0 ? 1 : declared.shape[d];
        if (__builtin_mul_overflow(bytes, static_cast<uint64_t>(tensor.shape[d]), &bytes)) return false;
      }
    }
    if (bytes > kMaxInputBytes) return false;
    used->emplace_back(tensor.shape, tensor.shape + tensor.rank);
    memory->push_back(new Buffer(static_cast<size_t>(bytes)));
    tensor.data = memory->back()->data();
    tensor.size_bytes = static_cast<size_t>(bytes);
    memset(tensor.data, 0, tensor.size_bytes);
    for (size_t k = 0; noise && k < tensor.size_bytes; ++k) memory->back()->data()[k] = static_cast<uint8_t>((*rng)());
    tl_error error;
    tl_session_set_input(session, i, &tensor, &error);
    if (!Note(totals, error)) return false;
  }
  return true;
}

// Shapes with which a bundle runs; none where no such are found soon. Those of a real model fit each other only by
// luck, and a run that its first instruction refuses tries nothing.
Shapes FindShapes(const std::vector<uint8_t>& bundle) {
  constexpr uint64_t kSearchNs = 2000000000;
  constexpr int kTries = 10000;
  Buffer copy(bundle.size());
  memcpy(copy.data(), bundle.data(), bundle.size());
  Shapes found;
  tl_model* model = nullptr;
  tl_session* session = nullptr;
  if (tl_model_open_memory(copy.data(), copy.size(), &model, nullptr) != TL_OK) return found;
  if (tl_session_create(model, nullptr, &session, nullptr) == TL_OK) {
    std::mt19937_64 rng(1);
    Totals unused;
    const uint64_t start = CpuNs();
    for (int i = 0; found.empty() && i < kTries && CpuNs() - start < kSearchNs; ++i) {
      Shapes shapes;
      std::vector<Buffer*> memory;
      const bool is_set = SetInputs(model, 0, session, {}, &shapes, &memory, &rng, &unused);
      if (is_set && tl_session_run(session, kDeadlineNs, nullptr) == TL_OK) found = shapes;
      for (Buffer* buffer : memory) delete buffer;
    }
    tl_session_destroy(session);
  }
  tl_model_destroy(model);
  return found;
}

void ReadOutputs(const tl_session* session, size_t count) {
  volatile uint8_t sum = 0;
  for (size_t i = 0; i < count; ++i) {
    tl_tensor output;
    if (tl_session_get_output(session, i, &output, nullptr) != TL_OK) continue;
    const uint8_t* bytes = static_cast<const uint8_t*>(output.data);
    for (size_t k = 0; k < output.size_bytes; ++k) sum = static_cast<uint8_t>(sum + bytes[k]);
  }
}

// Reads all that a bundle says about itself.
void ReadDescriptions(const tl_model* model) {
  size_t bytes = 0;
  for (size_t i = 0; const char* key = tl_model_metadata_key(model, i); ++i) {
    bytes += strlen(key) + strlen(tl_model_metadata(model, key));
  }
  tl_image_info image;
  for (size_t i = 0; tl_model_image_info(model, i, &image) == TL_OK; ++i) {
    bytes += strlen(image.input);
    for (int32_t c = 0; c < image.channels; ++c) bytes += image.mean[c] < image.scale[c] ? 1 : 0;
  }
  for (size_t i = 0; i < tl_model_output_count(model, 0); ++i) {
    const char* output = tl_model_output_name(model, 0, i);
    for (size_t j = 0; const char* label = tl_model_label(model, output, j); ++j) bytes += strlen(label);
  }
  volatile size_t all = bytes;
  (void)all;
}

void RunSession(const tl_model* model, size_t entry_point, std::mt19937_64* rng, Totals* totals) {
  tl_session_options options;
  tl_session_options_init(&options, sizeof(options));
  size_t isas = 0;
  while (tl_isa_name(isas) != nullptr) ++isas;
  options.entry_point = entry_point;
  options.isa = (*rng)() % 16 != 0 ? nullptr : tl_isa_name((*rng)() % isas);
  options.threads = 1 + static_cast<uint32_t>((*rng)() % 2);
  options.keep_intermediates = (*rng)() % 8 == 0;
  options.memory_limit = kMemoryLimit;
  tl_session* session = nullptr;
  tl_error error;
  tl_session_create(model, &options, &session, &error);
  if (!Note(totals, error)) return;
  std::vector<Buffer*> memory;
  const bool is_run = totals->runs_ns < kRunBudgetNs || (*rng)() % 64 == 0 || getenv("FUZZ_ONLY") != nullptr;
  if (!is_run) ++totals->skipped;
  const uint64_t start = CpuNs();
  Shapes used;
  const Shapes known = entry_point == 0 && (*rng)() % 4 != 0 ? totals->known : Shapes();
  if (is_run && SetInputs(model, entry_point, session, known, &used, &memory, rng, totals)) {
    tl_session_run(session, kDeadlineNs, &error);
    if (Note(totals, error)) {
      ++totals->ran;
      ReadOutputs(session, tl_model_output_count(model, entry_point));
      if ((*rng)() % 8 == 0) tl_session_run(session, kDeadlineNs, nullptr);
    }
  }
  totals->runs_ns += CpuNs() - start;
  tl_session_destroy(session);
  for (Buffer* buffer : memory) delete buffer;
}

void RunVariant(Buffer* variant, uint64_t seed, Totals* totals) {
  std::mt19937_64 rng(seed);
  const uint64_t start = CpuNs();
  alarm(kHangSeconds);
  tl_model* model = nullptr;
  tl_error error;
  tl_model_open_memory(variant->data(), variant->size(), &model, &error);
  if (Note(totals, error)) {
    ReadDescriptions(model);
    for (size_t e = 0; e < tl_model_entry_point_count(model) && e < 2; ++e) RunSession(model, e, &rng, totals);
    tl_model_destroy(model);
  }
  alarm(0);
  const uint64_t elapsed = CpuNs() - start;
  if (elapsed > totals->slowest_ns) totals->slowest_ns = elapsed;
}

// ---- damage ----

class Mutator {
 public:
  Mutator(std::vector<uint8_t> base, std::vector<Field> fields) : base_(std::move(base)), fields_(std::move(fields)) {
    for (const Field& field : fields_) by_kind_[field.kind].push_back(field);
    memcpy(&metadata_, base_.data() + 32, 8);
    memcpy(&data_, base_.data() + 40, 8);
  }

  // Damages a copy of the base; returns its size.
  size_t Make(uint64_t seed, std::vector<uint8_t>* out, const char** what) {
    std::mt19937_64 rng(seed);
    *out = base_;
    const uint64_t choice = rng() % 100;
    if (choice < 8) {
      *what = "truncation";
      out->resize(rng() % 2 != 0 ? Pick(&rng, base_.size()) : Pick(&rng, data_ < base_.size() ? data_ : base_.size()));
    } else if (choice < 18) {
      *what = "header";
      for (uint64_t n = 1 + rng() % 3; n > 0; --n) Overwrite(&rng, out, Pick(&rng, 128), 1 + rng() % 8);
    } else if (choice < 40) {
      *what = "metadata bits";
      for (uint64_t n = 1 + rng() % 4; n > 0; --n)
        (*out)[128 + Pick(&rng, metadata_)] ^= static_cast<uint8_t>(1u << (rng() % 8));
    } else if (choice < 50) {
      *what = "metadata numbers";
      for (uint64_t n = 1 + rng() % 2; n > 0; --n) {
        const size_t bytes = size_t{1} << (rng() % 4);
        Overwrite(&rng, out, 128 + Pick(&rng, metadata_) / bytes * bytes, bytes);
      }
    } else if (choice < 90 && !fields_.empty()) {
      *what = "fields";
      for (uint64_t n = 1 + rng() % 3; n > 0; --n) ChangeField(&rng, out);
    } else if (choice < 94) {
      *what = "swapped segments";
      Swap(&rng, out);
    } else if (choice < 97) {
      *what = "data bits";
      for (uint64_t n = 1 + rng() % 16; n > 0; --n)
        (*out)[Pick(&rng, out->size())] ^= static_cast<uint8_t>(1u << (rng() % 8));
    } else {
      *what = "copied block";
      const size_t n = 1 + Pick(&rng, 64), from = 128 + Pick(&rng, metadata_), to = 128 + Pick(&rng, metadata_);
      if (from + n < out->size() && to + n < out->size()) memmove(out->data() + to, base_.data() + from, n);
    }
    if (rng() % 4 == 0 && out->size() > 24) {  // a reader that believes the header gets further
      const uint64_t size = out->size();
      memcpy(out->data() + 16, &size, 8);
    }
    return out->size();
  }

 private:
  static size_t Pick(std::mt19937_64* rng, uint64_t n) { return n == 0 ? 0 : static_cast<size_t>((*rng)() % n); }

  static uint64_t Number(std::mt19937_64* rng) {
    static const uint64_t kNumbers[] = {0,
                                        1,
                                        2,
                                        3,
                                        4,
                                        7,
                                        8,
                                        15,
                                        16,
                                        17,
                                        63,
                                        64,
                                        127,
                                        128,
                                        255,
                                        256,
                                        1000,
                                        4096,
                                        0x7fff,
                                        0x8000,
                                        0xffff,
                                        0x10000,
                                        0x7fffffff,
                                        0x80000000,
                                        0xffffffff,
                                        0x100000000,
                                        0x3fffffffffffffff,
                                        0x7fffffffffffffff,
                                        0x8000000000000000,
                                        ~uint64_t{0},
                                        ~uint64_t{1},
                                        ~uint64_t{7}};
    const uint64_t kind = (*rng)() % 4;
    if (kind == 0) return (*rng)();
    if (kind == 1) return (*rng)() % 300;
    return kNumbers[(*rng)() % (sizeof(kNumbers) / sizeof(kNumbers[0]))];
  }

  static void Overwrite(std::mt19937_64* rng, std::vector<uint8_t>* out, size_t at, size_t bytes) {
    const uint64_t value = Number(rng);
    if (at + bytes <= out->size()) memcpy(out->data() + at, &value, bytes);
  }

  // Another value of the same field of the same kind of table, a neighbour of the value, or any number.
  void ChangeField(std::mt19937_64* rng, std::vector<uint8_t>* out) {
    auto kind = by_kind_.begin();
    std::advance(kind, static_cast<long>(Pick(rng, by_kind_.size())));  // rare kinds as often as frequent ones
    const std::vector<Field>& same = (*rng)() % 2 != 0 ? kind->second : fields_;
    const Field& field = same[Pick(rng, same.size())];
    uint64_t value = 0;
    memcpy(&value, base_.data() + field.offset, field.bytes);
    switch ((*rng)() % 3) {
      case 0: {
        const std::vector<Field>& others = by_kind_[field.kind];
        memcpy(&value, base_.data() + others[Pick(rng, others.size())].offset, field.bytes);
        break;
      }
      case 1:
        value += (*rng)() % 5 - 2;
        break;
      default:
        value = Number(rng);
        break;
    }
    memcpy(out->data() + field.offset, &value, field.bytes);
  }

  void Swap(std::mt19937_64* rng, std::vector<uint8_t>* out) {
    const size_t n = size_t{64} << Pick(rng, 9);
    const size_t first = (*rng)() % 3 == 0 ? 0 : static_cast<size_t>(data_);
    if (first + 2 * n >= out->size()) return;
    const size_t span = (out->size() - first - n) / 64;
    const size_t a = first + Pick(rng, span) * 64, b = first + Pick(rng, span) * 64;
    std::vector<uint8_t> kept(base_.begin() + static_cast<long>(a), base_.begin() + static_cast<long>(a + n));
    memmove(out->data() + a, base_.data() + b, n);
    memcpy(out->data() + b, kept.data(), n);
  }

  std::vector<uint8_t> base_;
  std::vector<Field> fields_;
  std::map<uint16_t, std::vector<Field>> by_kind_;
  uint64_t metadata_ = 0;
  uint64_t data_ = 0;
};

std::vector<uint8_t> ReadFile(const char* path) {
  std::vector<uint8_t> bytes;
  FILE* file = fopen(path, "rb");
  if (file == nullptr) {
    fprintf(stderr, "%s: cannot be read\n", path);
    exit(2);
  }
  uint8_t block[65536];
  for (size_t n; (n = fread(block, 1, sizeof(block), file)) > 0;) bytes.insert(bytes.end(), block, block + n);
  fclose(file);
  return bytes;
}

void RunCopy(const std::vector<uint8_t>& bytes, const char* source, long index, const char* what, uint64_t seed,
             Totals* totals) {
  snprintf(g_where, sizeof(g_where), "\nfuzz_bundle: variant %ld (%s) of %s, seed %llu\n", index, what, source,
           static_cast<unsigned long long>(seed));
  Buffer exact(bytes.size());
  if (!bytes.empty()) memcpy(exact.data(), bytes.data(), bytes.size());
  RunVariant(&exact, seed + static_cast<uint64_t>(index), totals);
}

void RunOwn(char** argv, int argc, Totals* totals) {
  const char* only = getenv("FUZZ_ONLY");
  const char* save = getenv("FUZZ_SAVE");
  const long count = atol(argv[2]);
  const uint64_t seed = strtoull(argv[3], nullptr, 10);
  std::vector<Field> fields;
  if (argc > 4) {
    const std::vector<uint8_t> raw = ReadFile(argv[4]);
    fields.resize(raw.size() / sizeof(Field));
    if (!fields.empty()) memcpy(fields.data(), raw.data(), fields.size() * sizeof(Field));
  }
  const std::vector<uint8_t> base = ReadFile(argv[1]);
  totals->known = FindShapes(base);
  Mutator mutator(base, fields);
  std::vector<uint8_t> variant;
  for (long i = 0; i < count; ++i) {
    if (only != nullptr && atol(only) != i) continue;
    const char* what = "";
    mutator.Make(seed * 1000003 + static_cast<uint64_t>(i), &variant, &what);
    if (save != nullptr) {
      FILE* file = fopen(save, "wb");
      if (file != nullptr) {
        fwrite(variant.data(), 1, variant.size(), file);
        fclose(file);
      }
    }
    RunCopy(variant, argv[1], i, what, seed, totals);
  }
}

void RunStream(uint64_t seed, Totals* totals) {
  std::vector<uint8_t> variant;
  for (long i = 0;; ++i) {
    uint64_t size = 0;
    if (fread(&size, 8, 1, stdin) != 1) return;
    variant.resize(static_cast<size_t>(size));
    if (size != 0 && fread(variant.data(), 1, variant.size(), stdin) != variant.size()) return;
    RunCopy(variant, "stdin", i, "streamed", seed, totals);
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) {
    fprintf(stderr, "usage: fuzz_bundle BASE.tea COUNT SEED [FIELDS] | fuzz_bundle - SEED [BASE.tea]\n");
    return 2;
  }
  signal(SIGALRM, OnAlarm);
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_set_death_callback(Report);
#endif
  Totals totals;
  if (strcmp(argv[1], "-") == 0) {
    if (argc > 3) totals.known = FindShapes(ReadFile(argv[3]));
    RunStream(strtoull(argv[2], nullptr, 10), &totals);
  } else if (argc >= 4) {
    RunOwn(argv, argc, &totals);
  }
  printf("{\"ran\": %d, \"skipped\": %d, \"silent\": %d, \"slowest_ms\": %.1f, \"codes\": {", totals.ran,
         totals.skipped, totals.silent, static_cast<double>(totals.slowest_ns) / 1e6);
  bool first = true;
  for (const auto& [code, count] : totals.codes) {
    printf("%s\"%d\": %d", first ? "" : ", ", code, count);
    first = false;
  }
  printf("}}\n");
  for (const auto& [text, count] : totals.samples) fprintf(stderr, "%6d %s\n", count, text.c_str());
  return totals.silent == 0 ? 0 : 1;
}
