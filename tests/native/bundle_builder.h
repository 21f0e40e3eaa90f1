// SPDX-License-Identifier: Apache-2.0
// Builds .tea files in memory for tests, right or deliberately wrong: change the object tables before Finish, the
// bytes after it.
#ifndef TEALIGHT_TESTS_BUNDLE_BUILDER_H_
#define TEALIGHT_TESTS_BUNDLE_BUILDER_H_

#include <stdlib.h>
#include <string.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "bundle/file.h"
#include "bundle/schema.h"

namespace tealight {

// 64-byte aligned bytes.
class Bytes {
 public:
  explicit Bytes(const std::vector<uint8_t>& from) : size_(from.size()) {
    if (posix_memalign(&memory_, 64, size_ == 0 ? 64 : size_) != 0) abort();
    if (size_ != 0) memcpy(memory_, from.data(), size_);
  }
  ~Bytes() { free(memory_); }
  Bytes(const Bytes&) = delete;
  Bytes& operator=(const Bytes&) = delete;
  const void* data() const { return memory_; }
  size_t size() const { return size_; }

 private:
  void* memory_ = nullptr;
  size_t size_ = 0;
};

struct TensorSpec {
  std::string name = "t";
  std::vector<int64_t> shape;
  schema::DType dtype = schema::DType::float32;
  int constant = -1;
  int64_t arena_offset = -1;
  schema::Layout layout = schema::Layout::plain;
  int layout_groups = 1;
};

struct InstructionSpec {
  std::string name;
  std::vector<int> inputs;
  std::vector<int> outputs;
  schema::OpAttributes op = schema::OpAttributes::Reshape;
  int then_program = 0;  // If
  int else_program = 0;
  int body_program = 0;  // Loop
  int carried = 0;
  schema::BinaryKind binary = schema::BinaryKind::add;
  schema::UnaryKind unary = schema::UnaryKind::relu;
  bool has_attributes = true;
};

struct SymbolSpec {
  std::string name;
  int64_t min = 0;
  int64_t max = -1;
};

struct ProgramSpec {
  std::string name = "main";
  std::vector<TensorSpec> tensors;
  std::vector<InstructionSpec> instructions;
  std::vector<int> inputs;
  std::vector<int> outputs;
  std::vector<SymbolSpec> symbols;
  bool is_static = true;
  uint64_t arena_bytes = 0;
};

struct ImageSpec {
  std::string input = "x";
  int height = 2;
  int width = 3;
  int channels = 1;
  std::string layout = "NHWC";
  std::string channel_order = "GRAY";
  std::vector<float> mean = {128};
  std::vector<float> scale = {0.5f};
};

struct GoldenSpec {
  int program = 0;
  std::vector<int> inputs;
  std::vector<int> outputs;
  std::vector<int64_t> input_dims;  // none = absent
};

struct BundleSpec {
  std::vector<ProgramSpec> programs;
  std::vector<std::vector<uint8_t>> constants;
  std::vector<std::pair<std::string, int>> entry_points = {{"main", 0}};
  std::vector<std::pair<std::string, std::string>> metadata;
  std::vector<ImageSpec> images;
  std::vector<std::pair<std::string, std::vector<std::string>>> labels;
  std::vector<GoldenSpec> golden;
  // Adds to the offset and size of constants, to break them.
  std::vector<std::pair<int64_t, int64_t>> constant_errors;

  template <typename T>
  int AddConstant(const std::vector<T>& values) {
    std::vector<uint8_t> bytes(values.size() * sizeof(T));
    if (!bytes.empty()) memcpy(bytes.data(), values.data(), bytes.size());
    constants.push_back(bytes);
    return static_cast<int>(constants.size()) - 1;
  }
};

inline flatbuffers::Offset<void> BuildAttributes(flatbuffers::FlatBufferBuilder* b, const InstructionSpec& spec) {
  if (!spec.has_attributes) return 0;
  switch (spec.op) {
    case schema::OpAttributes::If:
      return schema::CreateIf(*b, spec.then_program, spec.else_program).Union();
    case schema::OpAttributes::Loop:
      return schema::CreateLoop(*b, spec.body_program, spec.carried).Union();
    case schema::OpAttributes::Binary:
      return schema::CreateBinary(*b, spec.binary).Union();
    case schema::OpAttributes::Unary:
      return schema::CreateUnary(*b, spec.unary).Union();
    default:
      return schema::CreateReshape(*b).Union();  // every field of every table has a default
  }
}

inline flatbuffers::Offset<schema::Program> BuildProgram(flatbuffers::FlatBufferBuilder* b,
                                                         const ProgramSpec& program) {
  std::vector<flatbuffers::Offset<schema::Tensor>> tensors;
  for (const TensorSpec& t : program.tensors) {
    tensors.push_back(schema::CreateTensor(*b, b->CreateString(t.name), t.dtype, b->CreateVector(t.shape), 0,
                                           t.constant, t.layout, t.layout_groups, t.arena_offset));
  }
  std::vector<flatbuffers::Offset<schema::Instruction>> instructions;
  for (const InstructionSpec& i : program.instructions) {
    const auto attributes = BuildAttributes(b, i);
    instructions.push_back(schema::CreateInstruction(*b, b->CreateString(i.name), i.op, attributes,
                                                     b->CreateVector(i.inputs), b->CreateVector(i.outputs)));
  }
  std::vector<flatbuffers::Offset<schema::Symbol>> symbols;
  for (const SymbolSpec& s : program.symbols) {
    symbols.push_back(schema::CreateSymbol(*b, b->CreateString(s.name), s.min, s.max));
  }
  return schema::CreateProgram(*b, b->CreateString(program.name), b->CreateVector(tensors),
                               b->CreateVector(instructions), b->CreateVector(program.inputs),
                               b->CreateVector(program.outputs), b->CreateVector(symbols), program.is_static,
                               program.arena_bytes);
}

inline std::vector<uint8_t> BuildMetadata(const BundleSpec& spec, uint64_t data_offset) {
  flatbuffers::FlatBufferBuilder b;
  std::vector<flatbuffers::Offset<schema::Program>> programs;
  for (const ProgramSpec& program : spec.programs) programs.push_back(BuildProgram(&b, program));
  std::vector<flatbuffers::Offset<schema::EntryPoint>> entries;
  for (const auto& entry : spec.entry_points) {
    entries.push_back(schema::CreateEntryPoint(b, b.CreateString(entry.first), entry.second));
  }
  std::vector<flatbuffers::Offset<schema::Constant>> constants;
  uint64_t at = data_offset;
  for (size_t i = 0; i < spec.constants.size(); ++i) {
    const uint64_t alignment = spec.constants[i].size() > kPageAlignment ? kPageAlignment : kDataAlignment;
    at = (at + alignment - 1) / alignment * alignment;
    const auto error =
        i < spec.constant_errors.size() ? spec.constant_errors[i] : std::make_pair(int64_t{0}, int64_t{0});
    constants.push_back(schema::CreateConstant(b, at + static_cast<uint64_t>(error.first),
                                               spec.constants[i].size() + static_cast<uint64_t>(error.second)));
    at += spec.constants[i].size();
  }
  std::vector<flatbuffers::Offset<schema::KeyValue>> pairs;
  for (const auto& pair : spec.metadata) {
    pairs.push_back(schema::CreateKeyValue(b, b.CreateString(pair.first), b.CreateString(pair.second)));
  }
  std::vector<flatbuffers::Offset<schema::ImageInput>> images;
  for (const ImageSpec& i : spec.images) {
    images.push_back(schema::CreateImageInput(b, b.CreateString(i.input), i.height, i.width, i.channels,
                                              b.CreateString(i.layout), b.CreateString(i.channel_order),
                                              i.mean.empty() ? 0 : b.CreateVector(i.mean),
                                              i.scale.empty() ? 0 : b.CreateVector(i.scale)));
  }
  std::vector<flatbuffers::Offset<schema::Labels>> labels;
  for (const auto& l : spec.labels) {
    labels.push_back(schema::CreateLabels(b, b.CreateString(l.first), b.CreateVectorOfStrings(l.second)));
  }
  std::vector<flatbuffers::Offset<schema::Golden>> golden;
  for (const GoldenSpec& g : spec.golden) {
    golden.push_back(schema::CreateGolden(b, g.program, b.CreateVector(g.inputs), b.CreateVector(g.outputs),
                                          g.input_dims.empty() ? 0 : b.CreateVector(g.input_dims)));
  }
  schema::FinishBundleBuffer(
      b, schema::CreateBundle(b, b.CreateVector(programs), b.CreateVector(entries), b.CreateVector(constants),
                              b.CreateVector(images), b.CreateVector(labels), b.CreateVector(golden), 0,
                              b.CreateVector(pairs)));
  return std::vector<uint8_t>(b.GetBufferPointer(), b.GetBufferPointer() + b.GetSize());
}

template <typename T>
void Put(std::vector<uint8_t>* file, size_t at, T value) {
  memcpy(file->data() + at, &value, sizeof(value));
}

/// The whole file. The digest is left zero: the runtime does not read it.
inline std::vector<uint8_t> Finish(const BundleSpec& spec) {
  uint64_t data_size = 0;
  bool pages = false;
  for (const auto& constant : spec.constants) {
    const uint64_t alignment = constant.size() > kPageAlignment ? kPageAlignment : kDataAlignment;
    data_size = (data_size + alignment - 1) / alignment * alignment + constant.size();
  }
  pages = data_size > kPageAlignment;
  const uint64_t alignment = pages ? kPageAlignment : kDataAlignment;
  const size_t metadata_size = BuildMetadata(spec, 1 << 20).size();  // 0 would be left out as the default
  const uint64_t data_offset = (kHeaderBytes + metadata_size + alignment - 1) / alignment * alignment;
  const std::vector<uint8_t> metadata = BuildMetadata(spec, data_offset);
  std::vector<uint8_t> file(data_offset + data_size);
  memcpy(file.data(), "TEAL", 4);
  Put<uint32_t>(&file, 4, kFormatVersion);
  Put<uint64_t>(&file, 16, file.size());
  Put<uint64_t>(&file, 24, kHeaderBytes);
  Put<uint64_t>(&file, 32, metadata.size());
  Put<uint64_t>(&file, 40, data_offset);
  Put<uint64_t>(&file, 48, data_size);
  memcpy(file.data() + kHeaderBytes, metadata.data(), metadata.size());
  uint64_t at = data_offset;
  for (const auto& constant : spec.constants) {
    const uint64_t step = constant.size() > kPageAlignment ? kPageAlignment : kDataAlignment;
    at = (at + step - 1) / step * step;
    if (!constant.empty()) memcpy(file.data() + at, constant.data(), constant.size());
    at += constant.size();
  }
  return file;
}

/// y = reshape(x, [3, 2]) with x float32 [2, 3], static, not in place.
inline BundleSpec ReshapeBundle() {
  BundleSpec spec;
  const int shape = spec.AddConstant<int64_t>({3, 2});
  ProgramSpec program;
  program.tensors = {{"x", {2, 3}}, {"shape", {2}, schema::DType::int64, shape}, {"y", {3, 2}}};
  program.tensors[2].arena_offset = 64;
  program.instructions = {{"reshape", {0, 1}, {2}}};
  program.inputs = {0};
  program.outputs = {2};
  program.arena_bytes = 128;
  spec.programs = {program};
  return spec;
}

/// z = reshape(reshape(x, [-1, 2]), [-1]) with x float32 [n, 2]; n is a symbol from 1 to 1000.
inline BundleSpec DynamicBundle() {
  BundleSpec spec;
  const int rows = spec.AddConstant<int64_t>({-1, 2});
  const int flat = spec.AddConstant<int64_t>({-1});
  ProgramSpec program;
  program.symbols = {{"n", 1, 1000}, {"flat"}};
  program.tensors = {{"x", {-1, 2}},
                     {"rows", {2}, schema::DType::int64, rows},
                     {"flat", {1}, schema::DType::int64, flat},
                     {"y", {-1, 2}},
                     {"z", {-2}}};
  program.instructions = {{"first", {0, 1}, {3}}, {"second", {3, 2}, {4}}};
  program.inputs = {0};
  program.outputs = {4};
  program.is_static = false;
  spec.programs = {program};
  return spec;
}

/// ReshapeBundle with golden data, a picture, labels and metadata.
inline BundleSpec DescribedBundle() {
  BundleSpec spec = ReshapeBundle();
  const int x = spec.AddConstant<float>({1, 2, 3, 4, 5, 6});
  spec.golden.push_back({0, {x}, {x}, {}});
  spec.images.resize(1);
  spec.labels = {{"y", {"cat", "dog"}}};
  spec.metadata = {{"task", "test"}};
  return spec;
}

/// y = x carried through a loop that never ends by itself; x float32 [4].
inline BundleSpec EndlessBundle() {
  BundleSpec spec;
  const int go = spec.AddConstant<uint8_t>({1});
  ProgramSpec body;
  body.name = "body";
  body.tensors = {{"i", {}, schema::DType::int64}, {"going", {}, schema::DType::bool_}, {"v", {4}}, {"w", {4}}};
  body.instructions = {{"negate", {2}, {3}, schema::OpAttributes::Unary}};
  body.instructions[0].unary = schema::UnaryKind::neg;
  body.inputs = {0, 1, 2};
  body.outputs = {1, 3};
  body.is_static = false;
  ProgramSpec main;
  main.tensors = {{"x", {4}}, {"go", {}, schema::DType::bool_, go}, {"y", {4}}};
  main.instructions = {{"loop", {-1, 1, 0}, {2}, schema::OpAttributes::Loop}};
  main.instructions[0].body_program = 1;
  main.instructions[0].carried = 1;
  main.inputs = {0};
  main.outputs = {2};
  main.is_static = false;
  spec.programs = {main, body};
  return spec;
}

}  // namespace tealight

#endif  // TEALIGHT_TESTS_BUNDLE_BUILDER_H_
