// SPDX-License-Identifier: Apache-2.0
#include "base/memory.h"

#include <gtest/gtest.h>
#include <string.h>

#include "base/array.h"
#include "base/format.h"
#include "base/status.h"

namespace tealight {
namespace {

TEST(Region, GrowsAndCountsAgainstTheBudget) {
  MemoryBudget budget;
  budget.limit = 1 << 20;
  Region region;
  ASSERT_TRUE(region.Reserve(1000, &budget));
  EXPECT_EQ(budget.used, 1000u);
  char* first = region.data();
  ASSERT_TRUE(region.Reserve(500, &budget));
  EXPECT_EQ(region.data(), first);
  ASSERT_TRUE(region.Reserve(1 << 20, &budget));
  EXPECT_EQ(budget.used, 1u << 20);
  EXPECT_FALSE(region.Reserve((1 << 20) + 1, &budget));
  EXPECT_EQ(budget.used, 0u);
  EXPECT_EQ(region.size(), 0u);
  EXPECT_FALSE(region.Reserve(SIZE_MAX, &budget));
}

TEST(BlockPool, UsesBlocksAgain) {
  MemoryBudget budget;
  BlockPool pool;
  pool.SetBudget(&budget);
  const int a = pool.Take(100);
  const int b = pool.Take(5000);
  ASSERT_GE(a, 0);
  ASSERT_GE(b, 0);
  EXPECT_NE(a, b);
  EXPECT_EQ(reinterpret_cast<uintptr_t>(pool.data(a)) % kMemoryAlignment, 0u);
  pool.Give(a);
  pool.Give(b);
  const uint64_t total = pool.total_bytes();
  EXPECT_EQ(pool.Take(4000), b);  // the best fit
  EXPECT_EQ(pool.Take(64), a);
  EXPECT_EQ(pool.total_bytes(), total);
}

TEST(BlockPool, GrowsAFreeBlockRatherThanAddingOne) {
  MemoryBudget budget;
  BlockPool pool;
  pool.SetBudget(&budget);
  for (size_t size = 64; size < 10000; size += 64) {
    const int block = pool.Take(size);
    EXPECT_EQ(block, 0);
    pool.Give(block);
  }
  EXPECT_LT(pool.total_bytes(), 10064u);
  EXPECT_EQ(budget.used, pool.total_bytes());
}

TEST(BlockPool, GrowKeepsContents) {
  MemoryBudget budget;
  BlockPool pool;
  pool.SetBudget(&budget);
  const int block = pool.Take(64);
  memset(pool.data(block), 7, 64);
  ASSERT_TRUE(pool.Grow(block, 100000));
  for (int i = 0; i < 64; ++i) EXPECT_EQ(pool.data(block)[i], 7);
}

TEST(BlockPool, RefusesWhatIsOverTheLimit) {
  MemoryBudget budget;
  budget.limit = 4096;
  BlockPool pool;
  pool.SetBudget(&budget);
  EXPECT_EQ(pool.Take(5000), -1);
  EXPECT_EQ(pool.Take(SIZE_MAX), -1);
  const int block = pool.Take(4000);
  ASSERT_GE(block, 0);
  EXPECT_FALSE(pool.Grow(block, 5000));
  EXPECT_EQ(pool.Take(1000), -1);
}

TEST(Array, MakesAndDestroysElements) {
  static int alive = 0;
  struct Counted {
    Counted() { ++alive; }
    ~Counted() { --alive; }
    char bytes[16];
  };
  {
    Array<Counted> array;
    ASSERT_TRUE(array.Allocate(3));
    EXPECT_EQ(alive, 3);
    ASSERT_TRUE(array.Allocate(5));
    EXPECT_EQ(alive, 5);
    volatile size_t too_many = SIZE_MAX / 8;  // volatile: the compiler must not know
    EXPECT_FALSE(array.Allocate(too_many));
    EXPECT_EQ(array.size(), 0u);
  }
  EXPECT_EQ(alive, 0);
}

TEST(ShapeText, ShowsDimsAndCutsLongOnes) {
  Shape shape;
  EXPECT_STREQ(ShapeText(shape).c_str(), "[]");
  shape.Append(2);
  shape.Append(-1);
  EXPECT_STREQ(ShapeText(shape).c_str(), "[2, ?]");
  for (int i = 0; i < 6; ++i) shape.Append(INT64_MAX);
  EXPECT_LT(strlen(ShapeText(shape).c_str()), 80u);
}

TEST(Status, CopiesToCAndCuts) {
  tl_error error;
  const std::string text(1000, 'x');
  EXPECT_EQ(Status::Error(TL_ERROR_IO, "%s", text.c_str()).ToC(&error), TL_ERROR_IO);
  EXPECT_EQ(strlen(error.message), sizeof(error.message) - 1);
  EXPECT_EQ(Status::Ok().ToC(nullptr), TL_OK);
}

TEST(Status, IsOneLineOfWholeCharacters) {
  EXPECT_STREQ(Status::Error(TL_ERROR_IO, "a\nb").message(), "a?b");
  EXPECT_STREQ(Status::Error(TL_ERROR_IO, "%.2s'", "a\u00e9").message(), "a'");  // cut within a character
  EXPECT_STREQ(Status::Error(TL_ERROR_IO, "%.3s'", "a\u00e9").message(), "a\u00e9'");
  EXPECT_STREQ(Status::Error(TL_ERROR_IO, "\xff\xed\xa0\x80!").message(), "!");
}

}  // namespace
}  // namespace tealight
