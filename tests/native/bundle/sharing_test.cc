// SPDX-License-Identifier: Apache-2.0
// Small files whose tables share long texts or lists: read once for each table, they would take minutes to open.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "bundle_builder.h"
#include "runtime/model.h"

namespace tealight {
namespace {

constexpr size_t kMany = 20000;

using Builder = flatbuffers::FlatBufferBuilder;

// A file of the metadata in b, which has been finished but for its root, and no data.
Status Open(Builder* b, flatbuffers::Offset<schema::Bundle> root) {
  schema::FinishBundleBuffer(*b, root);
  std::vector<uint8_t> file((kHeaderBytes + b->GetSize() + 63) / 64 * 64);
  memcpy(file.data(), "TEAL", 4);
  Put<uint32_t>(&file, 4, kFormatVersion);
  Put<uint64_t>(&file, 16, file.size());
  Put<uint64_t>(&file, 24, kHeaderBytes);
  Put<uint64_t>(&file, 32, b->GetSize());
  Put<uint64_t>(&file, 40, file.size());
  memcpy(file.data() + kHeaderBytes, b->GetBufferPointer(), b->GetSize());
  const Bytes bytes(file);
  Model model;
  return model.OpenMemory(bytes.data(), bytes.size());
}

template <typename T>
auto Repeat(Builder* b, T item) {
  return b->CreateVector(std::vector<T>(kMany, item));
}

// A bundle of these programs, and labels or none.
template <typename Programs, typename Labels>
flatbuffers::Offset<schema::Bundle> MakeBundle(Builder* b, Programs programs, Labels labels) {
  const auto entry = schema::CreateEntryPoint(*b, b->CreateString("main"), 0);
  const auto entries = b->CreateVector(&entry, 1);
  schema::BundleBuilder bundle(*b);
  bundle.add_programs(programs);
  bundle.add_entry_points(entries);
  bundle.add_labels(labels);
  return bundle.Finish();
}

void ExpectRefused(const Status& status, const char* part) {
  EXPECT_EQ(status.code(), TL_ERROR_INVALID_BUNDLE) << status.message();
  EXPECT_NE(std::string(status.message()).find(part), std::string::npos) << status.message();
}

TEST(Sharing, ListsOfLabels) {
  Builder b;
  const auto text = b.CreateString("cat");
  const auto labels = Repeat(&b, schema::CreateLabels(b, text, Repeat(&b, text)));
  const auto program = schema::CreateProgram(b, text);
  ExpectRefused(Open(&b, MakeBundle(&b, b.CreateVector(&program, 1), labels)), "metadata: damaged");
}

TEST(Sharing, TextsOfLabels) {
  Builder b;
  const auto text = b.CreateString(std::string(10 * kMany, 'x'));
  const auto label = schema::CreateLabels(b, b.CreateString("y"), Repeat(&b, text));
  const auto program = schema::CreateProgram(b, text);
  ExpectRefused(Open(&b, MakeBundle(&b, b.CreateVector(&program, 1), b.CreateVector(&label, 1))),
                "share texts or lists");
}

TEST(Sharing, NamesOfTensors) {
  Builder b;
  const auto name = b.CreateString(std::string(10 * kMany, 'x'));
  const auto tensor = schema::CreateTensor(b, name, schema::DType::float32);
  const auto program = schema::CreateProgram(b, name, Repeat(&b, tensor));
  ExpectRefused(Open(&b, MakeBundle(&b, b.CreateVector(&program, 1), 0)), "share texts or lists");
}

TEST(Sharing, OutputsOfPrograms) {
  Builder b;
  const auto tensor = schema::CreateTensor(b, 0, schema::DType::float32);
  const int32_t input = 0;
  const auto program = schema::CreateProgram(b, 0, b.CreateVector(&tensor, 1), 0, b.CreateVector(&input, 1),
                                             b.CreateVector(std::vector<int32_t>(5 * kMany, 0)));
  ExpectRefused(Open(&b, MakeBundle(&b, Repeat(&b, program), 0)), "share texts or lists");
}

TEST(Sharing, SizesOfSplits) {
  Builder b;
  const auto tensor = schema::CreateTensor(b, 0, schema::DType::float32);
  const auto split = schema::CreateSplit(b, 0, b.CreateVector(std::vector<int64_t>(kMany, 0))).Union();
  const auto instruction = schema::CreateInstruction(b, 0, schema::OpAttributes::Split, split);
  const auto program = schema::CreateProgram(b, 0, b.CreateVector(&tensor, 1), Repeat(&b, instruction));
  ExpectRefused(Open(&b, MakeBundle(&b, b.CreateVector(&program, 1), 0)), "share texts or lists");
}

}  // namespace
}  // namespace tealight
