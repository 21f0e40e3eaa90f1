// SPDX-License-Identifier: Apache-2.0
// Programs that no builder writes, and runs after a failed one: an error or a result, never a crash or a hang.
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "bundle_builder.h"
#include "runtime/session.h"

namespace tealight {
namespace {

void ExpectError(const Status& status, tl_status code, const char* part) {
  EXPECT_EQ(status.code(), code) << status.message();
  EXPECT_NE(std::string(status.message()).find(part), std::string::npos)
      << status.message() << " has no '" << part << "'";
}

void ExpectOk(const Status& status) { EXPECT_TRUE(status.ok()) << status.message(); }

class HostileTest : public testing::Test {
 protected:
  Status Open(const BundleSpec& spec, uint64_t memory_limit = 0) {
    bytes_.reset(new Bytes(Finish(spec)));
    model_.reset(new Model);
    session_.reset(new Session);
    RETURN_IF_ERROR(model_->OpenMemory(bytes_->data(), bytes_->size()));
    tl_session_options options = {};
    options.threads = 2;
    options.memory_limit = memory_limit;
    return session_->Create(*model_, options);
  }
  template <typename T>
  Status SetInput(size_t i, tl_dtype dtype, std::vector<T>* data, std::vector<int64_t> shape) {
    tl_tensor tensor = {};
    tensor.dtype = dtype;
    tensor.rank = static_cast<uint32_t>(shape.size());
    for (size_t d = 0; d < shape.size(); ++d) tensor.shape[d] = shape[d];
    tensor.data = data->data();
    tensor.size_bytes = data->size() * sizeof(T);
    return session_->SetInput(i, tensor);
  }

  std::unique_ptr<Bytes> bytes_;
  std::unique_ptr<Model> model_;
  std::unique_ptr<Session> session_;
};

// One instruction over x float32 [1, 2, 2, 1], not static, that wants results that its op does not have.
TEST_F(HostileTest, AnOpWithoutItsFirstResultDoesNotRun) {
  for (const schema::OpAttributes op :
       {schema::OpAttributes::AveragePool2d, schema::OpAttributes::MaxPool2d, schema::OpAttributes::Softmax,
        schema::OpAttributes::Transpose, schema::OpAttributes::Shape, schema::OpAttributes::NonZero}) {
    BundleSpec spec;
    ProgramSpec program;
    program.tensors = {{"x", {1, 2, 2, 1}}, {"y", {1, 2, 2, 1}}};
    program.instructions = {{"op", {0}, {-1, -1, 1}, op}};
    program.inputs = {0};
    program.outputs = {1};
    program.is_static = false;
    spec.programs = {program};
    ExpectOk(Open(spec));
    std::vector<float> x(4);
    ExpectOk(SetInput(0, TL_DTYPE_FLOAT32, &x, {1, 2, 2, 1}));
    ExpectError(session_->Run(0), TL_ERROR_INVALID_BUNDLE, "expected");
  }
}

// Scratch that did not fit is not there for the next run, whose first instruction is prepared already.
TEST_F(HostileTest, RunsAfterOneThatHadNoMemoryForScratch) {
  BundleSpec spec;
  ProgramSpec program;
  program.symbols = {{"n"}};
  program.tensors = {
      {"a", {4}, schema::DType::int32}, {"b", {4}, schema::DType::int32}, {"x", {-1, 16}}, {"y", {-1, 16}}};
  program.instructions = {{"negate", {0}, {1}, schema::OpAttributes::Unary},
                          {"attend", {2, 2, 2}, {3}, schema::OpAttributes::Attention}};
  program.instructions[0].unary = schema::UnaryKind::neg;
  program.inputs = {0, 2};
  program.outputs = {1, 3};
  program.is_static = false;
  spec.programs = {program};
  ExpectOk(Open(spec, 1 << 20));
  std::vector<int32_t> a = {1, 2, 3, 4};
  ExpectOk(SetInput(0, TL_DTYPE_INT32, &a, {4}));
  for (const int64_t n : {4, 10000, 10000, 4}) {
    std::vector<float> x(static_cast<size_t>(n) * 16);
    ExpectOk(SetInput(1, TL_DTYPE_FLOAT32, &x, {n, 16}));
    EXPECT_EQ(session_->Run(0).code(), n == 4 ? TL_OK : TL_ERROR_OUT_OF_MEMORY) << n;
  }
  tl_tensor b;
  ExpectOk(session_->GetOutput(0, &b));
  EXPECT_EQ(static_cast<const int32_t*>(b.data)[3], -4);
}

TEST_F(HostileTest, ATensorThatNobodyMakesHasNoData) {
  BundleSpec spec = ReshapeBundle();
  spec.programs[0].tensors.push_back({"unused", {4}});
  bytes_.reset(new Bytes(Finish(spec)));
  model_.reset(new Model);
  session_.reset(new Session);
  ExpectOk(model_->OpenMemory(bytes_->data(), bytes_->size()));
  tl_session_options options = {};
  options.threads = 1;
  options.keep_intermediates = 1;
  ExpectOk(session_->Create(*model_, options));
  std::vector<float> x(6);
  ExpectOk(SetInput(0, TL_DTYPE_FLOAT32, &x, {2, 3}));
  ExpectOk(session_->Run(0));
  tl_tensor tensor;
  ExpectOk(session_->GetTensor(2, &tensor));
  ExpectError(session_->GetTensor(3, &tensor), TL_ERROR_NOT_FOUND, "tensor 3: no instruction makes it");
}

// A convolution over no channels has no padding to clear; the sanitizers tell.
TEST_F(HostileTest, ScratchOfNoBytesIsNotNull) {
  BundleSpec spec;
  const int weight = spec.AddConstant<float>({});
  ProgramSpec program;
  program.tensors = {{"x", {1, 2, 2, 0}}, {"w", {3, 1, 1, 0}, schema::DType::float32, weight}, {"y", {1, 2, 2, 3}}};
  program.tensors[1].layout = schema::Layout::gemm_n16;
  program.tensors[2].arena_offset = 0;
  program.instructions = {{"conv", {0, 1}, {2}, schema::OpAttributes::Conv2d}};
  program.inputs = {0};
  program.outputs = {2};
  program.arena_bytes = 64;
  spec.programs = {program};
  ExpectOk(Open(spec));
  std::vector<float> x;
  ExpectOk(SetInput(0, TL_DTYPE_FLOAT32, &x, {1, 2, 2, 0}));
  ExpectOk(session_->Run(0));
  tl_tensor y;
  ExpectOk(session_->GetOutput(0, &y));
  for (int i = 0; i < 12; ++i) EXPECT_EQ(static_cast<const float*>(y.data)[i], 0);
}

// Dims of any size beside a 0: there is nothing to compute, however long the loop over it.
TEST_F(HostileTest, ResultsWithoutElementsTakeNoTime) {
  BundleSpec spec;
  const int axis = spec.AddConstant<int64_t>({2});
  const int nothing = spec.AddConstant<float>({});
  ProgramSpec program;
  const std::vector<int64_t> shape = {int64_t{1} << 29, int64_t{1} << 28, 0};
  program.tensors = {
      {"x", shape, schema::DType::float32, nothing}, {"axis", {1}, schema::DType::int64, axis}, {"y", shape}};
  program.tensors[2].arena_offset = 0;
  program.instructions = {{"sum", {0, 1}, {2}, schema::OpAttributes::CumSum}};
  program.outputs = {2};
  for (const bool is_static : {true, false}) {
    program.is_static = is_static;
    spec.programs = {program};
    ExpectOk(Open(spec));
    ExpectOk(session_->Run(0));
  }
}

}  // namespace
}  // namespace tealight
