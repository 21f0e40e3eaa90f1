// SPDX-License-Identifier: Apache-2.0
// The 8-bit elementwise kernels: every path equals the scalar one in every byte and every tail, writes nothing past
// the end, and the scalar one equals the formulas.
#include "kernels/qelementwise/qelementwise.h"

#include <gtest/gtest.h>

#include "kernels/kernel_paths.h"

namespace tealight {
namespace {

constexpr size_t kMost = 300;
constexpr uint8_t kGuard = 0xa5;

std::vector<uint8_t> Bytes(Values* values, size_t n) {
  std::vector<uint8_t> bytes(n);
  for (uint8_t& b : bytes) b = static_cast<uint8_t>(values->Next() >> 24);
  return bytes;
}

struct Parameters {
  std::vector<float> scale;
  std::vector<int32_t> zero_point;
  Steps Of(bool each) const { return {scale.data(), zero_point.data(), each ? size_t{1} : size_t{0}}; }
};

Parameters SomeParameters(Values* values, int32_t lo) {
  Parameters p;
  for (size_t i = 0; i < kMost; ++i) {
    p.scale.push_back(ldexpf(1 + static_cast<float>(values->Next() >> 9) * 0x1p-23f, -7));
    p.zero_point.push_back(static_cast<int32_t>(values->Next() >> 24) + lo);
  }
  return p;
}

template <typename T>
using QuantizeKernel = void (*)(size_t, const float*, Steps, int, int, T*);

template <typename T>
void CheckQuantize(QuantizeKernel<T> QElementwiseKernels::* member, int lo, int hi) {
  Values values(1);
  const Parameters p = SomeParameters(&values, std::is_signed<T>::value ? -128 : 0);
  std::vector<float> x = values.Floats(kMost);
  x[3] = NAN, x[17] = INFINITY, x[40] = -INFINITY, x[41] = 3e38f, x[42] = -1e-45f, x[299] = NAN;
  for (const bool each : {false, true}) {
    const Steps steps = p.Of(each);
    std::vector<T> wanted(kMost);
    (FindQElementwise(Isa::kScalar)->*member)(kMost, x.data(), steps, lo, hi, wanted.data());
    for (size_t i = 0; i < kMost; ++i) {
      const float q = x[i] / steps.scale[i * steps.step];
      const double y = (q != q ? 0.0 : static_cast<double>(rintf(q))) + steps.zero_point[i * steps.step];
      ASSERT_EQ(wanted[i], static_cast<T>(y < lo ? lo : y > hi ? hi : y)) << x[i];
    }
    for (Isa isa : AllPaths()) {
      for (size_t n = 0; n <= kMost; ++n) {
        std::vector<T> y(kMost + 1, static_cast<T>(kGuard));
        (FindQElementwise(isa)->*member)(n, x.data(), steps, lo, hi, y.data());
        ASSERT_EQ(memcmp(y.data(), wanted.data(), n), 0) << IsaName(isa) << " n " << n;
        ASSERT_EQ(y[n], static_cast<T>(kGuard)) << IsaName(isa) << " n " << n;
      }
    }
  }
}

TEST(QElementwise, QuantizesAlikeOnEveryPath) {
  CheckQuantize(&QElementwiseKernels::quantize_s8, -128, 127);
  CheckQuantize(&QElementwiseKernels::quantize_s8, -8, 7);
  CheckQuantize(&QElementwiseKernels::quantize_u8, 0, 255);
}

template <typename T>
void CheckDequantize(void (*QElementwiseKernels::*member)(size_t, const T*, Steps, float*)) {
  Values values(2);
  const Parameters p = SomeParameters(&values, std::is_signed<T>::value ? -128 : 0);
  const std::vector<uint8_t> bytes = Bytes(&values, kMost);
  const T* x = reinterpret_cast<const T*>(bytes.data());
  for (const bool each : {false, true}) {
    const Steps steps = p.Of(each);
    std::vector<float> wanted(kMost);
    for (size_t i = 0; i < kMost; ++i) {
      wanted[i] = static_cast<float>(x[i] - steps.zero_point[i * steps.step]) * steps.scale[i * steps.step];
    }
    for (Isa isa : AllPaths()) {
      for (size_t n = 0; n <= kMost; ++n) {
        std::vector<float> y(kMost + 1, -7.0f);
        (FindQElementwise(isa)->*member)(n, x, steps, y.data());
        ASSERT_EQ(memcmp(y.data(), wanted.data(), n * sizeof(float)), 0) << IsaName(isa) << " n " << n;
        ASSERT_EQ(y[n], -7.0f) << IsaName(isa) << " n " << n;
      }
    }
  }
}

TEST(QElementwise, DequantizesAlikeOnEveryPath) {
  CheckDequantize(&QElementwiseKernels::dequantize_s8);
  CheckDequantize(&QElementwiseKernels::dequantize_u8);
}

TEST(QElementwise, LooksUpAlikeOnEveryPath) {
  Values values(3);
  const std::vector<uint8_t> table = Bytes(&values, 256);
  std::vector<uint8_t> x = Bytes(&values, kMost);
  for (size_t i = 0; i < 256; ++i) x[i] = static_cast<uint8_t>(i * 37);  // each once
  for (const uint8_t flip : {0, 0x80}) {
    for (Isa isa : AllPaths()) {
      for (size_t n = 0; n <= kMost; ++n) {
        std::vector<uint8_t> y(kMost + 1, kGuard);
        FindQElementwise(isa)->lut(table.data(), flip, n, x.data(), y.data());
        for (size_t i = 0; i < n; ++i) ASSERT_EQ(y[i], table[x[i] ^ flip]) << IsaName(isa) << " n " << n << " at " << i;
        ASSERT_EQ(y[n], kGuard) << IsaName(isa) << " n " << n;
      }
    }
  }
}

// Runs f(kernels, n, a, b, y) on every path, over whole rows and over one value against a row.
template <typename F>
void CheckPairs(const F& f) {
  Values values(4);
  const std::vector<uint8_t> bytes = Bytes(&values, 4 * kMost);
  const int8_t* data = reinterpret_cast<const int8_t*>(bytes.data());
  for (const size_t a_col : {size_t{0}, size_t{1}}) {
    for (const size_t b_col : {size_t{0}, size_t{1}}) {
      for (size_t n = 1; n <= kMost / 2; ++n) {
        const Int8Operand a = {data, n, a_col}, b = {data + 2 * kMost, 0, b_col};
        std::vector<int8_t> wanted(2 * n + 1, 77);
        f(*FindQElementwise(Isa::kScalar), n, a, b, wanted.data());
        for (Isa isa : AllPaths()) {
          std::vector<int8_t> y(2 * n + 1, 77);
          f(*FindQElementwise(isa), n, a, b, y.data());
          ASSERT_EQ(y, wanted) << IsaName(isa) << " n " << n;
        }
      }
    }
  }
}

TEST(QElementwise, AddsAlikeOnEveryPath) {
  RescaledAdd add;
  add.a_scale = 0.61f, add.b_scale = -1.3f, add.offset = 2.5f, add.lo = -90, add.hi = 100;
  CheckPairs([&](const QElementwiseKernels& kernels, size_t n, Int8Operand a, Int8Operand b, int8_t* y) {
    kernels.add(2, n, a, b, add, y);
  });
}

TEST(QElementwise, MultipliesAlikeOnEveryPath) {
  for (const bool wide : {false, true}) {
    RescaledMul mul = {-128, 5, 0.0078125009f, {}, 0};
    mul.output.zero_point = -20, mul.output.hi = 110, mul.output.wide = wide;
    CheckPairs([&](const QElementwiseKernels& kernels, size_t n, Int8Operand a, Int8Operand b, int8_t* y) {
      kernels.mul(2, n, a, b, mul, y);
    });
  }
}

TEST(QElementwise, PreluAlikeOnEveryPath) {
  RescaledMul mul = {-12, 5, 0.0078125009f, {}, 0.71000004f};
  mul.output.zero_point = -20, mul.output.hi = 110;
  CheckPairs([&](const QElementwiseKernels& kernels, size_t n, Int8Operand a, Int8Operand b, int8_t* y) {
    kernels.prelu(2, n, a, b, mul, y);
  });
}

TEST(QElementwise, RangePassesOverNan) {
  Values values(5);
  std::vector<float> x = values.Floats(kMost);
  x[0] = NAN, x[1] = -9, x[77] = 8.5f, x[200] = NAN;
  for (Isa isa : AllPaths()) {
    for (size_t n = 0; n <= kMost; ++n) {
      float least = 0, greatest = 0, low = 0, high = 0;
      for (size_t i = 0; i < n; ++i) {
        low = x[i] < low ? x[i] : low;
        high = x[i] > high ? x[i] : high;
      }
      FindQElementwise(isa)->range(n, x.data(), &least, &greatest);
      ASSERT_EQ(least, low) << IsaName(isa) << " n " << n;
      ASSERT_EQ(greatest, high) << IsaName(isa) << " n " << n;
    }
  }
}

}  // namespace
}  // namespace tealight
