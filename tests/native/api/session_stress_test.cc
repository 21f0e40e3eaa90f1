// SPDX-License-Identifier: Apache-2.0
// Eight threads at once on the C API, at random: on one session, and on sessions of their own that come and go. The
// ThreadSanitizer and AddressSanitizer builds make this sharp.
#include <gtest/gtest.h>
#include <time.h>

#include <atomic>
#include <random>
#include <thread>
#include <vector>

#include "bundle_builder.h"
#include "include/tealight.h"

namespace tealight {
namespace {

constexpr int kThreads = 8;
constexpr int64_t kNanoseconds = 700000000;

int64_t NowNs() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<int64_t>(now.tv_sec) * 1000000000 + now.tv_nsec;
}

// Calls f(random) on eight threads until the time is over.
template <typename F>
void Hammer(const F& f) {
  std::vector<std::thread> threads;
  const int64_t end = NowNs() + kNanoseconds;
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([&f, i, end] {
      std::mt19937 random(static_cast<unsigned>(i));
      while (NowNs() < end) f(random);
    });
  }
  for (std::thread& thread : threads) thread.join();
}

struct Counters {
  std::atomic<int> started{0};
  std::atomic<int> called{0};

  static void Done(void* context, tl_status status, const tl_error* error) {
    EXPECT_TRUE(status == TL_OK || status == TL_ERROR_CANCELLED || status == TL_ERROR_DEADLINE) << error->message;
    ++static_cast<Counters*>(context)->called;
  }
  // Starts a run whose callback counts.
  tl_status Start(tl_session* session, uint64_t deadline_ns) {
    const tl_status status = tl_session_run_async(session, deadline_ns, Done, this, nullptr);
    if (status == TL_OK) ++started;
    return status;
  }
};

tl_model* Open(const Bytes& bytes) {
  tl_model* model = nullptr;
  tl_error error = {};
  EXPECT_EQ(tl_model_open_memory(bytes.data(), bytes.size(), &model, &error), TL_OK) << error.message;
  return model;
}

tl_tensor Input(const tl_model* model, float* memory) {
  tl_tensor tensor;
  EXPECT_EQ(tl_model_input_info(model, 0, 0, &tensor), TL_OK);
  tensor.data = memory;
  return tensor;
}

TEST(Stress, OneSession) {
  const Bytes bytes(Finish(DescribedBundle()));
  tl_model* model = Open(bytes);
  tl_session* session = nullptr;
  ASSERT_EQ(tl_session_create(model, nullptr, &session, nullptr), TL_OK);
  float x[6] = {1, 2, 3, 4, 5, 6};
  const tl_tensor input = Input(model, x);
  tl_model_destroy(model);
  Counters counters;
  std::atomic<int> good{0}, busy{0};
  Hammer([&](std::mt19937& random) {
    tl_tensor tensor;
    tl_memory memory;
    tl_status status = TL_OK;
    switch (random() % 8) {
      case 0:
        status = tl_session_set_input(session, 0, &input, nullptr);
        break;
      case 1:
        status = tl_session_run(session, 0, nullptr);
        break;
      case 2:
        status = counters.Start(session, 0);
        break;
      case 3:
        status = counters.Start(session, 1);
        break;
      case 4:
        status = tl_session_get_output(session, 0, &tensor, nullptr);
        break;
      case 5:
        status = tl_session_self_test(session, nullptr);
        break;
      case 6:
        status = tl_session_memory(session, &memory);
        break;
      default:
        tl_session_cancel(session);
    }
    good += status == TL_OK;
    busy += status == TL_ERROR_BUSY;
    EXPECT_NE(status, TL_ERROR_RUNTIME) << "the self-test found other bits";
    EXPECT_NE(tl_status_name(status), nullptr);
  });
  tl_session_destroy(session);
  EXPECT_GT(good.load(), 0);
  EXPECT_GT(busy.load(), 0);
  EXPECT_EQ(counters.started.load(), counters.called.load());
}

TEST(Stress, SessionsThatComeAndGo) {
  const Bytes ends(Finish(DescribedBundle())), endless(Finish(EndlessBundle()));
  tl_model* const shared = Open(ends);
  Counters counters;
  Hammer([&](std::mt19937& random) {
    float x[6] = {1, 2, 3, 4, 5, 6};
    const bool is_endless = random() % 4 == 0;
    tl_model* own = is_endless || random() % 2 == 0 ? Open(is_endless ? endless : ends) : nullptr;
    const tl_model* model = own != nullptr ? own : shared;
    tl_session_options options;
    tl_session_options_init(&options, sizeof(options));
    options.threads = 1 + random() % 2;
    options.power_mode = random() % 2 == 0 ? TL_POWER_SAVING : TL_POWER_BALANCED;
    tl_session* session = nullptr;
    ASSERT_EQ(tl_session_create(model, &options, &session, nullptr), TL_OK);
    const tl_tensor input = Input(model, x);
    tl_model_destroy(own);
    ASSERT_EQ(tl_session_set_input(session, 0, &input, nullptr), TL_OK);
    if (is_endless) {
      ASSERT_EQ(tl_session_run(session, 100000, nullptr), TL_ERROR_DEADLINE);
    } else {
      ASSERT_EQ(tl_session_run(session, 0, nullptr), TL_OK);
      tl_tensor output;
      ASSERT_EQ(tl_session_get_output(session, 0, &output, nullptr), TL_OK);
      ASSERT_EQ(memcmp(output.data, x, sizeof(x)), 0);
    }
    if (random() % 2 == 0) counters.Start(session, 0);
    if (random() % 2 == 0) tl_session_cancel(session);
    tl_session_destroy(session);
  });
  tl_model_destroy(shared);
  EXPECT_GT(counters.called.load(), 0);
  EXPECT_EQ(counters.started.load(), counters.called.load());
}

}  // namespace
}  // namespace tealight
