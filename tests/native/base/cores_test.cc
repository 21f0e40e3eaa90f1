// SPDX-License-Identifier: Apache-2.0
// Cores of made-up phones, and threads kept to some of this machine's.
#include "base/cores.h"

#include <gtest/gtest.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
#include <string>
#include <vector>

namespace tealight {
namespace {

// A folder as Linux shows it, with a file for each core.
std::string Folder(const std::vector<long>& values, const char* file) {
  std::string folder = testing::TempDir() + "/cores_XXXXXX";
  EXPECT_NE(mkdtemp(&folder[0]), nullptr);
  for (size_t i = 0; i < values.size(); ++i) {
    std::string core = folder + "/cpu" + std::to_string(i);
    mkdir(core.c_str(), 0700);
    mkdir((core + "/cpufreq").c_str(), 0700);
    std::ofstream(core + "/" + file) << values[i] << "\n";
  }
  return folder;
}

TEST(Cores, BigAndLittleByCapacityOrFrequency) {
  if (sysconf(_SC_NPROCESSORS_CONF) < 2) GTEST_SKIP() << "one core here, expected two";
  for (const char* file : {"cpu_capacity", "cpufreq/cpuinfo_max_freq"}) {
    const Cores cores = FindCores(Folder({300, 1024}, file).c_str());
    EXPECT_EQ(cores.little.bits[0], 1u);
    EXPECT_EQ(cores.big.bits[0], 2u);
    EXPECT_EQ(cores.big.Count(), 1u);
  }
}

TEST(Cores, AlikeOrUntoldAreNeither) {
  for (const std::vector<long>& values : {std::vector<long>{1000, 1100}, std::vector<long>{5, 5}, {}}) {
    const Cores cores = FindCores(Folder(values, "cpu_capacity").c_str());
    EXPECT_TRUE(cores.big.empty());
    EXPECT_TRUE(cores.little.empty());
    EXPECT_GE(cores.online, 1u);
  }
}

#if defined(__linux__)
TEST(Cores, ThreadsAreKeptAndGivenBack) {
  CoreSet all, one, before, none;
  ASSERT_EQ(sched_getaffinity(0, sizeof(all.bits), reinterpret_cast<cpu_set_t*>(all.bits)), 0);
  size_t first = 0;
  while ((all.bits[first / 64] >> first % 64 & 1) == 0) ++first;
  one.Add(first);
  KeepThreadTo(one, &before);
  EXPECT_EQ(memcmp(before.bits, all.bits, sizeof(all.bits)), 0);
  CoreSet now;
  ASSERT_EQ(sched_getaffinity(0, sizeof(now.bits), reinterpret_cast<cpu_set_t*>(now.bits)), 0);
  EXPECT_EQ(now.Count(), 1u);
  KeepThreadTo(none);
  KeepThreadTo(before);
  ASSERT_EQ(sched_getaffinity(0, sizeof(now.bits), reinterpret_cast<cpu_set_t*>(now.bits)), 0);
  EXPECT_EQ(memcmp(now.bits, all.bits, sizeof(all.bits)), 0);
}
#endif

}  // namespace
}  // namespace tealight
