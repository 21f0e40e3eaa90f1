// SPDX-License-Identifier: Apache-2.0
// int8 softmax and norms: every path equals the scalar one in every tail, writes nothing past the end, and the results
// lie within a step of float64 ones.
#include "kernels/qnormalize/qnormalize.h"

#include <gtest/gtest.h>

#include "kernels/kernel_paths.h"

namespace tealight {
namespace {

constexpr size_t kMost = 260;
constexpr int8_t kGuard = 77;

std::vector<int8_t> Int8s(Values* values, size_t n) {
  std::vector<int8_t> x(n);
  for (int8_t& v : x) v = static_cast<int8_t>(values->Next() >> 24);
  return x;
}

SoftmaxTable TableOf(double x_scale, float steps) {
  float exponentials[256];
  for (int d = 0; d < 256; ++d) exponentials[d] = static_cast<float>(exp(-x_scale * d));
  SoftmaxTable table;
  FillSoftmaxTable(exponentials, steps, &table);
  return table;
}

TEST(QNormalize, SoftmaxIsAlikeOnEveryPathAndClose) {
  Values values(1);
  const std::vector<int8_t> x = Int8s(&values, kMost);
  alignas(64) static char scratch[QSoftmaxScratchBytes(kMost)];
  for (size_t n = 1; n <= kMost; ++n) {
    const double x_scale = 0.003 * static_cast<double>(n % 40 + 1);
    const float steps = n % 3 == 0 ? 1500.0f : 256.0f;
    const SoftmaxTable table = TableOf(x_scale, steps);
    std::vector<int8_t> wanted(n + 1, kGuard);
    FindQNormalize(Isa::kScalar)->softmax(table, n, x.data(), scratch, wanted.data());
    double sum = 0;
    for (size_t i = 0; i < n; ++i) sum += exp(x_scale * x[i]);
    for (size_t i = 0; i < n; ++i) {
      const double real = static_cast<double>(steps) * exp(x_scale * x[i]) / sum;
      ASSERT_NEAR(wanted[i] + 128, real > 255 ? 255 : real, 0.54) << "n " << n;
    }
    for (Isa isa : AllPaths()) {
      std::vector<int8_t> y(n + 1, kGuard);
      FindQNormalize(isa)->softmax(table, n, x.data(), scratch, y.data());
      ASSERT_EQ(y, wanted) << IsaName(isa) << " n " << n;
    }
  }
}

TEST(QNormalize, LayerNormIsAlikeOnEveryPathAndClose) {
  Values values(2);
  const std::vector<int8_t> x = Int8s(&values, kMost);
  std::vector<float> scale = values.Floats(kMost), bias = values.Floats(kMost);
  for (float& s : scale) s *= 5;
  for (const bool rms : {false, true}) {
    const QLayerNormArgs args = {-9, 0.05f, 1e-5f, rms, 3, -128, 120};
    for (size_t n = 1; n <= kMost; ++n) {
      std::vector<int8_t> wanted(n + 1, kGuard);
      FindQNormalize(Isa::kScalar)->layer_norm(args, 1, n, x.data(), scale.data(), bias.data(), wanted.data());
      double mean = 0, variance = 0;
      for (size_t i = 0; i < n && !rms; ++i) mean += (x[i] + 9) * 0.05 / static_cast<double>(n);
      for (size_t i = 0; i < n; ++i) variance += pow((x[i] + 9) * 0.05 - mean, 2) / static_cast<double>(n);
      for (size_t i = 0; i < n; ++i) {
        const double real = ((x[i] + 9) * 0.05 - mean) / sqrt(variance + 1e-5) * scale[i] + bias[i] + 3;
        ASSERT_NEAR(wanted[i], real < -128 ? -128 : real > 120 ? 120 : real, 0.501);
      }
      for (Isa isa : AllPaths()) {
        std::vector<int8_t> y(n + 1, kGuard);
        FindQNormalize(isa)->layer_norm(args, 1, n, x.data(), scale.data(), bias.data(), y.data());
        ASSERT_EQ(y, wanted) << IsaName(isa) << " n " << n;
      }
    }
  }
}

TEST(QNormalize, SumsAndScalesColumnsAlikeOnEveryPath) {
  constexpr size_t kRows = 7;
  Values values(3);
  const std::vector<int8_t> x = Int8s(&values, kRows * kMost);
  const std::vector<float> factor = values.Floats(kMost), offset = values.Floats(kMost);
  for (size_t n = 1; n <= kMost; ++n) {
    std::vector<int32_t> sums(n), squares(n);
    std::vector<int8_t> wanted(kRows * n + 1, kGuard);
    for (size_t i = 0; i < kRows * n; ++i) {
      sums[i % n] += x[i];
      squares[i % n] += x[i] * x[i];
      const float y = fmaf(x[i], factor[i % n], offset[i % n]);
      wanted[i] = static_cast<int8_t>(rintf(fminf(fmaxf(y, -100), 99)));
    }
    for (Isa isa : AllPaths()) {
      std::vector<int32_t> found_sums(n + 1, kGuard), found_squares(n + 1, kGuard);
      FindQNormalize(isa)->column_sums(kRows, n, x.data(), found_sums.data(), found_squares.data());
      ASSERT_EQ(found_sums[n], kGuard);
      ASSERT_EQ(found_squares[n], kGuard);
      found_sums.pop_back(), found_squares.pop_back();
      ASSERT_EQ(found_sums, sums) << IsaName(isa) << " n " << n;
      ASSERT_EQ(found_squares, squares) << IsaName(isa) << " n " << n;
      std::vector<int8_t> y(kRows * n + 1, kGuard);
      FindQNormalize(isa)->affine(kRows, n, x.data(), factor.data(), offset.data(), -100, 99, y.data());
      ASSERT_EQ(y, wanted) << IsaName(isa) << " n " << n;
    }
  }
}

}  // namespace
}  // namespace tealight
