// SPDX-License-Identifier: Apache-2.0
// Stored weights on every path against the formulas of decode.h, bit for bit, and no byte outside of the results.
#include "kernels/decode/decode.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "kernels/kernel_paths.h"
#include "kernels/qgemm4/qgemm4.h"

namespace tealight {
namespace {

// A 4-bit or 8-bit integer of packed bytes.
int Element(DType dtype, const std::vector<uint8_t>& bytes, size_t i) {
  if (dtype == DType::kInt8) return static_cast<int8_t>(bytes[i]);
  const int bits = bytes[i / 2] >> (4 * (i % 2)) & 15;
  return dtype == DType::kInt4 ? (bits ^ 8) - 8 : bits;
}

struct Stored {
  std::vector<uint8_t> data, zero_point;
  std::vector<float> scale;
  StoredPanels panels;
  std::vector<float> decoded;  // [panels][k][16]
};

Stored Make(DType dtype, size_t panels, size_t k, size_t block, bool zero) {
  Values random(7);
  Stored s;
  const size_t blocks = (k + block - 1) / block, row = StoredRowBytes(dtype);
  const auto bytes = [&](size_t n) {
    std::vector<uint8_t> values(n);
    for (uint8_t& v : values) v = static_cast<uint8_t>(random.Next() >> 13);
    return values;
  };
  s.data = bytes(panels * k * row);
  if (dtype == DType::kFloat16) {  // 1.xxx: no NaN, every significand
    for (size_t i = 1; i < s.data.size(); i += 2) s.data[i] = static_cast<uint8_t>(0x3c | (s.data[i] & 0x83));
  }
  s.scale = random.Floats(panels * blocks * kGemmPanel);
  s.zero_point = bytes(panels * blocks * row);
  s.panels.dtype = dtype;
  s.panels.k = k;
  s.panels.block = block;
  s.panels.data = s.data.data();
  s.panels.scale = s.scale.data();
  s.panels.zero_point = zero ? s.zero_point.data() : nullptr;
  for (size_t panel = 0; panel < panels; ++panel) {
    for (size_t i = 0; i < k * kGemmPanel; ++i) {
      const size_t at = panel * k * kGemmPanel + i;
      const size_t scale = (panel * blocks + i / kGemmPanel / block) * kGemmPanel + i % kGemmPanel;
      if (dtype == DType::kFloat16) {
        const uint32_t half = s.data[2 * at] | s.data[2 * at + 1] << 8;
        const float value =
            std::ldexp(static_cast<float>(1024 + (half & 1023)), static_cast<int>(half >> 10 & 31) - 25);
        s.decoded.push_back(half >> 15 ? -value : value);
        continue;
      }
      const int q = Element(dtype, s.data, at) - (zero ? Element(dtype, s.zero_point, scale) : 0);
      s.decoded.push_back(static_cast<float>(q) * s.scale[scale]);
    }
  }
  return s;
}

constexpr DType kDTypes[] = {DType::kFloat16, DType::kInt8, DType::kInt4, DType::kUint4};

TEST(Decode, PanelsAreTheFormula) {
  for (DType dtype : kDTypes) {
    for (bool zero : {false, true}) {
      for (size_t block : {size_t{1}, size_t{32}, size_t{77}}) {
        if (dtype == DType::kFloat16 && zero) continue;
        const Stored s = Make(dtype, 3, 77, block, zero);
        for (Isa isa : AllPaths()) {
          std::vector<float> found(2 * 77 * kGemmPanel + 1, 5.0f);
          FindDecode(isa)->panels(s.panels, 1, 3, found.data());
          EXPECT_EQ(found.back(), 5.0f);
          found.pop_back();
          const std::vector<float> wanted(s.decoded.begin() + 77 * kGemmPanel, s.decoded.end());
          EXPECT_EQ(FirstDifference(found, wanted), -1) << IsaName(isa) << " " << DTypeName(dtype) << " " << block;
        }
      }
    }
  }
}

TEST(Decode, RowsAreTheGemmOfDecodedPanels) {
  Values random(11);
  constexpr size_t kTaps = 3, kRun = 25, kK = kTaps * kRun;
  for (DType dtype : kDTypes) {
    for (size_t m = 1; m <= kDecodeMaxRows; ++m) {
      for (size_t n : {size_t{1}, size_t{16}, size_t{37}, size_t{150}}) {
        const Stored s = Make(dtype, 11, kK, 16, dtype == DType::kUint4);
        const std::vector<float> x = random.Floats(kTaps * m * kRun), bias = random.Floats(n);
        const std::vector<float> residual = random.Floats(m * (n + 3));
        std::vector<const float*> rows;
        for (size_t i = 0; i < kTaps * m; ++i) rows.push_back(x.data() + i * kRun);
        GemmArgs args;
        args.taps = kTaps;
        args.run = kRun;
        args.n = n;
        args.bias = bias.data();
        args.residual = residual.data();
        args.residual_stride = args.dst_stride = n + 3;
        args.lo = -3;
        args.hi = 2;
        for (Isa isa : AllPaths()) {
          std::vector<float> found(m * (n + 3), 7.0f), wanted(m * (n + 3), 7.0f);
          args.dst = found.data();
          FindDecode(isa)->gemm_rows(s.panels, 1, rows.data(), m, args);
          args.rhs = s.decoded.data() + kK * kGemmPanel;
          args.rhs_k_stride = kGemmPanel;
          args.rhs_panel_stride = kK * kGemmPanel;
          args.dst = wanted.data();
          const GemmKernels& gemm = *FindGemm(Isa::kScalar, n);
          for (size_t i = 0; i < m; ++i) {
            const float* one[kTaps];
            for (size_t t = 0; t < kTaps; ++t) one[t] = rows[t * m + i];
            GemmArgs row = args;
            row.dst = wanted.data() + i * args.dst_stride;
            row.residual = residual.data() + i * args.residual_stride;
            gemm.tile(one, 1, row);
          }
          EXPECT_EQ(FirstDifference(found, wanted), -1)
              << IsaName(isa) << " " << DTypeName(dtype) << " m " << m << " n " << n;
        }
      }
    }
  }
}

// gemm_n32k4 panels of int4 with their sums, and the same as int8.
struct Int4Panels {
  std::vector<uint8_t> packed, unpacked;
};

Int4Panels MakeInt4(size_t panels, size_t k) {
  Values random(3);
  Int4Panels result;
  for (size_t panel = 0; panel < panels; ++panel) {
    std::vector<int8_t> weights(k * kQGemmPanel);  // [k / 4][32][4]
    int32_t sums[kQGemmPanel] = {};
    for (size_t i = 0; i < weights.size(); ++i) {
      weights[i] = static_cast<int8_t>(random.Next() >> 28) - 8;
      sums[i / 4 % kQGemmPanel] += weights[i];
    }
    const uint8_t* head = reinterpret_cast<const uint8_t*>(sums);
    result.packed.insert(result.packed.end(), head, head + sizeof(sums));
    result.unpacked.insert(result.unpacked.end(), head, head + sizeof(sums));
    for (int8_t w : weights) result.unpacked.push_back(static_cast<uint8_t>(w));
    for (size_t block = 0; block < k / 8; ++block) {
      for (size_t i = 0; i < 128; ++i) {
        const int low = weights[block * 256 + i], high = weights[block * 256 + 128 + i];
        result.packed.push_back(static_cast<uint8_t>((low & 15) | (high & 15) << 4));
      }
    }
  }
  return result;
}

TEST(Decode, Int4PanelsBecomeInt8) {
  const Int4Panels p = MakeInt4(3, 40);
  for (Isa isa : AllPaths()) {
    std::vector<uint8_t> found(2 * QGemmPanelBytes(40) + 1, 99);
    FindDecode(isa)->int4_panels(p.packed.data(), 40, 1, 3, found.data());
    EXPECT_EQ(found.back(), 99);
    found.pop_back();
    EXPECT_TRUE(std::equal(found.begin(), found.end(), p.unpacked.begin() + QGemmPanelBytes(40))) << IsaName(isa);
  }
}

TEST(QGemm4, SumsAreThoseOfUnpackedWeights) {
  Values random(5);
  for (size_t k : {size_t{8}, size_t{40}, kQGemm4MaxK}) {
    const Int4Panels p = MakeInt4(4, k);
    std::vector<int8_t> x(16 * k);
    for (int8_t& v : x) v = k == kQGemm4MaxK ? int8_t{-128} : static_cast<int8_t>(random.Next() >> 20);
    for (size_t m : {1, 2, 3, 4, 5, 8, 13, 16}) {
      for (size_t n : {size_t{5}, size_t{32}, size_t{100}}) {
        const int8_t* rows[16];
        for (size_t i = 0; i < m; ++i) rows[i] = x.data() + i * k;
        QGemmArgs args;
        args.run = k;
        args.n = n;
        args.output = QGemmOutput::kInt32;
        args.dst_stride = n + 2;
        std::vector<int32_t> wanted(m * (n + 2), 7);
        args.rhs = p.unpacked.data();
        args.rhs_panel_stride = QGemmPanelBytes(k);
        args.dst = wanted.data();
        for (size_t i = 0; i < m; ++i) {
          QGemmArgs row = args;
          row.dst = wanted.data() + i * args.dst_stride;
          FindQGemm(Isa::kScalar, n)->tile(rows + i, 1, row);
        }
        for (Isa isa : AllPaths()) {
          const QGemmKernels* kernels = FindQGemm4(isa, 1);
          if (kernels == nullptr || m > kernels->max_rows) continue;
          std::vector<int32_t> found(m * (n + 2), 7);
          args.rhs = p.packed.data();
          args.rhs_panel_stride = QGemm4PanelBytes(k);
          args.dst = found.data();
          kernels->tile(rows, m, args);
          EXPECT_EQ(found, wanted) << IsaName(isa) << " k " << k << " m " << m << " n " << n;
        }
      }
    }
  }
}

}  // namespace
}  // namespace tealight
