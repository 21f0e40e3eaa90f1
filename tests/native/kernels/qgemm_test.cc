// SPDX-License-Identifier: Apache-2.0
// Every int8 gemm tile against the formula of qgemm.h in 64-bit integers and long double, and no byte outside of dst.
#include "kernels/qgemm/qgemm.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <vector>

#include "kernels/kernel_paths.h"

namespace tealight {

#if defined(__aarch64__)
const QGemmKernels* QGemmKernels_arm_neon_inorder();
const QGemmKernels* QGemmKernels_arm_neondot_inorder();
#endif

namespace {

struct Problem {
  size_t m, n, taps, run;
  QGemmOutput output = QGemmOutput::kInt8;
  bool wide = false, offsets = false, residual = false, table = false, extreme = false, full_range = false;
};

int32_t Clamp(double x, int32_t lo, int32_t hi) {
  if (!(x > lo)) return lo;
  return x < hi ? static_cast<int32_t>(x) : hi;
}

class QGemmTest : public testing::Test {
 protected:
  explicit QGemmTest() = default;

  std::vector<int8_t> Bytes(size_t n, int low, bool extreme) {
    std::vector<int8_t> values(n);
    for (int8_t& v : values) {
      const int x = low + static_cast<int>((random_.Next() >> 8) % static_cast<uint32_t>(128 - low));
      v = static_cast<int8_t>(extreme ? (x < 0 ? low : 127) : x);
    }
    return values;
  }
  std::vector<int32_t> Ints(size_t n, int32_t bound) {
    std::vector<int32_t> values(n);
    for (int32_t& v : values) v = static_cast<int32_t>(random_.Next() >> 4) % bound - bound / 2;
    return values;
  }

  void Make(const Problem& problem) {
    p_ = problem;
    const size_t k = p_.taps * p_.run, padded = (p_.n + 31) / 32 * 32;
    row_stride_ = p_.run + 4;
    dst_stride_ = p_.n + 5;
    lhs_ = Bytes(p_.taps * p_.m * row_stride_, -128, p_.extreme);
    rhs_ = Bytes(k * p_.n, -127, p_.extreme);
    packed_.assign(QGemmPanelBytes(k) * padded / 32, 0);
    QGemmPackRhs(rhs_.data(), p_.n, false, k, p_.n, 0, padded / 32, packed_.data());
    rows_.clear();
    for (size_t i = 0; i < p_.taps * p_.m; ++i) rows_.push_back(lhs_.data() + i * row_stride_);
    bias_ = Ints(padded, 2000);
    offsets_ = Ints(p_.m, 9000);
    zero_points_ = Ints(p_.m, 200);
    row_scale_ = random_.Floats(p_.m);
    float_bias_ = random_.Floats(p_.n);
    residual_ = Bytes(p_.m * dst_stride_, -128, false);
    float_residual_ = random_.Floats(p_.m * dst_stride_);
    table_ = Bytes(256, -128, false);
    scale_.resize(padded);
    const double spread = 5600.0 * std::sqrt(static_cast<double>(k + 1));
    for (float& v : scale_) {
      v = static_cast<float>(50.0 / spread * (1.0 + 0.9 * random_.Float() / 4.0));
      uint32_t bits;
      memcpy(&bits, &v, 4);
      bits |= 1;  // an odd significand, as the builder picks them
      memcpy(&v, &bits, 4);
    }
    args_ = QGemmArgs();
    args_.taps = p_.taps;
    args_.run = p_.run;
    args_.rhs = packed_.data();
    args_.rhs_panel_stride = QGemmPanelBytes(k);
    args_.n = p_.n;
    args_.full_range = p_.full_range;
    args_.bias = bias_.data();
    if (p_.offsets) {
      args_.row_offsets = offsets_.data();
      args_.row_zero_points = zero_points_.data();
    }
    args_.scale = scale_.data();
    args_.output = p_.output;
    args_.dst_stride = args_.residual_stride = dst_stride_;
    args_.requantization = {7, -120, 111, p_.wide};
    args_.add = {0.8125f, 0.4111f, -2.5f, -101, 123};
    if (p_.table) args_.table = table_.data();
    if (p_.residual) {
      args_.residual = p_.output == QGemmOutput::kInt8 ? static_cast<const void*>(residual_.data())
                                                       : static_cast<const void*>(float_residual_.data());
    }
    args_.row_scale = p_.offsets ? row_scale_.data() : nullptr;
    args_.float_bias = p_.table ? nullptr : float_bias_.data();
  }

  int32_t Sum(size_t i, size_t j) const {
    int64_t sum = bias_[j], column_sum = 0;
    for (size_t k = 0; k < p_.taps * p_.run; ++k) {
      sum += rows_[k / p_.run * p_.m + i][k % p_.run] * rhs_[k * p_.n + j];
      column_sum += rhs_[k * p_.n + j];
    }
    if (p_.offsets) sum += offsets_[i] - zero_points_[i] * column_sum;
    return static_cast<int32_t>(sum);
  }

  int8_t Int8(size_t i, size_t j) const {
    const double product = static_cast<double>(Sum(i, j)) * static_cast<double>(scale_[j]);  // exact
    int32_t y = Clamp(std::nearbyint(product) + 7, -120, 111);
    if (p_.wide) {
      const float rounded = std::fmaf(static_cast<float>(Sum(i, j)), scale_[j], 7.0f);
      y = Clamp(std::nearbyint(static_cast<double>(rounded)), -120, 111);
    }
    if (p_.table) y = table_[static_cast<size_t>(y + 128)];
    if (!p_.residual) return static_cast<int8_t>(y);
    const float inner = std::fmaf(static_cast<float>(y), 0.8125f, -2.5f);
    const float sum = std::fmaf(residual_[i * dst_stride_ + j], 0.4111f, inner);
    return static_cast<int8_t>(Clamp(std::nearbyint(static_cast<double>(sum)), -101, 123));
  }

  float Float32(size_t i, size_t j) const {
    const float scale = (p_.offsets ? row_scale_[i] : 1.0f) * scale_[j];
    float y = std::fmaf(static_cast<float>(Sum(i, j)), scale, p_.table ? 0.0f : float_bias_[j]);
    if (p_.residual) y += float_residual_[i * dst_stride_ + j];
    return y;
  }

  template <typename T, typename F>
  void Compare(const QGemmKernels& kernels, T fill, const F& wanted) {
    std::vector<T> dst(p_.m * dst_stride_ + 1, fill);
    args_.dst = dst.data();
    kernels.tile(rows_.data(), p_.m, args_);
    for (size_t at = 0; at < dst.size(); ++at) {
      const size_t i = at / dst_stride_, j = at % dst_stride_;
      const T value = i < p_.m && j < p_.n ? wanted(i, j) : fill;
      ASSERT_EQ(memcmp(&value, &dst[at], sizeof(T)), 0)
          << "m " << p_.m << " n " << p_.n << " taps " << p_.taps << " run " << p_.run << " output "
          << static_cast<int>(p_.output) << " wide " << p_.wide << " at " << i << ", " << j << ": " << +dst[at]
          << ", expected " << +value;
    }
  }

  void Check(Isa isa, const Problem& problem) {
    Make(problem);
    const QGemmKernels& kernels = *FindQGemm(isa, problem.n);
    SCOPED_TRACE(IsaName(isa));
    if (p_.output == QGemmOutput::kInt8) Compare<int8_t>(kernels, 77, [&](size_t i, size_t j) { return Int8(i, j); });
    if (p_.output == QGemmOutput::kFloat32)
      Compare<float>(kernels, 77.0f, [&](size_t i, size_t j) { return Float32(i, j); });
    if (p_.output == QGemmOutput::kInt32) Compare<int32_t>(kernels, 77, [&](size_t i, size_t j) { return Sum(i, j); });
  }

  // What FindQGemm gives on cores that issue in order, which this one may not be.
  static const QGemmKernels* InOrder(Isa isa) {
#if defined(__aarch64__)
    if (isa == Isa::kArmNeon) return QGemmKernels_arm_neon_inorder();
    if (isa == Isa::kArmNeonDot) return QGemmKernels_arm_neondot_inorder();
#endif
    (void)isa;
    return nullptr;
  }

  Problem p_;
  Values random_{7};
  size_t row_stride_ = 0, dst_stride_ = 0;
  std::vector<int8_t> lhs_, rhs_, residual_, table_;
  std::vector<char> packed_;
  std::vector<const int8_t*> rows_;
  std::vector<int32_t> bias_, offsets_, zero_points_;
  std::vector<float> scale_, row_scale_, float_bias_, float_residual_;
  QGemmArgs args_;
};

TEST_F(QGemmTest, EveryTileOfEveryPath) {
  for (const Isa isa : AllPaths()) {
    for (size_t n : {1, 7, 8, 15, 16, 17, 24, 31, 32, 33, 40, 48, 63, 64, 65, 96, 100, 129, 192}) {
      const size_t max_rows = FindQGemm(isa, n)->max_rows;
      ASSERT_LE(max_rows, kQGemmMaxRows);
      for (size_t m = 1; m <= max_rows && !HasFatalFailure(); ++m) {
        Check(isa, {m, n, 1, 4 + 4 * (m % 9)});
        Check(isa, {m, n, 3, 8, QGemmOutput::kInt8, true, true, true});
        Check(isa, {m, n, 1, 20, QGemmOutput::kInt8, false, false, false, false, true, true});
      }
    }
  }
}

TEST_F(QGemmTest, EveryPartOfTheEpilogue) {
  for (const Isa isa : AllPaths()) {
    for (size_t n : {5, 16, 24, 32, 50, 64, 77}) {
      for (size_t m : {size_t{1}, FindQGemm(isa, n)->max_rows}) {
        for (int bits = 0; bits < 32 && !HasFatalFailure(); ++bits) {
          Problem p = {m,
                       n,
                       2,
                       12,
                       QGemmOutput::kInt8,
                       (bits & 1) != 0,
                       (bits & 2) != 0,
                       (bits & 4) != 0,
                       (bits & 8) != 0,
                       (bits & 16) != 0};
          Check(isa, p);
          p.output = QGemmOutput::kFloat32;
          Check(isa, p);
          p.output = QGemmOutput::kInt32;
          p.residual = false;
          Check(isa, p);
        }
      }
    }
  }
}

TEST_F(QGemmTest, ExtremeValuesAndLongRows) {
  for (const Isa isa : AllPaths()) {
    for (size_t n : {24, 64}) {
      const size_t m = FindQGemm(isa, n)->max_rows;
      Check(isa, {m, n, 1, 1024, QGemmOutput::kInt32, false, false, false, false, true});
      Check(isa, {m, n, 9, 128, QGemmOutput::kInt8, true, false, false, false, true});
      Check(isa, {m, n, 9, 516, QGemmOutput::kInt8, true});  // more rows than a kernel may pack at once
      Check(isa, {m, n, 1, 300, QGemmOutput::kInt8, false, true, true, false, true});
      // Equal signs everywhere: the greatest sums of 16-bit steps.
      Make({m, n, 1, 64, QGemmOutput::kInt32});
      for (int value : {-128, -127, 127}) {
        args_.full_range = value == -128;
        for (int8_t& v : lhs_) v = -128;
        for (int8_t& v : rhs_) v = static_cast<int8_t>(value);
        QGemmPackRhs(rhs_.data(), n, false, 64, n, 0, (n + 31) / 32, packed_.data());
        Compare<int32_t>(*FindQGemm(isa, n), 77, [&](size_t i, size_t j) { return Sum(i, j); });
      }
    }
  }
}

TEST_F(QGemmTest, NoStepsGiveTheBias) {
  for (const Isa isa : AllPaths()) {
    Check(isa, {5, 20, 0, 4, QGemmOutput::kInt8, false, true});
    Check(isa, {3, 40, 1, 0, QGemmOutput::kInt32});
  }
}

TEST(QGemmPack, TransposedEqualsPlainAndSums) {
  const size_t k = 13, n = 37, panel = QGemmPanelBytes(k);
  Values random(3);
  std::vector<int8_t> b(k * n), transposed(n * k);
  for (size_t i = 0; i < k * n; ++i) b[i] = static_cast<int8_t>(random.Next() >> 24);
  for (size_t i = 0; i < k; ++i) {
    for (size_t j = 0; j < n; ++j) transposed[j * k + i] = b[i * n + j];
  }
  std::vector<int8_t> first(2 * panel, 1), second(2 * panel, 2);
  QGemmPackRhs(b.data(), n, false, k, n, 0, 2, first.data());
  QGemmPackRhs(transposed.data(), k, true, k, n, 0, 2, second.data());
  EXPECT_EQ(first, second);
  int32_t wanted = 0, sum;
  for (size_t i = 0; i < k; ++i) wanted += b[i * n + 36];
  memcpy(&sum, first.data() + panel + 4 * 4, 4);
  EXPECT_EQ(sum, wanted);
  EXPECT_EQ(first[panel + 128 + 3 * 128 + 4 * 4], b[12 * n + 36]);
  EXPECT_EQ(first[panel + 128 + 3 * 128 + 4 * 4 + 1], 0);
  EXPECT_EQ(first[panel + 128 + 4 * 5], 0);
}

}  // namespace
}  // namespace tealight
