// SPDX-License-Identifier: Apache-2.0
// Sessions over small bundles of reshapes: the runtime's own behaviour, whatever the ops.
#include "runtime/session.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

#include "bundle_builder.h"

namespace tealight {
namespace {

void ExpectError(const Status& status, tl_status code, const char* part) {
  EXPECT_EQ(status.code(), code) << status.message();
  EXPECT_NE(std::string(status.message()).find(part), std::string::npos)
      << status.message() << " has no '" << part << "'";
}

void ExpectOk(const Status& status) { EXPECT_TRUE(status.ok()) << status.message(); }

tl_tensor Floats(std::vector<float>* data, std::vector<int64_t> shape) {
  tl_tensor tensor = {};
  tensor.dtype = TL_DTYPE_FLOAT32;
  tensor.rank = static_cast<uint32_t>(shape.size());
  for (size_t i = 0; i < shape.size(); ++i) tensor.shape[i] = shape[i];
  tensor.data = data->data();
  tensor.size_bytes = data->size() * sizeof(float);
  return tensor;
}

// A model and a session on it.
class SessionTest : public testing::Test {
 protected:
  Status Open(const BundleSpec& spec) {
    bytes_.reset(new Bytes(Finish(spec)));
    model_.reset(new Model);
    session_.reset(new Session);
    options_.threads = options_.threads == 0 ? 2 : options_.threads;
    RETURN_IF_ERROR(model_->OpenMemory(bytes_->data(), bytes_->size()));
    return session_->Create(*model_, options_);
  }
  std::vector<float> Output(size_t i) {
    tl_tensor tensor;
    Status status = session_->GetOutput(i, &tensor);
    EXPECT_TRUE(status.ok()) << status.message();
    if (!status.ok()) return {};
    const float* data = static_cast<const float*>(tensor.data);
    return std::vector<float>(data, data + tensor.size_bytes / sizeof(float));
  }

  std::unique_ptr<Bytes> bytes_;
  std::unique_ptr<Model> model_;
  std::unique_ptr<Session> session_;
  tl_session_options options_ = {};
  std::vector<float> x_ = {1, 2, 3, 4, 5, 6};
};

TEST_F(SessionTest, RunsAStaticProgram) {
  ExpectOk(Open(ReshapeBundle()));
  ExpectError(session_->Run(0), TL_ERROR_MISSING_INPUT, "'x'");
  ExpectOk(session_->SetInput(0, Floats(&x_, {2, 3})));
  tl_tensor tensor;
  ExpectError(session_->GetOutput(0, &tensor), TL_ERROR_INVALID_ARGUMENT, "no result yet");
  ExpectOk(session_->Run(0));
  EXPECT_EQ(Output(0), x_);
  ExpectOk(session_->GetOutput(0, &tensor));
  EXPECT_EQ(tensor.rank, 2u);
  EXPECT_EQ(tensor.shape[0], 3);
  x_[0] = 42;  // inputs are read in place
  ExpectOk(session_->Run(0));
  EXPECT_EQ(Output(0), x_);
  tl_memory memory;
  session_->Memory(&memory);
  EXPECT_EQ(memory.arena_bytes, 128u);
  EXPECT_EQ(memory.exact, 1);
  EXPECT_EQ(memory.weights_bytes, 16u);
  EXPECT_GT(memory.state_bytes, 0u);
}

TEST_F(SessionTest, RefusesAnOutputInTheMemoryOfAnInput) {
  ExpectOk(Open(ReshapeBundle()));
  std::vector<float> both = {1, 2, 3, 4, 5, 6, 7};
  tl_tensor in = Floats(&both, {2, 3});
  in.size_bytes = 24;
  tl_tensor out = Floats(&both, {3, 2});
  out.data = both.data() + 1;
  out.size_bytes = 24;
  ExpectOk(session_->SetInput(0, in));
  ExpectOk(session_->SetOutput(0, &out));
  ExpectError(session_->Run(0), TL_ERROR_INVALID_ARGUMENT, "'y': shares memory with input 0 'x'");
  std::vector<float> own(6);
  out = Floats(&own, {3, 2});
  ExpectOk(session_->SetOutput(0, &out));
  ExpectOk(session_->Run(0));
  EXPECT_EQ(own, std::vector<float>(both.begin(), both.end() - 1));
}

TEST_F(SessionTest, ChecksInputs) {
  ExpectOk(Open(ReshapeBundle()));
  ExpectError(session_->SetInput(1, Floats(&x_, {2, 3})), TL_ERROR_NOT_FOUND, "input 1");
  ExpectError(session_->SetInput(0, Floats(&x_, {3, 2})), TL_ERROR_WRONG_SHAPE, "[3, 2], expected [2, 3]");
  ExpectError(session_->SetInput(0, Floats(&x_, {6})), TL_ERROR_WRONG_SHAPE, "[6]");
  tl_tensor tensor = Floats(&x_, {2, 3});
  tensor.dtype = TL_DTYPE_INT8;
  ExpectError(session_->SetInput(0, tensor), TL_ERROR_WRONG_DTYPE, "int8, expected float32");
  const unsigned unknown = 17;
  memcpy(&tensor.dtype, &unknown, sizeof(unknown));
  ExpectError(session_->SetInput(0, tensor), TL_ERROR_WRONG_DTYPE, "expected float32");
  tensor = Floats(&x_, {2, 3});
  tensor.size_bytes -= 1;
  ExpectError(session_->SetInput(0, tensor), TL_ERROR_WRONG_SHAPE, "23 bytes, expected 24");
  tensor = Floats(&x_, {2, 3});
  tensor.rank = 9;
  ExpectError(session_->SetInput(0, tensor), TL_ERROR_WRONG_SHAPE, "rank 9");
  tensor = Floats(&x_, {2, 3});
  tensor.data = reinterpret_cast<char*>(x_.data()) + 1;
  ExpectError(session_->SetInput(0, tensor), TL_ERROR_INVALID_ARGUMENT, "aligned");
  tensor.data = nullptr;
  ExpectError(session_->SetInput(0, tensor), TL_ERROR_INVALID_ARGUMENT, "NULL");
}

TEST_F(SessionTest, BindsOutputs) {
  ExpectOk(Open(ReshapeBundle()));
  ExpectOk(session_->SetInput(0, Floats(&x_, {2, 3})));
  std::vector<float> mine(6);
  tl_tensor bound = Floats(&mine, {3, 2});
  ExpectOk(session_->SetOutput(0, &bound));
  ExpectOk(session_->Run(0));
  EXPECT_EQ(mine, x_);
  tl_tensor tensor;
  ExpectOk(session_->GetOutput(0, &tensor));
  EXPECT_EQ(tensor.data, mine.data());
  ExpectOk(session_->SetOutput(0, nullptr));
  mine.assign(6, 0);
  ExpectOk(session_->Run(0));
  EXPECT_EQ(Output(0), x_);
  EXPECT_EQ(mine[0], 0);
  bound.size_bytes = 20;
  ExpectError(session_->SetOutput(0, &bound), TL_ERROR_WRONG_SHAPE, "20 bytes, expected 24");
  bound.dtype = TL_DTYPE_INT32;
  ExpectError(session_->SetOutput(0, &bound), TL_ERROR_WRONG_DTYPE, "int32");
  ExpectError(session_->SetOutput(5, &bound), TL_ERROR_NOT_FOUND, "output 5");
}

TEST_F(SessionTest, OutputsMayBeInputsConstantsOrTheSameTwice) {
  BundleSpec spec = ReshapeBundle();
  spec.programs[0].outputs = {0, 1, 2, 2};
  ExpectOk(Open(spec));
  ExpectOk(session_->SetInput(0, Floats(&x_, {2, 3})));
  std::vector<float> input_copy(6), first(6), second(6);
  tl_tensor a = Floats(&input_copy, {2, 3}), b = Floats(&first, {3, 2}), c = Floats(&second, {3, 2});
  ExpectOk(session_->SetOutput(0, &a));
  ExpectOk(session_->SetOutput(3, &c));
  ExpectOk(session_->Run(0));
  EXPECT_EQ(input_copy, x_);
  EXPECT_EQ(second, x_);
  EXPECT_EQ(Output(2), x_);
  ExpectOk(session_->SetOutput(2, &b));
  x_[5] = -1;
  ExpectOk(session_->Run(0));
  EXPECT_EQ(first, x_);
  EXPECT_EQ(second, x_);
  tl_tensor shape;
  ExpectOk(session_->GetOutput(1, &shape));
  EXPECT_EQ(static_cast<const int64_t*>(shape.data)[0], 3);
}

TEST_F(SessionTest, ChecksOptions) {
  options_.isa = "quantum";
  ExpectError(Open(ReshapeBundle()), TL_ERROR_NOT_FOUND, "scalar");
  options_.isa = "scalar";
  ExpectOk(Open(ReshapeBundle()));
  options_.entry_point = 3;
  ExpectError(Open(ReshapeBundle()), TL_ERROR_NOT_FOUND, "entry point 3");
  options_.entry_point = 0;
  options_.threads = 100000;
  ExpectError(Open(ReshapeBundle()), TL_ERROR_INVALID_ARGUMENT, "100000");
  options_.threads = 2;
  options_.memory_limit = 100;
  ExpectError(Open(ReshapeBundle()), TL_ERROR_OUT_OF_MEMORY, "memory_limit 100");
  options_.memory_limit = 128;
  ExpectOk(Open(ReshapeBundle()));
}

TEST_F(SessionTest, ProfilesAndKeepsIntermediates) {
  options_.profile = 1;
  options_.keep_intermediates = 1;
  ExpectOk(Open(ReshapeBundle()));
  ExpectOk(session_->SetInput(0, Floats(&x_, {2, 3})));
  tl_tensor tensor;
  ExpectError(session_->GetTensor(2, &tensor), TL_ERROR_INVALID_ARGUMENT, "not kept");
  ExpectOk(session_->Run(0));
  ExpectOk(session_->Run(0));
  ExpectOk(session_->GetTensor(2, &tensor));
  EXPECT_EQ(static_cast<const float*>(tensor.data)[5], 6);
  ExpectError(session_->GetTensor(3, &tensor), TL_ERROR_NOT_FOUND, "tensor 3");
  ASSERT_EQ(session_->profile_count(), 1u);
  tl_profile_row row;
  session_->ProfileRow(0, &row);
  EXPECT_STREQ(row.op, "reshape");
  EXPECT_STREQ(row.name, "reshape");
  EXPECT_EQ(row.runs, 2u);
  EXPECT_LE(row.min_ns * 2, row.total_ns + 1);
}

TEST_F(SessionTest, CancelStopsOneRun) {
  ExpectOk(Open(ReshapeBundle()));
  ExpectOk(session_->SetInput(0, Floats(&x_, {2, 3})));
  session_->Cancel();
  ExpectError(session_->Run(0), TL_ERROR_CANCELLED, "cancelled");
  ExpectOk(session_->Run(0));
  ExpectOk(session_->Begin(0));
  session_->Cancel();
  ExpectError(session_->Finish(), TL_ERROR_CANCELLED, "cancelled");
  ExpectOk(session_->Run(0));
}

TEST_F(SessionTest, DeadlineStopsARun) {
  ExpectOk(Open(ReshapeBundle()));
  ExpectOk(session_->SetInput(0, Floats(&x_, {2, 3})));
  ExpectError(session_->Run(1), TL_ERROR_DEADLINE, "deadline");
  ExpectOk(session_->Run(UINT64_MAX));
}

TEST_F(SessionTest, CancelFromAnotherThread) {
  ExpectOk(Open(EndlessBundle()));
  x_.resize(4);
  ExpectOk(session_->SetInput(0, Floats(&x_, {4})));
  std::atomic<bool> ended{false};
  std::thread other([&] {
    while (!ended.load()) session_->Cancel();
  });
  ExpectError(session_->Run(0), TL_ERROR_CANCELLED, "cancelled");
  ended.store(true);
  other.join();
  session_->ForgetCancel();
  ExpectError(session_->Run(1000000), TL_ERROR_DEADLINE, "deadline");
}

TEST_F(SessionTest, StaticProgramNeedsConstantShapes) {
  BundleSpec spec = ReshapeBundle();
  spec.programs[0].tensors[1].constant = -1;
  spec.programs[0].inputs = {0, 1};
  spec.constants.clear();
  ExpectError(Open(spec), TL_ERROR_INVALID_BUNDLE, "operand 1 is computed");
}

TEST_F(SessionTest, DeclaredShapeMustBeWhatTheOpGives) {
  BundleSpec spec = ReshapeBundle();
  spec.programs[0].tensors[2].shape = {6};
  ExpectError(Open(spec), TL_ERROR_INVALID_BUNDLE, "[3, 2], expected float32 [6]");
  spec = ReshapeBundle();
  spec.programs[0].tensors[2].dtype = schema::DType::int32;
  ExpectError(Open(spec), TL_ERROR_INVALID_BUNDLE, "expected int32");
}

TEST_F(SessionTest, TooManyResultsAreAnError) {
  BundleSpec spec = ReshapeBundle();
  spec.programs[0].tensors.push_back(spec.programs[0].tensors[2]);
  spec.programs[0].tensors[3].arena_offset = 0;
  spec.programs[0].instructions[0].outputs = {2, 3};
  ExpectError(Open(spec), TL_ERROR_INVALID_BUNDLE, "result 1");
}

TEST_F(SessionTest, DynamicShapesFollowTheInput) {
  ExpectOk(Open(DynamicBundle()));
  for (const int64_t n : {3, 1, 100, 3, 100}) {
    std::vector<float> x(static_cast<size_t>(2 * n));
    for (size_t i = 0; i < x.size(); ++i) x[i] = static_cast<float>(i);
    ExpectOk(session_->SetInput(0, Floats(&x, {n, 2})));
    ExpectOk(session_->Run(0));
    EXPECT_EQ(Output(0), x);
    tl_memory memory;
    session_->Memory(&memory);
    EXPECT_EQ(memory.exact, 0);
  }
  std::vector<float> x(2002);
  ExpectError(session_->SetInput(0, Floats(&x, {1001, 2})), TL_ERROR_WRONG_SHAPE, "1 to 1000");
  ExpectError(session_->SetInput(0, Floats(&x, {1, 3})), TL_ERROR_WRONG_SHAPE, "[?, 2]");
}

TEST_F(SessionTest, DynamicOutputsCanBeBound) {
  ExpectOk(Open(DynamicBundle()));
  std::vector<float> mine(6);
  tl_tensor bound = Floats(&mine, {6});
  ExpectOk(session_->SetOutput(0, &bound));
  ExpectOk(session_->SetInput(0, Floats(&x_, {3, 2})));
  ExpectOk(session_->Run(0));
  EXPECT_EQ(mine, x_);
  std::vector<float> more(8);
  ExpectOk(session_->SetInput(0, Floats(&more, {4, 2})));
  ExpectError(session_->Run(0), TL_ERROR_WRONG_SHAPE, "24 bytes, expected at least 32");
}

TEST_F(SessionTest, DynamicProgramKeepsIntermediates) {
  options_.keep_intermediates = 1;
  ExpectOk(Open(DynamicBundle()));
  ExpectOk(session_->SetInput(0, Floats(&x_, {3, 2})));
  for (int run = 0; run < 3; ++run) {
    ExpectOk(session_->Run(0));
    tl_tensor tensor;
    ExpectOk(session_->GetTensor(3, &tensor));
    EXPECT_EQ(tensor.shape[0], 3);
    EXPECT_EQ(static_cast<const float*>(tensor.data)[5], 6);
  }
}

TEST_F(SessionTest, SymbolsAgreeBetweenInputs) {
  BundleSpec spec = DynamicBundle();
  spec.programs[0].tensors.push_back({"other", {-1}});
  spec.programs[0].inputs = {0, 5};
  ExpectOk(Open(spec));
  std::vector<float> other(4);
  ExpectOk(session_->SetInput(0, Floats(&x_, {3, 2})));
  ExpectOk(session_->SetInput(1, Floats(&other, {4})));
  ExpectError(session_->Run(0), TL_ERROR_WRONG_SHAPE, "'n') is 4, expected 3");
  other.resize(3);
  ExpectOk(session_->SetInput(1, Floats(&other, {3})));
  ExpectOk(session_->Run(0));
}

TEST_F(SessionTest, SteadyDynamicRunsTakeNoMoreMemory) {
  ExpectOk(Open(DynamicBundle()));
  ExpectOk(session_->SetInput(0, Floats(&x_, {3, 2})));
  ExpectOk(session_->Run(0));
  ExpectOk(session_->Run(0));
  tl_memory before, after;
  session_->Memory(&before);
  for (int i = 0; i < 100; ++i) ExpectOk(session_->Run(0));
  session_->Memory(&after);
  EXPECT_EQ(before.arena_bytes, after.arena_bytes);
}

// The shape operand is computed: it must be read anew in every run.
TEST_F(SessionTest, ShapeOperandMayBeAnInput) {
  BundleSpec spec = DynamicBundle();
  spec.constants.resize(1);
  spec.programs[0].tensors[2].constant = -1;
  spec.programs[0].tensors[4].shape = {-2, -1};
  spec.programs[0].tensors[2].shape = {2};
  spec.programs[0].inputs = {0, 2};
  ExpectOk(Open(spec));
  ExpectOk(session_->SetInput(0, Floats(&x_, {3, 2})));
  int64_t wanted[2] = {2, 3};
  tl_tensor shape = {};
  shape.dtype = TL_DTYPE_INT64;
  shape.rank = 1;
  shape.shape[0] = 2;
  shape.data = wanted;
  shape.size_bytes = sizeof(wanted);
  ExpectOk(session_->SetInput(1, shape));
  ExpectOk(session_->Run(0));
  tl_tensor result;
  ExpectOk(session_->GetOutput(0, &result));
  EXPECT_EQ(result.shape[1], 3);
  wanted[0] = 6;
  wanted[1] = 1;
  ExpectOk(session_->Run(0));
  ExpectOk(session_->GetOutput(0, &result));
  EXPECT_EQ(result.shape[1], 1);
  wanted[0] = 5;
  EXPECT_FALSE(session_->Run(0).ok());
}

TEST_F(SessionTest, EmptyTensorsRun) {
  BundleSpec spec = ReshapeBundle();
  spec.constants.clear();
  const int shape = spec.AddConstant<int64_t>({0, -1});
  spec.programs[0].tensors[1].constant = shape;
  spec.programs[0].tensors[0].shape = {0, 3};
  spec.programs[0].tensors[2].shape = {0, 0};
  Status status = Open(spec);
  if (status.ok()) {
    tl_tensor empty = {};
    empty.dtype = TL_DTYPE_FLOAT32;
    empty.rank = 2;
    empty.shape[1] = 3;
    ExpectOk(session_->SetInput(0, empty));
    ExpectOk(session_->Run(0));
    EXPECT_TRUE(Output(0).empty());
  }
}

TEST_F(SessionTest, TwoSessionsShareAModel) {
  ExpectOk(Open(ReshapeBundle()));
  Session other;
  ExpectOk(other.Create(*model_, options_));
  std::vector<float> y(6, 9.0f);
  ExpectOk(session_->SetInput(0, Floats(&x_, {2, 3})));
  ExpectOk(other.SetInput(0, Floats(&y, {2, 3})));
  ExpectOk(session_->Run(0));
  ExpectOk(other.Run(0));
  EXPECT_EQ(Output(0), x_);
}

}  // namespace
}  // namespace tealight
