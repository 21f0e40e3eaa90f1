// SPDX-License-Identifier: Apache-2.0
// The normalize family against double precision on lengths around the vector widths, in place, and the same bits on
// every path of this CPU.
#include "kernels/normalize/normalize.h"

#include <gtest/gtest.h>
#include <math.h>
#include <string.h>

namespace tealight {
namespace {

constexpr size_t kLengths[] = {1, 3, 4, 15, 16, 17, 31, 33, 64, 197, 1001};
constexpr size_t kMax = 1001;

void Fill(float* x, size_t n, unsigned seed, float offset) {
  for (size_t i = 0; i < n; ++i) {
    seed = seed * 1664525u + 1013904223u;
    x[i] = static_cast<float>(seed >> 8) / 4194304.0f - 2.0f + offset;
  }
}

// Runs f(kernels, y) on every path; y of the scalar path is left in `y`.
template <typename F>
void OnEveryPath(size_t n, float* y, const F& f) {
  f(*FindNormalize(Isa::kScalar), y);
  static float other[8 * kMax];
  Isa isa;
  for (size_t p = 0; SupportedIsa(p, &isa); ++p) {
    f(*FindNormalize(isa), other);
    ASSERT_EQ(memcmp(y, other, n * sizeof(float)), 0) << IsaName(isa) << ", n = " << n;
  }
}

TEST(NormalizeSoftmax, MatchesDoublePrecision) {
  static float x[kMax], y[kMax];
  for (size_t n : kLengths) {
    for (bool is_log : {false, true}) {
      Fill(x, n, 7, 3.0f);
      x[0] = is_log ? x[0] : -HUGE_VALF;  // masked
      if (n == 1) x[0] = 5;
      OnEveryPath(n, y, [&](const NormalizeKernels& kernels, float* out) {
        memcpy(out, x, n * sizeof(float));
        kernels.softmax(is_log, n, out, out);
      });
      double max = -HUGE_VAL, sum = 0;
      for (size_t i = 0; i < n; ++i) max = fmax(max, static_cast<double>(x[i]));
      for (size_t i = 0; i < n; ++i) sum += exp(static_cast<double>(x[i]) - max);
      for (size_t i = 0; i < n; ++i) {
        const double d = static_cast<double>(x[i]) - max;
        EXPECT_NEAR(static_cast<double>(y[i]), is_log ? d - log(sum) : exp(d) / sum, is_log ? 2e-6 : 3e-7) << n;
      }
      EXPECT_TRUE(is_log || n == 1 || y[0] == 0.0f);
    }
  }
}

TEST(NormalizeSoftmax, GivesTheSameDownColumnsAsAlongRowsWithinRounding) {
  constexpr size_t kRows = 5;
  static float x[kRows * kMax], y[kRows * kMax], scratch[2 * kMax], row[kRows], expected[kRows];
  for (size_t n : kLengths) {
    for (bool is_log : {false, true}) {
      Fill(x, kRows * n, 11, 0.0f);
      OnEveryPath(kRows * n, y, [&](const NormalizeKernels& kernels, float* out) {
        kernels.softmax_columns(is_log, kRows, n, n, x, out, scratch);
      });
      for (size_t i = 0; i < n; ++i) {
        for (size_t r = 0; r < kRows; ++r) row[r] = x[r * n + i];
        FindNormalize(Isa::kScalar)->softmax(is_log, kRows, row, expected);
        for (size_t r = 0; r < kRows; ++r) EXPECT_NEAR(y[r * n + i], expected[r], 1e-6f);
      }
    }
  }
}

TEST(NormalizeLayerNorm, MatchesDoublePrecision) {
  static float x[kMax], scale[kMax], bias[kMax], y[kMax];
  for (size_t n : kLengths) {
    for (int form = 0; form < 8; ++form) {
      const bool rms = (form & 1) != 0;
      const float* s = (form & 2) != 0 ? scale : nullptr;
      const float* b = (form & 4) != 0 ? bias : nullptr;
      Fill(x, n, 3, 1.0f);
      Fill(scale, n, 4, 0.0f);
      Fill(bias, n, 5, 0.0f);
      OnEveryPath(n, y, [&](const NormalizeKernels& kernels, float* out) {
        memcpy(out, x, n * sizeof(float));
        kernels.layer_norm(rms, 1e-5f, n, out, s, b, out);
      });
      double mean = 0, variance = 0;
      for (size_t i = 0; i < n && !rms; ++i) mean += static_cast<double>(x[i]) / static_cast<double>(n);
      for (size_t i = 0; i < n; ++i) variance += pow(static_cast<double>(x[i]) - mean, 2) / static_cast<double>(n);
      for (size_t i = 0; i < n; ++i) {
        double wanted = (static_cast<double>(x[i]) - mean) / sqrt(variance + 1e-5);
        if (s != nullptr) wanted *= static_cast<double>(s[i]);
        if (b != nullptr) wanted += static_cast<double>(b[i]);
        EXPECT_NEAR(static_cast<double>(y[i]), wanted, 1e-5) << n << " " << form;
      }
    }
  }
}

TEST(NormalizeColumns, SumsInAscendingOrderAndApplies) {
  constexpr size_t kRows = 7;
  static float x[kRows * kMax], mean[kMax], scale[kMax], bias[kMax], sums[kMax], y[kRows * kMax];
  for (size_t n : kLengths) {
    Fill(x, kRows * n, 21, 0.5f);
    Fill(mean, n, 22, 0.0f);
    Fill(scale, n, 23, 0.0f);
    Fill(bias, n, 24, 0.0f);
    for (const float* m : {static_cast<const float*>(nullptr), static_cast<const float*>(mean)}) {
      OnEveryPath(n, sums,
                  [&](const NormalizeKernels& kernels, float* out) { kernels.column_sums(kRows, n, x, m, out); });
      for (size_t i = 0; i < n; ++i) {
        float sum = 0;
        for (size_t r = 0; r < kRows; ++r) {
          const float d = m == nullptr ? x[r * n + i] : x[r * n + i] - m[i];
          sum = m == nullptr ? sum + d : fmaf(d, d, sum);
        }
        EXPECT_EQ(sums[i], sum);
      }
    }
    OnEveryPath(kRows * n, y, [&](const NormalizeKernels& kernels, float* out) {
      memcpy(out, x, kRows * n * sizeof(float));
      kernels.affine(kRows, n, out, mean, scale, bias, out);
    });
    for (size_t i = 0; i < kRows * n; ++i) EXPECT_EQ(y[i], fmaf(x[i] - mean[i % n], scale[i % n], bias[i % n]));
  }
}

}  // namespace
}  // namespace tealight
