// SPDX-License-Identifier: Apache-2.0
// Every gemm tile against the chain of fmaf that defines it, bit for bit, and no byte outside of the result.
#include "kernels/gemm/gemm.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <vector>

namespace tealight {
namespace {

struct Problem {
  size_t m, n, taps, run;
  bool packed, bias, residual;
};

std::vector<float> Values(size_t count, uint32_t seed) {
  std::vector<float> values(count);
  for (float& v : values) {
    seed = seed * 1664525u + 1013904223u;
    v = static_cast<float>(static_cast<int32_t>(seed)) * 0x1p-31f;
  }
  return values;
}

class GemmTest : public testing::Test {
 protected:
  // Runs one call and compares it with the definition.
  static void Check(const GemmKernels& kernels, const Problem& p) {
    const size_t k = p.taps * p.run, row_stride = p.run + 3, dst_stride = p.n + 5;
    const std::vector<float> lhs = Values(p.taps * p.m * row_stride, 1), plain = Values(k * p.n, 2);
    const std::vector<float> bias = Values(p.n, 3), residual = Values(p.m * dst_stride, 4);
    std::vector<float> packed((p.n + 15) / 16 * 16 * k);
    GemmPackRhs(plain.data(), p.n, false, k, p.n, 0, (p.n + 15) / 16, packed.data());
    std::vector<const float*> rows;
    for (size_t i = 0; i < p.taps * p.m; ++i) rows.push_back(lhs.data() + i * row_stride);
    std::vector<float> dst(p.m * dst_stride + 1, 77.0f);
    GemmArgs args;
    args.taps = p.taps;
    args.run = p.run;
    args.rhs = p.packed ? packed.data() : plain.data();
    args.rhs_k_stride = p.packed ? kGemmPanel : p.n;
    args.rhs_panel_stride = p.packed ? kGemmPanel * k : kGemmPanel;
    args.rhs_padded = p.packed;
    args.n = p.n;
    args.bias = p.bias ? bias.data() : nullptr;
    args.residual = p.residual ? residual.data() : nullptr;
    args.dst = dst.data();
    args.dst_stride = args.residual_stride = dst_stride;
    args.lo = -1.0f;
    args.hi = 1.5f;
    kernels.tile(rows.data(), p.m, args);
    for (size_t i = 0; i < dst.size(); ++i) {
      const size_t row = i / dst_stride, column = i % dst_stride;
      float wanted = 77.0f;
      if (row < p.m && column < p.n) {
        wanted = p.bias ? bias[column] : 0.0f;
        for (size_t j = 0; j < k; ++j) {
          wanted = std::fmaf(rows[j / p.run * p.m + row][j % p.run], plain[j * p.n + column], wanted);
        }
        if (p.residual) wanted += residual[i];
        wanted = args.lo > wanted ? args.lo : wanted;
        wanted = args.hi < wanted ? args.hi : wanted;
      }
      ASSERT_EQ(std::memcmp(&wanted, &dst[i], 4), 0)
          << "m " << p.m << " n " << p.n << " taps " << p.taps << " run " << p.run << " at " << row << ", " << column;
    }
  }
};

TEST_F(GemmTest, EveryTileIsTheChain) {
  Isa isa;
  for (size_t i = 0; SupportedIsa(i, &isa); ++i) {
    for (size_t n : {1, 7, 8, 15, 16, 17, 24, 31, 32, 33, 40, 63, 64, 129, 140}) {
      const GemmKernels& kernels = *FindGemm(isa, n);
      ASSERT_LE(kernels.max_rows, kGemmMaxRows);
      for (size_t m = 1; m <= kernels.max_rows; ++m) {
        Check(kernels, {m, n, 1, 9, true, true, false});
        Check(kernels, {m, n, 3, 6, true, false, true});
        Check(kernels, {m, n, 2, 5, false, true, true});
      }
    }
  }
}

TEST_F(GemmTest, NoStepsGiveTheBias) {
  Isa isa;
  for (size_t i = 0; SupportedIsa(i, &isa); ++i) {
    Check(*FindGemm(isa, 20), {2, 20, 0, 4, true, true, true});
    Check(*FindGemm(isa, 20), {2, 20, 1, 1, true, true, true});
  }
}

TEST(GemmPack, TransposedEqualsPlain) {
  const size_t k = 13, n = 37;
  const std::vector<float> b = Values(k * n, 5);
  std::vector<float> transposed(n * k), first(48 * k, -1.0f), second(48 * k, -1.0f);
  GemmTranspose(b.data(), n, k, n, transposed.data(), k);
  GemmPackRhs(b.data(), n, false, k, n, 0, 3, first.data());
  GemmPackRhs(transposed.data(), k, true, k, n, 0, 3, second.data());
  EXPECT_EQ(first, second);
  EXPECT_EQ(first[32 * k + 4], b[36]);
  EXPECT_EQ(first[32 * k + 5], 0.0f);
}

}  // namespace
}  // namespace tealight
