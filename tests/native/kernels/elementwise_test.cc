// SPDX-License-Identifier: Apache-2.0
// Every function of the elementwise family: error against double precision libm within the stated bound on a stride
// through all float32 bit patterns, IEEE special values, and the same bits on every path of this CPU.
#include "kernels/elementwise/elementwise.h"

#include <gtest/gtest.h>
#include <math.h>
#include <string.h>

#include "kernels/elementwise/scalar_math.h"

namespace tealight {
namespace {

constexpr size_t kBlock = 4096;
constexpr double kInf = HUGE_VAL;

double SigmoidOf(double x) { return x < 0 ? exp(x) / (1 + exp(x)) : 1 / (1 + exp(-x)); }
double SoftplusOf(double x) { return x > 0 ? x + log1p(exp(-x)) : log1p(exp(x)); }
double GeluOf(double x) { return x * 0.5 * erfc(-x / sqrt(2.0)); }
double GeluTanhOf(double x) { return x * SigmoidOf(2 * sqrt(2 / M_PI) * (x + 0.044715 * x * x * x)); }
double SiluOf(double x) { return x * SigmoidOf(x); }
double MishOf(double x) { return x * tanh(SoftplusOf(x)); }
double EluOf(double x) { return x < 0 ? expm1(x) : x; }
double SeluOf(double x) { return 1.0507010221481323 * (x < 0 ? 1.6732631921768188 * expm1(x) : x); }
double CeluOf(double x) { return x < 0 ? 2 * expm1(x / 2) : x; }
double RsqrtOf(double x) { return 1 / sqrt(x); }
double ReciprocalOf(double x) { return 1 / x; }
double SoftsignOf(double x) { return x / (1 + fabs(x)); }

struct Function {
  const char* name;
  UnaryOp kind;
  float alpha, beta;
  double (*judge)(double);
  double ulp;       // allowed error in ulp of the result, or
  double relative;  // relative to |x| where ulp is 0
};
const Function kFunctions[] = {
    {"exp", UnaryOp::kExp, 0, 0, exp, 1, 0},
    {"expm1", UnaryOp::kExpm1, 0, 0, expm1, 1.5, 0},
    {"log", UnaryOp::kLog, 0, 0, log, 1, 0},
    {"tanh", UnaryOp::kTanh, 0, 0, tanh, 2.5, 0},
    {"sigmoid", UnaryOp::kSigmoid, 0, 0, SigmoidOf, 3, 0},
    {"erf", UnaryOp::kErf, 0, 0, erf, 4.5, 0},
    {"softplus", UnaryOp::kSoftplus, 0, 0, SoftplusOf, 2.5, 0},
    {"elu", UnaryOp::kElu, 1, 0, EluOf, 1, 0},
    {"selu", UnaryOp::kSelu, 1.67326319f, 1.05070102f, SeluOf, 2.5, 0},
    {"celu", UnaryOp::kCelu, 2, 0, CeluOf, 1, 0},
    {"gelu", UnaryOp::kGelu, 0, 0, GeluOf, 0, 0x1p-22},
    {"gelu_tanh", UnaryOp::kGeluTanh, 0, 0, GeluTanhOf, 0, 0x1p-22},
    {"silu", UnaryOp::kSilu, 0, 0, SiluOf, 0, 0x1p-22},
    {"mish", UnaryOp::kMish, 0, 0, MishOf, 0, 0x1p-22},
    {"sqrt", UnaryOp::kSqrt, 0, 0, sqrt, 0.51, 0},
    {"rsqrt", UnaryOp::kRsqrt, 0, 0, RsqrtOf, 1.5, 0},
    {"reciprocal", UnaryOp::kReciprocal, 0, 0, ReciprocalOf, 0.51, 0},
    {"softsign", UnaryOp::kSoftsign, 0, 0, SoftsignOf, 1.5, 0},
    {"log1p", UnaryOp::kLog1p, 0, 0, log1p, 0.51, 0},
    {"sin", UnaryOp::kSin, 0, 0, sin, 0.51, 0},
    {"cos", UnaryOp::kCos, 0, 0, cos, 0.51, 0},
    {"tan", UnaryOp::kTan, 0, 0, tan, 0.51, 0},
    {"asin", UnaryOp::kAsin, 0, 0, asin, 0.51, 0},
    {"acos", UnaryOp::kAcos, 0, 0, acos, 0.51, 0},
    {"atan", UnaryOp::kAtan, 0, 0, atan, 0.51, 0},
    {"sinh", UnaryOp::kSinh, 0, 0, sinh, 0.51, 0},
    {"cosh", UnaryOp::kCosh, 0, 0, cosh, 0.51, 0},
    {"asinh", UnaryOp::kAsinh, 0, 0, asinh, 0.51, 0},
    {"acosh", UnaryOp::kAcosh, 0, 0, acosh, 0.51, 0},
    {"atanh", UnaryOp::kAtanh, 0, 0, atanh, 0.51, 0},
};

float FloatOfBits(uint32_t bits) {
  float x;
  memcpy(&x, &bits, sizeof(x));
  return x;
}
uint32_t BitsOfFloat(float x) {
  uint32_t bits;
  memcpy(&bits, &x, sizeof(bits));
  return bits;
}
bool Same(float a, float b) { return BitsOfFloat(a) == BitsOfFloat(b) || (a != a && b != b); }

// Fills x with the next patterns of a stride through all of float32; returns how many.
size_t NextBlock(uint64_t* pattern, uint32_t stride, float* x) {
  size_t n = 0;
  for (; n < kBlock && *pattern < (uint64_t{1} << 32); ++n, *pattern += stride) {
    x[n] = FloatOfBits(static_cast<uint32_t>(*pattern));
  }
  return n;
}

// |y - judged| in units of the last place of judged, which is at least that of the subnormals.
double UlpError(float y, double judged) {
  int exponent;
  frexp(judged, &exponent);
  return fabs(static_cast<double>(y) - judged) / ldexp(1, (exponent < -125 ? -125 : exponent) - 24);
}

class ElementwiseTest : public ::testing::TestWithParam<Function> {};

TEST_P(ElementwiseTest, IsWithinItsBound) {
  const Function& f = GetParam();
  Isa isa;
  ASSERT_TRUE(SupportedIsa(0, &isa));
  static float x[kBlock], y[kBlock];
  int reported = 0;
  for (uint64_t pattern = 0; pattern < (uint64_t{1} << 32);) {
    const size_t n = NextBlock(&pattern, 20011, x);
    FindElementwise(isa)->unary(f.kind, f.alpha, f.beta, n, x, y);
    for (size_t i = 0; i < n && reported < 5; ++i) {
      const double judged = f.judge(static_cast<double>(x[i]));
      const float rounded = static_cast<float>(judged);
      bool good;
      if (isinf(x[i]) && f.ulp == 0) continue;  // x * 0
      if (rounded != rounded || isinf(rounded)) {
        good = Same(y[i], rounded);
      } else if (f.ulp != 0) {
        good = UlpError(y[i], judged) <= f.ulp;
      } else {
        good = fabs(static_cast<double>(y[i]) - judged) <= f.relative * fabs(static_cast<double>(x[i])) + 0x1p-149;
      }
      EXPECT_TRUE(good) << f.name << "(" << x[i] << ") = " << y[i] << ", expected " << judged;
      reported += !good;
    }
  }
}

TEST_P(ElementwiseTest, HasTheSameBitsOnEveryPath) {
  const Function& f = GetParam();
  static float x[kBlock], y[kBlock], other[kBlock];
  for (uint64_t pattern = 0; pattern < (uint64_t{1} << 32);) {
    const size_t n = NextBlock(&pattern, 400009, x);
    FindElementwise(Isa::kScalar)->unary(f.kind, f.alpha, f.beta, n, x, y);
    Isa isa;
    for (size_t p = 0; SupportedIsa(p, &isa); ++p) {
      FindElementwise(isa)->unary(f.kind, f.alpha, f.beta, n, x, other);
      for (size_t i = 0; i < n; ++i) {
        ASSERT_TRUE(Same(y[i], other[i]))
            << f.name << "(" << x[i] << ") on " << IsaName(isa) << " = " << other[i] << ", scalar " << y[i];
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(All, ElementwiseTest, ::testing::ValuesIn(kFunctions),
                         [](const ::testing::TestParamInfo<Function>& info) { return info.param.name; });

float One(UnaryOp kind, float x, float alpha = 0, float beta = 0) {
  Isa isa;
  SupportedIsa(0, &isa);
  float y;
  FindElementwise(isa)->unary(kind, alpha, beta, 1, &x, &y);
  return y;
}

TEST(ElementwiseSpecial, ValuesAreThoseOfIeee) {
  const float inf = static_cast<float>(kInf);
  EXPECT_TRUE(Same(One(UnaryOp::kExp, -inf), 0.0f));
  EXPECT_TRUE(Same(One(UnaryOp::kExp, inf), inf));
  EXPECT_TRUE(Same(One(UnaryOp::kExp, 0.0f), 1.0f));
  EXPECT_TRUE(Same(One(UnaryOp::kExp, 88.8f), inf));
  EXPECT_TRUE(Same(One(UnaryOp::kLog, 0.0f), -inf));
  EXPECT_TRUE(Same(One(UnaryOp::kLog, -0.0f), -inf));
  EXPECT_TRUE(Same(One(UnaryOp::kLog, -1.0f), NAN));
  EXPECT_TRUE(Same(One(UnaryOp::kLog, 1.0f), 0.0f));
  EXPECT_TRUE(Same(One(UnaryOp::kLog, inf), inf));
  EXPECT_TRUE(Same(One(UnaryOp::kTanh, inf), 1.0f));
  EXPECT_TRUE(Same(One(UnaryOp::kTanh, -inf), -1.0f));
  EXPECT_TRUE(Same(One(UnaryOp::kTanh, -0.0f), -0.0f));
  EXPECT_TRUE(Same(One(UnaryOp::kTanh, 1e-45f), 1e-45f));
  EXPECT_TRUE(Same(One(UnaryOp::kSigmoid, -inf), 0.0f));
  EXPECT_TRUE(Same(One(UnaryOp::kSigmoid, inf), 1.0f));
  EXPECT_TRUE(Same(One(UnaryOp::kSigmoid, 0.0f), 0.5f));
  EXPECT_TRUE(Same(One(UnaryOp::kErf, -inf), -1.0f));
  EXPECT_TRUE(Same(One(UnaryOp::kErf, -0.0f), -0.0f));
  EXPECT_TRUE(Same(One(UnaryOp::kGelu, 1e30f), 1e30f));
  EXPECT_EQ(One(UnaryOp::kGelu, -1e30f), 0.0f);
  EXPECT_TRUE(Same(One(UnaryOp::kRelu, NAN), NAN));
  EXPECT_TRUE(Same(One(UnaryOp::kRelu, -inf), 0.0f));
  EXPECT_TRUE(Same(One(UnaryOp::kClip, NAN, 0, 6), NAN));
  EXPECT_TRUE(Same(One(UnaryOp::kClip, 7.0f, 0, 6), 6.0f));
  EXPECT_TRUE(Same(One(UnaryOp::kSign, -0.5f), -1.0f));
  EXPECT_TRUE(Same(One(UnaryOp::kSign, NAN), NAN));
  EXPECT_TRUE(Same(One(UnaryOp::kSign, -0.0f), 0.0f));
  EXPECT_TRUE(Same(One(UnaryOp::kRound, 2.5f), 2.0f));
  EXPECT_TRUE(Same(One(UnaryOp::kRound, -0.5f), -0.0f));
  EXPECT_TRUE(Same(One(UnaryOp::kSin, inf), NAN));
  EXPECT_TRUE(Same(One(UnaryOp::kSin, -0.0f), -0.0f));
  EXPECT_TRUE(Same(One(UnaryOp::kShrink, 2.0f, 0.5f, 0.25f), 1.75f));
  EXPECT_TRUE(Same(One(UnaryOp::kShrink, -2.0f, 0.5f, 0.25f), -1.75f));
  EXPECT_TRUE(Same(One(UnaryOp::kHardSwish, 3.0f), 3.0f));
}

TEST(ElementwisePow, MatchesLibmWithinHalfAnUlp) {
  const float values[] = {0.0f,
                          -0.0f,
                          1.0f,
                          -1.0f,
                          2.0f,
                          -2.0f,
                          0.5f,
                          -0.5f,
                          3.0f,
                          -3.0f,
                          1e-3f,
                          7.25f,
                          1e30f,
                          1e-40f,
                          -1e-40f,
                          148.0f,
                          152.0f,
                          -149.0f,
                          1e38f,
                          -1e38f,
                          1.0000001f,
                          0.99f,
                          static_cast<float>(kInf),
                          -static_cast<float>(kInf),
                          NAN};
  for (float a : values) {
    for (float b : values) {
      const float y = ScalarBinary(BinaryOp::kPow, a, b);
      const double judged = pow(static_cast<double>(a), static_cast<double>(b));
      const float rounded = static_cast<float>(judged);
      if (rounded != rounded || isinf(rounded) || rounded == 0) {
        EXPECT_TRUE(Same(y, rounded)) << a << " ^ " << b << " = " << y << ", expected " << judged;
      } else {
        EXPECT_LE(UlpError(y, judged), 0.51) << a << " ^ " << b << " = " << y << ", expected " << judged;
      }
    }
  }
}

// All operand forms, sizes around the vector widths, in place, on every path.
TEST(ElementwiseBinary, MatchesPlainLoops) {
  float a[3 * 37], b[3 * 37], y[3 * 37];
  for (size_t i = 0; i < 3 * 37; ++i) {
    a[i] = static_cast<float>(static_cast<int>(i * 7919 % 101) - 50) / 8;
    b[i] = static_cast<float>(static_cast<int>(i * 104729 % 97) - 48) / 4;
  }
  a[5] = b[9] = NAN;
  const BinaryOp kinds[] = {BinaryOp::kAdd, BinaryOp::kSub,   BinaryOp::kMul, BinaryOp::kDiv, BinaryOp::kMax,
                            BinaryOp::kMin, BinaryOp::kPrelu, BinaryOp::kPow, BinaryOp::kMod, BinaryOp::kFmod};
  Isa isa;
  for (size_t p = 0; SupportedIsa(p, &isa); ++p) {
    for (BinaryOp kind : kinds) {
      for (size_t n : {size_t{1}, size_t{4}, size_t{15}, size_t{16}, size_t{17}, size_t{37}}) {
        for (int form = 0; form < 16; ++form) {
          const Operand oa = {a, form & 1 ? n : 0, form & 2 ? size_t{1} : 0};
          const Operand ob = {b, form & 4 ? n : 0, form & 8 ? size_t{1} : 0};
          FindElementwise(isa)->binary(kind, 3, n, oa, ob, y);
          for (size_t r = 0; r < 3; ++r) {
            for (size_t i = 0; i < n; ++i) {
              const float u = a[r * oa.row + i * oa.col], v = b[r * ob.row + i * ob.col];
              float want = 0;
              switch (kind) {
                case BinaryOp::kAdd:
                  want = u + v;
                  break;
                case BinaryOp::kSub:
                  want = u - v;
                  break;
                case BinaryOp::kMul:
                  want = u * v;
                  break;
                case BinaryOp::kDiv:
                  want = u / v;
                  break;
                case BinaryOp::kMax:
                  want = v > u || v != v ? v : u;
                  break;
                case BinaryOp::kMin:
                  want = v < u || v != v ? v : u;
                  break;
                case BinaryOp::kPrelu:
                  want = u < 0 ? u * v : u;
                  break;
                default:
                  want = ScalarBinary(kind, u, v);
                  break;
              }
              ASSERT_TRUE(Same(y[r * n + i], want)) << static_cast<int>(kind) << " " << u << " " << v;
            }
          }
        }
      }
    }
  }
}

TEST(ElementwiseUnary, HandlesEveryLengthInPlace) {
  Isa isa;
  for (size_t p = 0; SupportedIsa(p, &isa); ++p) {
    for (size_t n = 0; n < 70; ++n) {
      float x[72], want[72];
      for (size_t i = 0; i < 72; ++i) {
        x[i] = static_cast<float>(i) - 30.5f;
        want[i] = i < n ? (x[i] > 0 ? x[i] : 0.0f) : x[i];
      }
      FindElementwise(isa)->unary(UnaryOp::kRelu, 0, 0, n, x, x);
      EXPECT_EQ(memcmp(x, want, sizeof(x)), 0) << IsaName(isa) << " " << n;
    }
  }
}

TEST(ElementwiseHalf, ConvertsEveryPattern) {
  static uint16_t h[65536], back[65536];
  static float f[65536], scalar[65536];
  for (size_t i = 0; i < 65536; ++i) h[i] = static_cast<uint16_t>(i);
  FindElementwise(Isa::kScalar)->from_half(65536, h, scalar);
  Isa isa;
  for (size_t p = 0; SupportedIsa(p, &isa); ++p) {
    FindElementwise(isa)->from_half(65535, h, f);  // an odd count leaves a tail
    FindElementwise(isa)->to_half(65535, f, back);
    for (size_t i = 0; i < 65535; ++i) {
      ASSERT_TRUE(Same(f[i], scalar[i])) << i;
      ASSERT_TRUE(f[i] != f[i] || back[i] == h[i]) << i;
    }
  }
  EXPECT_EQ(scalar[1], 0x1p-24f);
  EXPECT_EQ(scalar[0x3C00], 1.0f);
}

}  // namespace
}  // namespace tealight
