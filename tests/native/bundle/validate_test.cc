// SPDX-License-Identifier: Apache-2.0
// One broken file per rule: each is one mutation of a good file, and its message is checked.
#include "bundle/validate.h"

#include <gtest/gtest.h>

#include <functional>

#include "bundle_builder.h"
#include "include/tealight.h"
#include "runtime/model.h"

namespace tealight {
namespace {

Status Open(const std::vector<uint8_t>& file) {
  const Bytes bytes(file);
  Model model;
  return model.OpenMemory(bytes.data(), bytes.size());
}

void ExpectError(const Status& status, tl_status code, const char* part) {
  EXPECT_EQ(status.code(), code) << status.message();
  EXPECT_NE(std::string(status.message()).find(part), std::string::npos)
      << status.message() << " has no '" << part << "'";
}

void ExpectInvalid(const BundleSpec& spec, const char* part) {
  ExpectError(Open(Finish(spec)), TL_ERROR_INVALID_BUNDLE, part);
}

struct HeaderCase {
  const char* name;
  size_t at;
  uint64_t value;
  tl_status code;
  const char* message;
};

TEST(Header, EveryRule) {
  const HeaderCase cases[] = {
      {"magic", 0, 0x4c414542, TL_ERROR_INVALID_BUNDLE, "magic"},
      {"version 0", 4, 0, TL_ERROR_UNSUPPORTED_VERSION, "format version 0, expected 1 to 1"},
      {"version 2", 4, 2, TL_ERROR_UNSUPPORTED_VERSION, "format version 2"},
      {"features", 8, 0x10, TL_ERROR_UNSUPPORTED_VERSION, "required features 0x10"},
      {"file size", 16, 5, TL_ERROR_INVALID_BUNDLE, "file size is 5"},
      {"metadata offset", 24, 64, TL_ERROR_INVALID_BUNDLE, "metadata offset"},
      {"metadata size", 32, UINT64_MAX, TL_ERROR_INVALID_BUNDLE, "metadata size"},
      {"metadata small", 32, 3, TL_ERROR_INVALID_BUNDLE, "metadata: 3 bytes"},
      {"data offset", 40, 129, TL_ERROR_INVALID_BUNDLE, "data offset"},
      {"data offset high", 40, UINT64_MAX - 63, TL_ERROR_INVALID_BUNDLE, "data offset"},
      {"data size", 48, 1, TL_ERROR_INVALID_BUNDLE, "data size"},
      {"reserved", 88, 1, TL_ERROR_INVALID_BUNDLE, "reserved"},
      {"identifier", 132, 0, TL_ERROR_INVALID_BUNDLE, "identifier"},
      {"root", 128, 0xffffff00, TL_ERROR_INVALID_BUNDLE, "metadata"},
  };
  for (const HeaderCase& c : cases) {
    SCOPED_TRACE(c.name);
    std::vector<uint8_t> file = Finish(ReshapeBundle());
    if (c.at == 0 || c.at == 4 || c.at >= 128) {
      Put<uint32_t>(&file, c.at, static_cast<uint32_t>(c.value));
    } else {
      Put<uint64_t>(&file, c.at, c.value);
    }
    ExpectError(Open(file), c.code, c.message);
  }
}

TEST(Header, GoodFileOpens) { EXPECT_TRUE(Open(Finish(ReshapeBundle())).ok()); }

TEST(Header, MisalignedMemoryIsTheCallersMistake) {
  const Bytes bytes(Finish(ReshapeBundle()));
  Model model;
  ExpectError(model.OpenMemory(static_cast<const char*>(bytes.data()) + 8, bytes.size() - 8), TL_ERROR_INVALID_ARGUMENT,
              "64");
}

struct Case {
  const char* name;
  std::function<void(BundleSpec*)> mutate;
  const char* message;
};

void CheckCases(const std::vector<Case>& cases, const BundleSpec& good) {
  ASSERT_TRUE(Open(Finish(good)).ok()) << Open(Finish(good)).message();
  for (const Case& c : cases) {
    SCOPED_TRACE(c.name);
    BundleSpec spec = good;
    c.mutate(&spec);
    ExpectInvalid(spec, c.message);
  }
}

TEST(Validate, TensorRules) {
  CheckCases(
      {
          {"dtype none", [](BundleSpec* s) { s->programs[0].tensors[0].dtype = schema::DType::none; }, "dtype 0"},
          {"dtype unknown", [](BundleSpec* s) { s->programs[0].tensors[0].dtype = static_cast<schema::DType>(99); },
           "dtype 99"},
          {"rank", [](BundleSpec* s) { s->programs[0].tensors[0].shape.assign(9, 1); }, "rank 9"},
          {"overflow", [](BundleSpec* s) { s->programs[0].tensors[0].shape = {INT64_MAX, 16}; }, "overflow"},
          {"no such symbol", [](BundleSpec* s) { s->programs[0].tensors[0].shape = {-5, 1}; }, "symbols"},
          {"symbol in a static program",
           [](BundleSpec* s) {
             s->programs[0].symbols = {{"n"}};
             s->programs[0].tensors[0].shape = {-1, 1};
           },
           "static"},
          {"name", [](BundleSpec* s) { s->programs[0].tensors[0].name = std::string("a\0b", 3); }, "not text"},
          {"name utf-8", [](BundleSpec* s) { s->programs[0].tensors[0].name = "\xff"; }, "not text"},
          {"layout", [](BundleSpec* s) { s->programs[0].tensors[1].layout = static_cast<schema::Layout>(77); },
           "layout 77"},
          {"packed activation", [](BundleSpec* s) { s->programs[0].tensors[2].layout = schema::Layout::gemm_n16; },
           "expected a constant"},
          {"4-bit activation", [](BundleSpec* s) { s->programs[0].tensors[2].dtype = schema::DType::int4; },
           "expected a constant"},
          {"groups", [](BundleSpec* s) { s->programs[0].tensors[1].layout_groups = -3; }, "constant of 16 bytes"},
          {"arena end", [](BundleSpec* s) { s->programs[0].arena_bytes = 80; }, "arena offset"},
          {"arena alignment", [](BundleSpec* s) { s->programs[0].tensors[2].arena_offset = 32; }, "arena offset"},
          {"arena missing", [](BundleSpec* s) { s->programs[0].tensors[2].arena_offset = -1; }, "no arena offset"},
          {"arena huge", [](BundleSpec* s) { s->programs[0].arena_bytes = UINT64_MAX; }, "arena of"},
      },
      ReshapeBundle());
}

TEST(Validate, ConstantRules) {
  CheckCases(
      {
          {"index", [](BundleSpec* s) { s->programs[0].tensors[1].constant = 7; }, "constant 7"},
          {"negative", [](BundleSpec* s) { s->programs[0].tensors[1].constant = -7; }, "constant -7"},
          {"size", [](BundleSpec* s) { s->programs[0].tensors[1].shape = {3}; }, "expected 24"},
          {"offset", [](BundleSpec* s) { s->constant_errors = {{-64, 0}}; }, "end of the one before"},
          {"alignment", [](BundleSpec* s) { s->constant_errors = {{4, 0}}; }, "multiple of 64"},
          {"end", [](BundleSpec* s) { s->constant_errors = {{0, 1}}; }, "end of the file"},
          {"overflow", [](BundleSpec* s) { s->constant_errors = {{64, INT64_MIN}}; }, "constant 0"},
      },
      ReshapeBundle());
}

TEST(Validate, LargeConstantsStartOnAPage) {
  BundleSpec spec = ReshapeBundle();
  spec.AddConstant(std::vector<uint8_t>(20000));
  EXPECT_TRUE(Open(Finish(spec)).ok()) << Open(Finish(spec)).message();
  spec.constant_errors = {{0, 0}, {64, -64}};
  ExpectInvalid(spec, "multiple of 16384");
}

TEST(Validate, InstructionRules) {
  const auto instruction = [](BundleSpec* s) { return &s->programs[0].instructions[0]; };
  CheckCases(
      {
          {"operand range", [&](BundleSpec* s) { instruction(s)->inputs[0] = 99; }, "operand 0 is tensor 99"},
          {"operand negative", [&](BundleSpec* s) { instruction(s)->inputs[0] = -2; }, "operand 0 is tensor -2"},
          {"operand undefined", [&](BundleSpec* s) { instruction(s)->inputs[0] = 2; }, "defined before"},
          {"result range", [&](BundleSpec* s) { instruction(s)->outputs[0] = 99; }, "result 0 is tensor 99"},
          {"result is constant", [&](BundleSpec* s) { instruction(s)->outputs[0] = 1; }, "not defined before"},
          {"result is input", [&](BundleSpec* s) { instruction(s)->outputs[0] = 0; }, "not defined before"},
          {"result twice", [&](BundleSpec* s) { instruction(s)->outputs = {2, 2}; }, "not defined before"},
          {"no result", [&](BundleSpec* s) { instruction(s)->outputs[0] = -1; }, "no result"},
          {"no attributes", [&](BundleSpec* s) { instruction(s)->op = schema::OpAttributes::NONE; }, "no attributes"},
          {"null attributes", [&](BundleSpec* s) { instruction(s)->has_attributes = false; }, "no attributes"},
          {"name", [&](BundleSpec* s) { instruction(s)->name = "\xc0\x80"; }, "not text"},
          {"too many", [&](BundleSpec* s) { instruction(s)->inputs.assign(5000, 0); }, "5000 operands"},
      },
      ReshapeBundle());
}

// Only the op that it is for can say how many bytes a weight of conv_transpose_n32k4 has: nothing else may read one.
TEST(Validate, TransposedWeightsAreWeights) {
  BundleSpec spec;
  const int nothing = spec.AddConstant<int8_t>({});
  ProgramSpec program;
  program.tensors = {{"w", {1 << 22}, schema::DType::float32, nothing}, {"y", {1 << 22}}};
  program.tensors[0].layout = schema::Layout::conv_transpose_n32k4;
  program.instructions = {{"relu", {0}, {1}, schema::OpAttributes::Unary}};
  program.outputs = {1};
  program.is_static = false;
  spec.programs = {program};
  ExpectInvalid(spec, "operand 0 in layout conv_transpose_n32k4, expected it as the weight");
  spec.programs[0].instructions.clear();
  spec.programs[0].outputs = {0};
  ExpectInvalid(spec, "output 0 is float32 in layout conv_transpose_n32k4, expected whole bytes in the plain layout");
}

TEST(Validate, UnknownOpIsUnsupported) {
  BundleSpec spec = ReshapeBundle();
  spec.programs[0].instructions[0].op = static_cast<schema::OpAttributes>(250);
  ExpectError(Open(Finish(spec)), TL_ERROR_UNSUPPORTED_OP, "op 250");
}

TEST(Validate, ProgramRules) {
  CheckCases(
      {
          {"input twice", [](BundleSpec* s) { s->programs[0].inputs = {0, 0}; }, "input 1 is tensor 0"},
          {"input is constant", [](BundleSpec* s) { s->programs[0].inputs = {0, 1}; }, "input 1 is tensor 1"},
          {"input range", [](BundleSpec* s) { s->programs[0].inputs = {-1}; }, "input 0 is tensor -1"},
          {"output range", [](BundleSpec* s) { s->programs[0].outputs = {3}; }, "output 0 is tensor 3"},
          {"entry program", [](BundleSpec* s) { s->entry_points[0].second = 1; }, "program 1"},
          {"no entry", [](BundleSpec* s) { s->entry_points.clear(); }, "no entry points"},
          {"entry name", [](BundleSpec* s) { s->entry_points[0].first = "\xed"; }, "not text"},
          {"symbol", [](BundleSpec* s) { s->programs[0].symbols = {{"n", 5, 4}}; }, "symbol 0"},
          {"metadata", [](BundleSpec* s) { s->metadata = {{"k", "\xff"}}; }, "metadata 0"},
      },
      ReshapeBundle());
}

TEST(Validate, PictureAndLabelRules) {
  CheckCases(
      {
          {"input name", [](BundleSpec* s) { s->images[0].input = "\xff"; }, "image 0"},
          {"height", [](BundleSpec* s) { s->images[0].height = -1; }, "image 0"},
          {"width", [](BundleSpec* s) { s->images[0].width = -3; }, "2x-3"},
          {"channels", [](BundleSpec* s) { s->images[0].channels = -1; }, "image 0"},
          {"means", [](BundleSpec* s) { s->images[0].mean = {}; }, "0 means"},
          {"scales", [](BundleSpec* s) { s->images[0].scale = {1, 2}; }, "2 scales"},
          {"layout", [](BundleSpec* s) { s->images[0].layout = "N"; }, "image 0"},
          {"order", [](BundleSpec* s) { s->images[0].channel_order = ""; }, "image 0"},
          {"label", [](BundleSpec* s) { s->labels[0].second[1] = "\xff"; }, "labels 0"},
          {"label's output", [](BundleSpec* s) { s->labels[0].first = "\xff"; }, "labels 0"},
      },
      DescribedBundle());
}

TEST(Validate, GoldenRules) {
  CheckCases(
      {
          {"program", [](BundleSpec* s) { s->golden[0].program = 1; }, "golden 0: program 1"},
          {"program below", [](BundleSpec* s) { s->golden[0].program = -1; }, "golden 0: program -1"},
          {"no input", [](BundleSpec* s) { s->golden[0].inputs = {}; }, "inputs do not fit"},
          {"more inputs", [](BundleSpec* s) { s->golden[0].inputs = {1, 1}; }, "inputs do not fit"},
          {"constant", [](BundleSpec* s) { s->golden[0].inputs = {2}; }, "inputs do not fit"},
          {"constant below", [](BundleSpec* s) { s->golden[0].outputs = {-1}; }, "outputs do not fit"},
          {"size", [](BundleSpec* s) { s->golden[0].outputs = {0}; }, "outputs do not fit"},
          {"dims", [](BundleSpec* s) { s->golden[0].input_dims = {3, 3}; }, "inputs do not fit"},
          {"few dims", [](BundleSpec* s) { s->golden[0].input_dims = {6}; }, "inputs do not fit"},
          {"many dims", [](BundleSpec* s) { s->golden[0].input_dims = {2, 3, 1}; }, "inputs do not fit"},
          {"dims below", [](BundleSpec* s) { s->golden[0].input_dims = {-2, -3}; }, "inputs do not fit"},
          {"huge dims", [](BundleSpec* s) { s->golden[0].input_dims = {INT64_MAX, 4}; }, "inputs do not fit"},
      },
      DescribedBundle());
  BundleSpec open = DynamicBundle();
  open.golden.push_back({0, {open.AddConstant<float>({1, 2})}, {0}, {}});
  ExpectInvalid(open, "inputs do not fit");  // its dims are open and not told
}

TEST(Validate, ControlFlowHasNoCycles) {
  BundleSpec spec = DynamicBundle();
  InstructionSpec branch = {"if", {0}, {5}};
  branch.op = schema::OpAttributes::If;
  spec.programs[0].tensors.push_back({"branch", {-2}});
  spec.programs[0].instructions.push_back(branch);
  ExpectInvalid(spec, "cycle");
  spec.programs[0].instructions.back().then_program = 5;
  ExpectInvalid(spec, "program 5");
  // A chain of programs, each called by the one before.
  BundleSpec chain = spec;
  chain.programs[0].instructions.pop_back();
  const ProgramSpec link = chain.programs[0];
  for (int i = 0; i < 12; ++i) {
    branch.then_program = branch.else_program = i + 1;
    chain.programs.back().instructions.push_back(branch);
    chain.programs.push_back(link);
  }
  ExpectInvalid(chain, "too deep");
}

TEST(Storage, OverlapIsAllowedOnlyInPlace) {
  BundleSpec spec = ReshapeBundle();
  ProgramSpec& program = spec.programs[0];
  program.tensors.push_back({"z", {2, 3}});
  program.tensors[3].arena_offset = 64;  // all of y: reshape may run in place
  const int shape = spec.AddConstant<int64_t>({2, 3});
  program.tensors.push_back({"shape2", {2}, schema::DType::int64, shape});
  program.instructions.push_back({"back", {2, 4}, {3}});
  program.outputs = {3};
  EXPECT_TRUE(Open(Finish(spec)).ok()) << Open(Finish(spec)).message();
  program.tensors[2].shape = {30, 2};  // now they overlap in part
  program.arena_bytes = 1024;
  ExpectInvalid(spec, "overlaps operand 0");
}

// The first element of the result would fall on what the second still reads.
TEST(Storage, InPlaceTheElementsAreOfOneSize) {
  BundleSpec spec;
  ProgramSpec program;
  program.tensors = {{"x", {2}, schema::DType::int64},
                     {"w", {16}, schema::DType::int64},
                     {"a", {2}, schema::DType::int64},
                     {"y", {16}, schema::DType::bool_}};
  program.tensors[2].arena_offset = program.tensors[3].arena_offset = 0;
  program.instructions = {{"copy", {0}, {2}, schema::OpAttributes::Unary},
                          {"equal", {1, 2}, {3}, schema::OpAttributes::Binary}};
  program.inputs = {0, 1};
  program.outputs = {3};
  program.arena_bytes = 64;
  spec.programs = {program};
  ExpectInvalid(spec, "result 0 overlaps operand 1");
}

// Reads and runs what a bundle that opened says about itself.
void UseGolden(const std::vector<uint8_t>& file) {
  const Bytes bytes(file);
  tl_model* model = nullptr;
  if (tl_model_open_memory(bytes.data(), bytes.size(), &model, nullptr) != TL_OK) return;
  tl_image_info image;
  float sum = 0;
  for (size_t i = 0; tl_model_image_info(model, i, &image) == TL_OK; ++i) {
    for (int32_t c = 0; c < image.channels; ++c) sum += image.mean[c] + image.scale[c];
  }
  size_t characters = 0;
  for (size_t i = 0; i < tl_model_label_count(model, "y"); ++i) characters += strlen(tl_model_label(model, "y", i));
  for (size_t i = 0; const char* key = tl_model_metadata_key(model, i); ++i) characters += strlen(key);
  volatile float all = sum + static_cast<float>(characters);
  (void)all;
  tl_session_options options;
  tl_session_options_init(&options, sizeof(options));
  options.threads = 1;
  options.memory_limit = 1 << 20;
  tl_session* session = nullptr;
  if (tl_session_create(model, &options, &session, nullptr) == TL_OK) tl_session_self_test(session, nullptr);
  tl_session_destroy(session);
  tl_model_destroy(model);
}

TEST(Mutation, GoldenDataIsHostileToo) {
  const std::vector<uint8_t> good = Finish(DescribedBundle());
  for (size_t at = 0; at < good.size(); ++at) {
    for (const int value : {0, 1, 0x7f, 0xff}) {
      std::vector<uint8_t> file = good;
      file[at] = static_cast<uint8_t>(value);
      UseGolden(file);
    }
  }
}

// Whatever one does to the bytes, opening gives a status. The sanitizer builds make this sharp.
TEST(Mutation, AnyByteAndAnyLengthGivesAStatus) {
  for (const BundleSpec& spec : {ReshapeBundle(), DynamicBundle(), DescribedBundle()}) {
    const std::vector<uint8_t> good = Finish(spec);
    for (size_t size = 0; size < good.size(); size += 3) {
      EXPECT_FALSE(Open(std::vector<uint8_t>(good.begin(), good.begin() + static_cast<std::ptrdiff_t>(size))).ok());
    }
    for (size_t at = 0; at < good.size(); ++at) {
      for (const int value : {0, 1, 0x7f, 0x80, 0xff}) {
        std::vector<uint8_t> file = good;
        file[at] = static_cast<uint8_t>(value);
        (void)Open(file).ok();
      }
    }
  }
}

}  // namespace
}  // namespace tealight
