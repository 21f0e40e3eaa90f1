// SPDX-License-Identifier: Apache-2.0
#include "base/thread_pool.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <vector>

#include "base/cpu_features.h"

namespace tealight {
namespace {

// Every item once, whatever the sizes.
void CheckCovers(ThreadPool* pool, size_t items, size_t grain) {
  std::vector<int> seen(items, 0);
  std::atomic<bool> good{true};
  pool->For(items, grain, [&](size_t thread, size_t begin, size_t end) {
    if (thread >= pool->num_threads() || begin >= end || end > items) good = false;
    for (size_t i = begin; i < end; ++i) ++seen[i];
  });
  EXPECT_TRUE(good);
  for (size_t i = 0; i < items; ++i) ASSERT_EQ(seen[i], 1) << items << " items, grain " << grain << ", item " << i;
}

TEST(ThreadPool, CoversEveryItemOnce) {
  for (const size_t threads : {1, 2, 3, 7}) {
    ThreadPool pool;
    ASSERT_TRUE(pool.Start(threads));
    EXPECT_EQ(pool.num_threads(), threads);
    for (const size_t items : {0, 1, 2, 3, 17, 1000, 4099}) {
      for (const size_t grain : {1, 2, 64, 5000}) CheckCovers(&pool, items, grain);
    }
  }
}

TEST(ThreadPool, ManyShortLoopsInARow) {
  ThreadPool pool;
  ASSERT_TRUE(pool.Start(4));
  std::atomic<size_t> sum{0};
  for (size_t loop = 0; loop < 3000; ++loop) {
    pool.For(16, 1, [&](size_t, size_t begin, size_t end) { sum += end - begin; });
    if (loop % 500 == 0) usleep(200);  // lets the workers fall asleep
  }
  EXPECT_EQ(sum, 3000u * 16);
}

TEST(ThreadPool, RunsInlineBelowTheGrain) {
  ThreadPool pool;
  ASSERT_TRUE(pool.Start(3));
  int calls = 0;
  pool.For(10, 10, [&](size_t thread, size_t begin, size_t end) {
    ++calls;
    EXPECT_EQ(thread, 0u);
    EXPECT_EQ(end - begin, 10u);
  });
  EXPECT_EQ(calls, 1);
}

TEST(ThreadPool, StartsAgainAfterStop) {
  ThreadPool pool;
  ASSERT_TRUE(pool.Start(3));
  pool.Stop();
  EXPECT_EQ(pool.num_threads(), 1u);
  CheckCovers(&pool, 100, 1);
  ASSERT_TRUE(pool.Start(2));
  CheckCovers(&pool, 100, 1);
}

TEST(CpuFeatures, ScalarIsTheLastOfTheSupported) {
  Isa isa = Isa::kArmNeon;
  size_t count = 0;
  while (SupportedIsa(count, &isa)) ++count;
  ASSERT_GE(count, 1u);
  ASSERT_TRUE(SupportedIsa(count - 1, &isa));
  EXPECT_EQ(isa, Isa::kScalar);
  EXPECT_STREQ(IsaName(Isa::kX86Avx512), "x86_avx512");
}

}  // namespace
}  // namespace tealight
