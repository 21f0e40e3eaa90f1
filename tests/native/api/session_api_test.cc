// SPDX-License-Identifier: Apache-2.0
// Sessions through the C API: options, one call at a time, asynchronous runs, lifetimes, self-test.
#include <gtest/gtest.h>

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <vector>

#include "bundle_builder.h"
#include "include/tealight.h"

namespace tealight {
namespace {

// Waits for callbacks and remembers the last.
class Calls {
 public:
  static void Done(void* context, tl_status status, const tl_error* error) {
    Calls* calls = static_cast<Calls*>(context);
    const std::lock_guard<std::mutex> lock(calls->mutex_);
    EXPECT_EQ(status, error->code);
    calls->status_ = status;
    calls->message_ = error->message;
    ++calls->count_;
    calls->changed_.notify_all();
  }
  tl_status Wait(int count) {
    std::unique_lock<std::mutex> lock(mutex_);
    changed_.wait(lock, [&] { return count_ >= count; });
    return status_;
  }
  int count() {
    const std::lock_guard<std::mutex> lock(mutex_);
    return count_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  int count_ = 0;
  tl_status status_ = TL_OK;
  std::string message_;
};

class SessionApi : public testing::Test {
 protected:
  ~SessionApi() override {
    tl_session_destroy(session_);
    tl_model_destroy(model_);
  }
  // Opens the bundle and binds zeros to its input.
  void Open(const BundleSpec& spec) {
    bytes_.reset(new Bytes(Finish(spec)));
    tl_error error = {};
    ASSERT_EQ(tl_model_open_memory(bytes_->data(), bytes_->size(), &model_, &error), TL_OK) << error.message;
    tl_session_options options;
    tl_session_options_init(&options, sizeof(options));
    ASSERT_EQ(tl_session_create(model_, &options, &session_, &error), TL_OK) << error.message;
    Bind();
  }
  void Bind() {
    tl_tensor input;
    ASSERT_EQ(tl_model_input_info(model_, 0, 0, &input), TL_OK);
    input.data = x_;
    ASSERT_EQ(tl_session_set_input(session_, 0, &input, nullptr), TL_OK);
  }

  std::unique_ptr<Bytes> bytes_;
  tl_model* model_ = nullptr;
  tl_session* session_ = nullptr;
  tl_error error_ = {};
  float x_[6] = {1, 2, 3, 4, 5, 6};
  Calls calls_;
};

TEST_F(SessionApi, OptionsOfOtherVersions) {
  Open(ReshapeBundle());
  struct Newer {
    tl_session_options known;
    uint64_t more;
  } newer;
  tl_session* other = nullptr;
  tl_session_options_init(&newer.known, sizeof(newer));
  ASSERT_EQ(tl_session_create(model_, &newer.known, &other, &error_), TL_OK) << error_.message;
  tl_session_destroy(other);
  newer.more = 1;
  EXPECT_EQ(tl_session_create(model_, &newer.known, &other, &error_), TL_ERROR_INVALID_ARGUMENT);
  newer.known.size = 8;
  EXPECT_EQ(tl_session_create(model_, &newer.known, &other, &error_), TL_ERROR_INVALID_ARGUMENT);
  EXPECT_NE(strstr(error_.message, "tl_session_options_init"), nullptr) << error_.message;
}

TEST_F(SessionApi, BackendsAndPowerModes) {
  Open(ReshapeBundle());
  for (const int mode : {TL_POWER_BALANCED, TL_POWER_PERFORMANCE, TL_POWER_SAVING}) {
    tl_session_options options;
    tl_session_options_init(&options, sizeof(options));
    options.backend = TL_BACKEND_CPU;
    options.power_mode = static_cast<tl_power_mode>(mode);
    tl_session* other = nullptr;
    ASSERT_EQ(tl_session_create(model_, &options, &other, &error_), TL_OK) << error_.message;
    tl_session_destroy(other);
  }
  for (const int field : {0, 1}) {
    tl_session_options options;
    tl_session_options_init(&options, sizeof(options));
    const int unknown = 77;
    memcpy(field == 0 ? static_cast<void*>(&options.backend) : &options.power_mode, &unknown, sizeof(unknown));
    tl_session* other = nullptr;
    EXPECT_EQ(tl_session_create(model_, &options, &other, &error_), TL_ERROR_INVALID_ARGUMENT);
    EXPECT_NE(strstr(error_.message, "77"), nullptr) << error_.message;
  }
}

TEST_F(SessionApi, LogTellsWhatWasChosen) {
  Open(ReshapeBundle());
  std::string text;
  tl_session_options options;
  tl_session_options_init(&options, sizeof(options));
  options.threads = 2;
  options.isa = "scalar";
  options.log_context = &text;
  options.log = [](void* context, tl_log_level level, const char* message) {
    EXPECT_EQ(level, TL_LOG_INFO);
    *static_cast<std::string*>(context) += message;
  };
  tl_session* other = nullptr;
  ASSERT_EQ(tl_session_create(model_, &options, &other, &error_), TL_OK) << error_.message;
  tl_session_destroy(other);
  EXPECT_EQ(text, "session: isa scalar, 2 threads, arena 128 bytes, scratch 0 bytes");
}

TEST_F(SessionApi, AsyncRunGivesTheResult) {
  Open(ReshapeBundle());
  for (int i = 1; i <= 100; ++i) {
    x_[0] = static_cast<float>(i);
    ASSERT_EQ(tl_session_run_async(session_, 0, Calls::Done, &calls_, &error_), TL_OK) << error_.message;
    ASSERT_EQ(calls_.Wait(i), TL_OK);
    tl_tensor output;
    ASSERT_EQ(tl_session_get_output(session_, 0, &output, &error_), TL_OK) << error_.message;
    EXPECT_EQ(memcmp(output.data, x_, sizeof(x_)), 0);
  }
  EXPECT_EQ(calls_.count(), 100);
}

TEST_F(SessionApi, AsyncRunThatCannotStartDoesNotCall) {
  Open(ReshapeBundle());
  tl_session* other = nullptr;
  ASSERT_EQ(tl_session_create(model_, nullptr, &other, nullptr), TL_OK);
  EXPECT_EQ(tl_session_run_async(other, 0, Calls::Done, &calls_, &error_), TL_ERROR_MISSING_INPUT);
  EXPECT_EQ(tl_session_run_async(other, 0, Calls::Done, &calls_, &error_), TL_ERROR_MISSING_INPUT);  // not busy
  tl_session_destroy(other);
  EXPECT_EQ(calls_.count(), 0);
}

TEST_F(SessionApi, SecondCallIsToldThatTheSessionIsBusy) {
  Open(EndlessBundle());
  ASSERT_EQ(tl_session_run_async(session_, 0, Calls::Done, &calls_, &error_), TL_OK);
  tl_tensor tensor = {};
  tl_memory memory;
  EXPECT_EQ(tl_session_run_async(session_, 0, Calls::Done, &calls_, &error_), TL_ERROR_BUSY);
  EXPECT_EQ(tl_session_run(session_, 0, &error_), TL_ERROR_BUSY);
  EXPECT_NE(strstr(error_.message, "expected one at a time"), nullptr) << error_.message;
  EXPECT_EQ(tl_session_self_test(session_, &error_), TL_ERROR_BUSY);
  EXPECT_EQ(tl_session_set_input(session_, 0, &tensor, &error_), TL_ERROR_BUSY);
  EXPECT_EQ(tl_session_set_output(session_, 0, nullptr, &error_), TL_ERROR_BUSY);
  EXPECT_EQ(tl_session_get_output(session_, 0, &tensor, &error_), TL_ERROR_BUSY);
  EXPECT_EQ(tl_session_get_tensor(session_, 0, &tensor, &error_), TL_ERROR_BUSY);
  EXPECT_EQ(tl_session_memory(session_, &memory), TL_ERROR_BUSY);
  tl_session_cancel(session_);
  EXPECT_EQ(calls_.Wait(1), TL_ERROR_CANCELLED);
  EXPECT_EQ(tl_session_memory(session_, &memory), TL_OK);
  EXPECT_EQ(calls_.count(), 1);
}

TEST_F(SessionApi, ACancelThatCameTooLateDoesNotEndTheNextAsyncRun) {
  Open(ReshapeBundle());
  ASSERT_EQ(tl_session_run_async(session_, 0, Calls::Done, &calls_, &error_), TL_OK);
  EXPECT_EQ(calls_.Wait(1), TL_OK);
  tl_session_cancel(session_);
  ASSERT_EQ(tl_session_run_async(session_, 0, Calls::Done, &calls_, &error_), TL_OK);
  EXPECT_EQ(calls_.Wait(2), TL_OK);
}

TEST_F(SessionApi, DeadlineEndsAnAsyncRun) {
  Open(EndlessBundle());
  ASSERT_EQ(tl_session_run_async(session_, 2000000, Calls::Done, &calls_, &error_), TL_OK);
  EXPECT_EQ(calls_.Wait(1), TL_ERROR_DEADLINE);
}

TEST_F(SessionApi, DestroyCancelsAndWaitsForTheCallback) {
  Open(EndlessBundle());
  ASSERT_EQ(tl_session_run_async(session_, 0, Calls::Done, &calls_, &error_), TL_OK);
  tl_session_destroy(session_);
  session_ = nullptr;
  EXPECT_EQ(calls_.count(), 1);
  EXPECT_EQ(calls_.Wait(1), TL_ERROR_CANCELLED);
}

TEST_F(SessionApi, SessionKeepsItsModel) {
  Open(ReshapeBundle());
  tl_model_destroy(model_);
  model_ = nullptr;
  EXPECT_EQ(tl_session_run(session_, 0, &error_), TL_OK) << error_.message;
}

// A loop of frames: each callback starts the next run. Destroy ends it, whatever the moment.
struct Frames {
  tl_session* session;
  std::atomic<int> begun{0};
  std::atomic<int> ended{0};
  std::atomic<int> last{TL_OK};

  void Next() {
    ++begun;
    const tl_status status = tl_session_run_async(session, 0, Done, this, nullptr);
    if (status == TL_OK) return;
    --begun;
    last.store(status);
  }
  static void Done(void* context, tl_status status, const tl_error*) {
    Frames* frames = static_cast<Frames*>(context);
    ++frames->ended;
    if (status == TL_OK) {
      frames->Next();
    } else {
      frames->last.store(status);
    }
  }
};

TEST_F(SessionApi, CallbackStartsTheNextRunUntilDestroy) {
  for (int round = 0; round < 20; ++round) {
    Open(ReshapeBundle());
    Frames frames;
    frames.session = session_;
    frames.Next();
    while (frames.ended.load() < round) std::this_thread::yield();
    tl_session_destroy(session_);
    session_ = nullptr;
    tl_model_destroy(model_);
    model_ = nullptr;
    EXPECT_EQ(frames.begun.load(), frames.ended.load());
    EXPECT_EQ(frames.last.load(), TL_ERROR_CANCELLED);
  }
}

TEST_F(SessionApi, CallbackMayDestroyTheSession) {
  struct Context {
    tl_session* session;
    Calls calls;
  } context;
  Open(ReshapeBundle());
  context.session = session_;
  const auto done = [](void* data, tl_status status, const tl_error* error) {
    Context* mine = static_cast<Context*>(data);
    tl_session_destroy(mine->session);
    Calls::Done(&mine->calls, status, error);
  };
  ASSERT_EQ(tl_session_run_async(session_, 0, done, &context, &error_), TL_OK);
  session_ = nullptr;
  EXPECT_EQ(context.calls.Wait(1), TL_OK);
}

// ---- self-test ----

TEST_F(SessionApi, SelfTestPassesAndLeavesNothingBound) {
  Open(DescribedBundle());
  float mine[6] = {};
  tl_tensor output = {TL_DTYPE_FLOAT32, 2, {3, 2}, mine, sizeof(mine)};
  ASSERT_EQ(tl_session_set_output(session_, 0, &output, nullptr), TL_OK);
  EXPECT_EQ(tl_session_self_test(session_, &error_), TL_OK) << error_.message;
  EXPECT_EQ(mine[0], 0);
  EXPECT_EQ(tl_session_get_output(session_, 0, &output, &error_), TL_ERROR_INVALID_ARGUMENT);
  EXPECT_EQ(tl_session_run(session_, 0, &error_), TL_ERROR_MISSING_INPUT);
  Bind();
  EXPECT_EQ(tl_session_run(session_, 0, &error_), TL_OK);
}

TEST_F(SessionApi, SelfTestFindsOneOtherElement) {
  BundleSpec spec = DescribedBundle();
  spec.golden[0].outputs[0] = spec.AddConstant<float>({1, 2, 3, 4, 5.5f, 6});
  Open(spec);
  EXPECT_EQ(tl_session_self_test(session_, &error_), TL_ERROR_RUNTIME);
  EXPECT_NE(strstr(error_.message, "output 0 'y': element 4 of 6"), nullptr) << error_.message;
}

TEST_F(SessionApi, SelfTestNeedsGoldenData) {
  Open(ReshapeBundle());
  EXPECT_EQ(tl_session_self_test(session_, &error_), TL_ERROR_NOT_FOUND);
}

TEST_F(SessionApi, SelfTestOfOpenShapes) {
  BundleSpec spec = DynamicBundle();
  const int x = spec.AddConstant<float>({1, 2, 3, 4, 5, 6});
  const int less = spec.AddConstant<float>({1, 2, 3, 4});
  spec.golden.push_back({0, {x}, {x}, {3, 2}});
  spec.golden.push_back({0, {less}, {x}, {2, 2}});
  bytes_.reset(new Bytes(Finish(spec)));
  ASSERT_EQ(tl_model_open_memory(bytes_->data(), bytes_->size(), &model_, &error_), TL_OK) << error_.message;
  ASSERT_EQ(tl_session_create(model_, nullptr, &session_, &error_), TL_OK) << error_.message;
  EXPECT_EQ(tl_session_self_test(session_, &error_), TL_ERROR_RUNTIME);
  EXPECT_NE(strstr(error_.message, "of 4 differs, expected 24 bytes"), nullptr) << error_.message;
}

}  // namespace
}  // namespace tealight
