// SPDX-License-Identifier: Apache-2.0
// Integer sums and maxima on every path against plain loops, for every length around the vectors', and the scale of a
// mean.
#include "kernels/qpool/qpool.h"

#include <gtest/gtest.h>

#include "kernels/kernel_paths.h"

namespace tealight {
namespace {

constexpr int8_t kGuard = 77;
const QWindow kWindows[] = {{1, 1, 0, 0}, {2, 3, 700, 150}, {3, 3, 600, 200}, {1, 9, 0, 211}, {0, 0, 0, 0}};

std::vector<int8_t> Bytes(size_t n) {
  Values values(5);
  std::vector<int8_t> bytes(n);
  for (int8_t& v : bytes) v = static_cast<int8_t>(values.Next() >> 24);
  bytes[0] = -128;
  bytes[1] = 127;
  return bytes;
}

template <typename T>
void CheckMax(const char* name, void (*max)(const T*, const QWindow&, size_t, T*), const std::vector<int8_t>& bytes) {
  const T* x = reinterpret_cast<const T*>(bytes.data());
  for (const QWindow& window : kWindows) {
    for (size_t n = 1; n <= 150; ++n) {
      std::vector<T> wanted(n + 1, static_cast<T>(kGuard)), found = wanted;
      for (size_t i = 0; i < n; ++i) {
        T best = std::is_signed<T>::value ? static_cast<T>(-128) : T(0);
        for (ptrdiff_t t = 0; t < window.rows * window.columns; ++t) {
          const T v = x[static_cast<ptrdiff_t>(i) + t / window.columns * window.row_stride +
                        t % window.columns * window.column_stride];
          best = v > best ? v : best;
        }
        wanted[i] = best;
      }
      max(x, window, n, found.data());
      EXPECT_EQ(found, wanted) << name << " n " << n;
    }
  }
}

TEST(QPool, SumsAndMaximaAreThoseOfPlainLoops) {
  const std::vector<int8_t> x = Bytes(3000);
  for (Isa isa : AllPaths()) {
    const QPoolKernels& kernels = *FindQPool(isa);
    CheckMax<int8_t>(IsaName(isa), kernels.max_window_s8, x);
    CheckMax<uint8_t>(IsaName(isa), kernels.max_window_u8, x);
    for (const QWindow& window : kWindows) {
      for (size_t n = 1; n <= 150; ++n) {
        std::vector<int32_t> wanted(n + 1, kGuard), found = wanted;
        for (size_t i = 0; i < n; ++i) {
          wanted[i] = 0;
          for (ptrdiff_t t = 0; t < window.rows * window.columns; ++t) {
            wanted[i] += x[i + static_cast<size_t>(t / window.columns * window.row_stride +
                                                   t % window.columns * window.column_stride)];
          }
        }
        kernels.sum_window(x.data(), window, n, found.data());
        EXPECT_EQ(found, wanted) << IsaName(isa) << " n " << n;
      }
    }
    int32_t sum = 0;
    for (size_t n = 0; n < x.size(); ++n) {
      EXPECT_EQ(kernels.sum_run(x.data(), n), sum) << IsaName(isa) << " n " << n;
      sum += x[n];
    }
  }
}

TEST(QPool, RequantizesSumsWithoutTies) {
  const Requantization narrow = {3, -120, 100, false}, wide = {3, -120, 100, true};
  std::vector<int32_t> sums;
  for (int32_t v = -6000; v < 6000; v += 7) sums.push_back(v);
  const float scale = ScaleOfMean(1.5f, 49);
  for (Isa isa : AllPaths()) {
    for (const Requantization& q : {narrow, wide}) {
      std::vector<int8_t> found(sums.size() + 1, kGuard);
      FindQPool(isa)->requantize(sums.data(), sums.size(), 11, scale, q, found.data());
      for (size_t i = 0; i < sums.size(); ++i) {
        const double exact = nearbyint(static_cast<double>(sums[i] + 11) * static_cast<double>(scale) + 3);
        ASSERT_EQ(found[i], exact < -120 ? -120 : exact > 100 ? 100 : exact) << IsaName(isa) << " " << sums[i];
      }
      EXPECT_EQ(found.back(), kGuard);
    }
  }
}

TEST(QPool, ScaleOfMeanIsTheQuotient) {
  EXPECT_EQ(ScaleOfMean(1.0f, 4), 0.25f);
  EXPECT_EQ(ScaleOfMean(1.0f, 0), 0.0f);
  EXPECT_NEAR(ScaleOfMean(1.5f, 49), 1.5 / 49, 1e-8);
}

}  // namespace
}  // namespace tealight
