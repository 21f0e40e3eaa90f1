// SPDX-License-Identifier: Apache-2.0
#include "kernels/elementwise/scalar_math.h"

#include <math.h>
#include <string.h>

namespace tealight {
namespace {

constexpr double kInf = __builtin_inf();
constexpr double kNan = __builtin_nan("");
constexpr double kPiOver2 = 0x1.921fb54442d18p+0;

uint64_t BitsOf(double x) {
  uint64_t bits;
  memcpy(&bits, &x, sizeof(bits));
  return bits;
}
double FromBits(uint64_t bits) {
  double x;
  memcpy(&x, &bits, sizeof(x));
  return x;
}
double Abs(double x) { return x < 0 ? -x : x; }
double WithSignOf(double magnitude, double sign) {
  return FromBits(BitsOf(magnitude) | (BitsOf(sign) & 0x8000000000000000u));
}

// e^x; 0 below -700, inf above 700, relative error 1e-14 between.
double Exp(double x) {
  if (!(x > -700)) return x != x ? x : 0;
  if (x > 700) return kInf;
  const double magic = 0x1.8p+52;
  const double n = (x * 0x1.71547652b82fep+0 + magic) - magic;
  const double r = (x - n * 0x1.62e42feep-1) - n * 0x1.a39ef35793c76p-33;
  double p = 1.0 / 479001600;
  for (int i = 12; i >= 1; --i) {
    static constexpr double kFactorials[13] = {0, 1, 1, 2, 6, 24, 120, 720, 5040, 40320, 362880, 3628800, 39916800};
    p = p * r + 1.0 / kFactorials[i];
  }
  return p * FromBits(static_cast<uint64_t>(static_cast<int64_t>(n) + 1023) << 52);
}

// 2 atanh(s) for |s| < 0.1716: log((1 + s) / (1 - s))
double LogSeries(double s) {
  const double z = s * s;
  double p = 1.0 / 19;
  for (int k = 17; k >= 1; k -= 2) p = p * z + 1.0 / k;
  return 2 * s * p;
}
double Log(double x) {
  if (!(x > 0)) return x == 0 ? -kInf : kNan;
  if (x == kInf) return x;
  const uint64_t offset = BitsOf(x) - 0x3fe6a09e667f3bcdu;  // of sqrt(1/2)
  const int64_t e = static_cast<int64_t>(offset) >> 52;
  const double m = FromBits((offset & 0x000fffffffffffffu) + 0x3fe6a09e667f3bcdu);
  return static_cast<double>(e) * 0x1.62e42fefa39efp-1 + LogSeries((m - 1) / (m + 1));
}
double Log1p(double x) { return x > -0.29 && x < 0.41 ? LogSeries(x / (2 + x)) : Log(1 + x); }

// Bits of 2/pi behind the binary point, most significant first.
constexpr uint32_t kTwoOverPi[8] = {0xA2F9836E, 0x4E441529, 0xFC2757D1, 0xF534DDC0,
                                    0xDB629599, 0x3C439041, 0xFE5163AB, 0xDEBBC561};

uint32_t TwoOverPiWord(int bit) {  // 32 bits from position `bit`, which may be negative
  if (bit <= -32) return 0;
  const uint64_t high = bit < 0 ? 0 : kTwoOverPi[bit / 32];
  const int next = bit < 0 ? 0 : bit / 32 + 1;
  const int shift = bit < 0 ? bit + 32 : bit % 32;
  return static_cast<uint32_t>(((high << 32 | kTwoOverPi[next]) << shift) >> 32);
}

// x = quadrant pi/2 + r, |r| <= pi/4; the quadrant is taken mod 4.
double ReduceQuadrant(float x, uint32_t* quadrant) {
  const double d = static_cast<double>(x);
  if (Abs(d) < 0x1p+20) {  // pi/2 in three parts, the first two of 33 bits: n times them is exact
    const double n = (d * 0x1.45f306dc9c883p-1 + 0x1.8p+52) - 0x1.8p+52;
    *quadrant = static_cast<uint32_t>(static_cast<int32_t>(n)) & 3;
    return ((d - n * 0x1.921fb544p+0) - n * 0x1.0b4611a6p-34) - n * 0x1.3198a2e037073p-69;
  }
  // x = m 2^e: of 2/pi only the 96 bits from weight 2^(1-e) on matter modulo 4.
  uint32_t bits;
  memcpy(&bits, &x, sizeof(bits));
  const int e = static_cast<int>((bits >> 23) & 255) - 150;
  const uint64_t m = (bits & 0x7fffff) | 0x800000;
  const uint64_t w0 = TwoOverPiWord(e - 2), w1 = TwoOverPiWord(e + 30), w2 = TwoOverPiWord(e + 62);
  const uint64_t product = (m * w0 << 32) + m * w1 + ((m * w2) >> 32);  // x 2/pi mod 4, in units of 2^-62
  const uint64_t rounded = (product + (uint64_t{1} << 61)) >> 62;
  const int64_t fraction = static_cast<int64_t>(product - (rounded << 62));
  const double r = static_cast<double>(fraction) * (0x1p-62 * kPiOver2);
  *quadrant = static_cast<uint32_t>(x < 0 ? 0 - rounded : rounded) & 3;
  return x < 0 ? -r : r;
}

double SinSeries(double r) {
  const double z = r * r;
  double p = 1.0 / 6227020800;
  p = p * z - 1.0 / 39916800;
  p = p * z + 1.0 / 362880;
  p = p * z - 1.0 / 5040;
  p = p * z + 1.0 / 120;
  p = p * z - 1.0 / 6;
  return r + r * z * p;
}
double CosSeries(double r) {
  const double z = r * r;
  double p = -1.0 / 87178291200;
  p = p * z + 1.0 / 479001600;
  p = p * z - 1.0 / 3628800;
  p = p * z + 1.0 / 40320;
  p = p * z - 1.0 / 720;
  p = p * z + 1.0 / 24;
  p = p * z - 0.5;
  return 1 + z * p;
}
double SinCos(UnaryOp kind, float x) {
  if (!(Abs(static_cast<double>(x)) < kInf)) return kNan;
  if (x == 0 && kind != UnaryOp::kCos) return static_cast<double>(x);
  uint32_t quadrant;
  const double r = ReduceQuadrant(x, &quadrant);
  const double s = SinSeries(r), c = CosSeries(r);
  if (kind == UnaryOp::kTan) return quadrant & 1 ? -c / s : s / c;
  if (kind == UnaryOp::kCos) ++quadrant;
  const double y = quadrant & 1 ? c : s;
  return quadrant & 2 ? -y : y;
}

double Atan(double x) {
  double a = Abs(x), base = 0;
  bool subtract = false;
  if (a > 1) {
    a = 1 / a;
    subtract = true;
  }
  if (a > 0.41421356237309503) {  // tan(pi/8)
    a = (a - 1) / (a + 1);
    base = kPiOver2 / 2;
  }
  const double z = a * a;
  double p = 1.0 / 37;
  for (int k = 35; k >= 1; k -= 2) p = 1.0 / k - p * z;
  double y = base + a * p;
  if (subtract) y = kPiOver2 - y;
  return x != x ? x : WithSignOf(y, x);
}

double Sinh(double x) {
  if (!(Abs(x) < 1)) return (Exp(x) - Exp(-x)) / 2;
  const double z = x * x;
  double p = 1.0 / 355687428096000;  // 17!
  p = p * z + 1.0 / 1307674368000;
  p = p * z + 1.0 / 6227020800;
  p = p * z + 1.0 / 39916800;
  p = p * z + 1.0 / 362880;
  p = p * z + 1.0 / 5040;
  p = p * z + 1.0 / 120;
  p = p * z + 1.0 / 6;
  return x + x * z * p;
}
double Asinh(double x) {
  const double a = Abs(x);
  if (a == kInf) return x;
  return WithSignOf(Log1p(a + a * a / (1 + __builtin_sqrt(a * a + 1))), x);
}
double Acosh(double x) {
  const double t = x - 1;
  if (!(t >= 0)) return kNan;
  return t == kInf ? t : Log1p(t + __builtin_sqrt(2 * t + t * t));
}

bool IsOddInteger(double y) {
  const double a = Abs(y);
  return a < 0x1p+53 && static_cast<double>(static_cast<int64_t>(a)) == a && (static_cast<int64_t>(a) & 1) != 0;
}
bool IsInteger(double y) {
  const double a = Abs(y);
  return a >= 0x1p+53 || static_cast<double>(static_cast<int64_t>(a)) == a;
}
// The exponents that models use, cheaper than by exp and log.
bool PowOfCommon(double a, double y, double* r) {
  if (y == 1) {
    *r = a;
  } else if (y == 2) {
    *r = a * a;
  } else if (y == 3) {
    *r = a * a * a;
  } else if (y == 0.5) {
    *r = __builtin_sqrt(a);
  } else if (y == -0.5) {
    *r = 1 / __builtin_sqrt(a);
  } else if (y == -1) {
    *r = 1 / a;
  } else {
    return false;
  }
  return true;
}
double Pow(double x, double y) {
  if (y == 0 || x == 1) return 1;
  if (x != x || y != y) return kNan;
  const double a = Abs(x);
  if (Abs(y) == kInf) return a == 1 ? 1 : ((a > 1) == (y > 0) ? kInf : 0);
  const bool negate = IsOddInteger(y) && (BitsOf(x) >> 63) != 0;
  if (x < 0 && a != kInf && !IsInteger(y)) return kNan;
  double r;
  if (a == 0 || a == kInf) {
    r = (a == 0) == (y > 0) ? 0 : kInf;
  } else if (!PowOfCommon(a, y, &r)) {
    r = Exp(y * Log(a));
  }
  return negate ? -r : r;
}

}  // namespace

float ScalarUnary(UnaryOp kind, float x) {
  const double d = static_cast<double>(x);
  double y = kNan;
  switch (kind) {
    case UnaryOp::kLog1p:
      y = x == 0 ? d : (d < -1 ? kNan : Log1p(d));
      break;
    case UnaryOp::kSin:
    case UnaryOp::kCos:
    case UnaryOp::kTan:
      y = SinCos(kind, x);
      break;
    case UnaryOp::kAsin:
      y = Atan(d / __builtin_sqrt((1 - d) * (1 + d)));
      break;
    case UnaryOp::kAcos:
      y = 2 * Atan(__builtin_sqrt((1 - d) / (1 + d)));
      break;
    case UnaryOp::kAtan:
      y = Atan(d);
      break;
    case UnaryOp::kSinh:
      y = Sinh(d);
      break;
    case UnaryOp::kCosh:
      y = (Exp(d) + Exp(-d)) / 2;
      break;
    case UnaryOp::kAsinh:
      y = Asinh(d);
      break;
    case UnaryOp::kAcosh:
      y = Acosh(d);
      break;
    case UnaryOp::kAtanh:
      y = WithSignOf(Log1p(2 * Abs(d) / (1 - Abs(d))) / 2, d);
      break;
    default:
      break;
  }
  return static_cast<float>(y);
}

bool HasScalarUnary64(UnaryOp kind) {
  switch (kind) {
    case UnaryOp::kAbs:
    case UnaryOp::kNeg:
    case UnaryOp::kSign:
    case UnaryOp::kFloor:
    case UnaryOp::kCeil:
    case UnaryOp::kRound:
    case UnaryOp::kSqrt:
    case UnaryOp::kRsqrt:
    case UnaryOp::kReciprocal:
    case UnaryOp::kExp:
    case UnaryOp::kLog:
    case UnaryOp::kTanh:
    case UnaryOp::kSigmoid:
    case UnaryOp::kRelu:
    case UnaryOp::kClip:
    case UnaryOp::kSquare:
      return true;
    default:
      return false;
  }
}

double ScalarUnary64(UnaryOp kind, double alpha, double beta, double x) {
  switch (kind) {
    case UnaryOp::kAbs:
      return __builtin_fabs(x);
    case UnaryOp::kNeg:
      return -x;
    case UnaryOp::kSign:
      return x > 0 ? 1 : x < 0 ? -1 : x == 0 ? 0 : x;
    // Exact by definition, so every libm agrees on them.
    case UnaryOp::kFloor:
      return floor(x);
    case UnaryOp::kCeil:
      return ceil(x);
    case UnaryOp::kRound:
      return rint(x);
    case UnaryOp::kSqrt:
      return __builtin_sqrt(x);
    case UnaryOp::kRsqrt:
      return 1 / __builtin_sqrt(x);
    case UnaryOp::kReciprocal:
      return 1 / x;
    case UnaryOp::kExp:
      return Exp(x);
    case UnaryOp::kLog:
      return Log(x);
    case UnaryOp::kTanh: {
      const double a = Abs(x);
      if (x != x) return x;
      return WithSignOf(a > 20 ? 1 : Sinh(a) / ((Exp(a) + Exp(-a)) / 2), x);
    }
    case UnaryOp::kSigmoid: {
      const double e = Exp(-Abs(x));
      return (x < 0 ? e : 1) / (1 + e);
    }
    case UnaryOp::kRelu:
      return x < 0 ? 0 : x;
    case UnaryOp::kClip: {
      const double low = alpha > x ? alpha : x;
      return beta < low ? beta : low;
    }
    case UnaryOp::kSquare:
      return x * x;
    default:
      return kNan;
  }
}

float ScalarBinary(BinaryOp kind, float a, float b) {
  if (kind == BinaryOp::kPow) return static_cast<float>(Pow(static_cast<double>(a), static_cast<double>(b)));
  if (kind != BinaryOp::kMod && kind != BinaryOp::kFmod) return static_cast<float>(kNan);
  // fmod is exact by definition, so every libm agrees on it.
  const float r = fmodf(a, b);
  if (kind == BinaryOp::kFmod || r != r) return r;
  if (r == 0) return copysignf(0.0f, b);
  return (r < 0) != (b < 0) ? r + b : r;
}

double ScalarBinary64(BinaryOp kind, double a, double b) {
  if (kind == BinaryOp::kPow) return Pow(a, b);
  if (kind != BinaryOp::kMod && kind != BinaryOp::kFmod) return kNan;
  const double r = fmod(a, b);
  if (kind == BinaryOp::kFmod || r != r) return r;
  if (r == 0) return copysign(0.0, b);
  return (r < 0) != (b < 0) ? r + b : r;
}

}  // namespace tealight
