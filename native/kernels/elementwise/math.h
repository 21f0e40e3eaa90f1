// SPDX-License-Identifier: Apache-2.0
// Vector functions over the SIMD wrapper. Each is one sequence of IEEE float32 operations that every ISA executes
// alike. Coefficients: minimax fits, each rounded to float32 before the later ones were fitted.
// Largest error in ulp over all float32 inputs (tests/native/elementwise_test.cc holds them to it):
//   Exp 1  Expm1 1.5  Log 1  Tanh 2.5  Sigmoid 3  Erf 4.5  Softplus 2.5  Elu 1
// Silu, Gelu, GeluTanh and Mish err by at most 2^-22 |x| (their values for x << 0 are far below that).
#ifndef TEALIGHT_KERNELS_ELEMENTWISE_MATH_H_
#define TEALIGHT_KERNELS_ELEMENTWISE_MATH_H_

#include "base/simd/vec.h"

namespace tealight {
namespace TL_ISA {
namespace {

constexpr float kLog2E = 0x1.715476p+0f;
constexpr float kLn2Hi = 0x1.62e43p-1f;
constexpr float kLn2Lo = -0x1.05c61p-29f;
constexpr float kRoundMagic = 0x1.8p+23f;  // x + kRoundMagic holds round(x) in its low bits, |x| < 2^22

// x = n ln2 + r, |r| <= 0.3466. `bits` holds n + bias in its low bits on top of those of kRoundMagic.
struct ExpReduced {
  F32 n;
  F32 r;
  I32 bits;
};
template <int bias>
TL_INLINE ExpReduced ReduceExp(F32 x) {
  const F32 magic = Splat(kRoundMagic + static_cast<float>(bias));
  const F32 t = Fma(x, Splat(kLog2E), magic);
  const F32 n = Sub(t, magic);
  return {n, Fnma(n, Splat(kLn2Lo), Fnma(n, Splat(kLn2Hi), x)), BitsOf(t)};
}
// 2^(n + bias - 127) of a reduction, where that is a normal number: the shift drops all but the low 9 bits.
TL_INLINE F32 PowerOfTwo(I32 bits) { return FloatOf(ShiftLeft<23>(bits)); }

// p * 2^n for n in [-252, 252] and p near 1, rounded once.
TL_INLINE F32 ScaleByPowerOfTwo(F32 p, const ExpReduced& e) {
#if TL_SIMD == TL_SIMD_x86_avx512
  return {_mm512_scalef_ps(p.v, e.n.v)};  // the same value in one instruction
#endif
  const I32 n = Sub(e.bits, SplatI32(0x4B400000));
  const I32 half = ShiftRightArith<1>(n);
  const F32 s1 = FloatOf(ShiftLeft<23>(Add(half, SplatI32(127))));
  const F32 s2 = FloatOf(ShiftLeft<23>(Add(Sub(n, half), SplatI32(127))));
  return Mul(Mul(p, s1), s2);
}

// e^r, degree 5, relative error 9.2e-8.
TL_INLINE F32 ExpPoly5(F32 r) {
  F32 p = Fma(Splat(0x1.0fa032p-7f), r, Splat(0x1.573ad8p-5f));
  p = Fma(p, r, Splat(0x1.555a80p-3f));
  p = Fma(p, r, Splat(0x1.fffdc4p-2f));
  p = Fma(p, r, Splat(0x1.fffff6p-1f));
  return Fma(p, r, Splat(1.0f));
}
// e^r, degree 6, relative error 3.2e-9.
TL_INLINE F32 ExpPoly6(F32 r) {
  F32 p = Fma(Splat(0x1.6a4d60p-10f), r, Splat(0x1.12398ep-7f));
  p = Fma(p, r, Splat(0x1.5558b0p-5f));
  p = Fma(p, r, Splat(0x1.555492p-3f));
  p = Fma(p, r, Splat(0x1.fffffcp-2f));
  p = Fma(p, r, Splat(1.0f));
  return Fma(p, r, Splat(1.0f));
}
// e^r - 1, relative error 1.4e-8.
TL_INLINE F32 Expm1Poly(F32 r) {
  F32 p = Fma(Splat(0x1.6b9c68p-10f), r, Splat(0x1.12254ap-7f));
  p = Fma(p, r, Splat(0x1.5556f2p-5f));
  p = Fma(p, r, Splat(0x1.5554b4p-3f));
  p = Fma(p, r, Splat(0x1.fffffep-2f));
  return Fma(Mul(p, r), r, r);
}

TL_INLINE F32 Exp(F32 x) {
  const ExpReduced e = ReduceExp<0>(ClampMax(ClampMin(x, Splat(-104.0f)), Splat(89.0f)));
  return ScaleByPowerOfTwo(ExpPoly6(e.r), e);
}

TL_INLINE F32 NegativeAbs(F32 x) { return FloatOf(Or(BitsOf(x), SplatI32(INT32_MIN))); }

// 2^64 e^x for x <= 0: the factor keeps results down to e^-104 normal, and cancels in quotients.
TL_INLINE F32 ExpScaled(F32 x) {
  const ExpReduced e = ReduceExp<127 + 64>(ClampMin(x, Splat(-104.0f)));
  return Mul(ExpPoly5(e.r), PowerOfTwo(e.bits));
}
constexpr float kExpScale = 0x1p+64f;

// e^x - 1 for x <= 0; -0 gives +0.
TL_INLINE F32 Expm1Negative(F32 x) {
  const ExpReduced e = ReduceExp<127>(ClampMin(x, Splat(-20.0f)));
  const F32 s = PowerOfTwo(e.bits);
  return Fma(s, Expm1Poly(e.r), Sub(s, Splat(1.0f)));
}
TL_INLINE F32 Expm1(F32 x) {
  const ExpReduced e = ReduceExp<126>(ClampMax(ClampMin(x, Splat(-20.0f)), Splat(89.0f)));
  const F32 s = PowerOfTwo(e.bits);  // 2^(n-1): 2^128 would overflow
  const F32 half = Fma(s, Expm1Poly(e.r), Sub(s, Splat(0.5f)));
  return Select(CmpLt(Abs(x), Splat(0x1p-26f)), x, Add(half, half));
}

TL_INLINE F32 Log(F32 x) {
  // Subnormals are scaled into range first.
  const M32 tiny = CmpLt(x, Splat(0x1p-126f));
  const F32 scaled = Select(tiny, Mul(x, Splat(0x1p+25f)), x);
  // x = 2^e (1 + f), 1 + f in [sqrt(1/2), sqrt(2)).
  const I32 offset = Sub(BitsOf(scaled), SplatI32(0x3f3504f3));
  const F32 e = Sub(ToFloat(ShiftRightArith<23>(offset)), Select(tiny, Splat(25.0f), Splat(0.0f)));
  const F32 f = Sub(FloatOf(Add(And(offset, SplatI32(0x007fffff)), SplatI32(0x3f3504f3))), Splat(1.0f));
  // log(1 + f) = f - f^2 / 2 + f^3 P(f), relative error 5.9e-9
  F32 p = Fma(Splat(-0x1.38dc4ap-4f), f, Splat(0x1.056c24p-3f));
  p = Fma(p, f, Splat(-0x1.0d854cp-3f));
  p = Fma(p, f, Splat(0x1.22d792p-3f));
  p = Fma(p, f, Splat(-0x1.54720cp-3f));
  p = Fma(p, f, Splat(0x1.99a028p-3f));
  p = Fma(p, f, Splat(-0x1.000228p-2f));
  p = Fma(p, f, Splat(0x1.555554p-2f));
  const F32 z = Mul(f, f);
  F32 y = Fma(Mul(p, f), z, Mul(e, Splat(kLn2Lo)));
  y = Fnma(z, Splat(0.5f), y);
  y = Fma(e, Splat(kLn2Hi), Add(f, y));
  const F32 infinity = Splat(__builtin_inff());
  y = Select(CmpLt(x, infinity), y, x);  // inf, NaN
  y = Select(CmpEq(x, Splat(0.0f)), Neg(infinity), y);
  return Select(CmpLt(x, Splat(0.0f)), Splat(__builtin_nanf("")), y);
}

// log(1 + t), 0 <= t <= 1, relative error 5.3e-9.
TL_INLINE F32 Log1pUnit(F32 t) {
  F32 p = Fma(Splat(-0x1.af5dc0p-9f), t, Splat(0x1.4920fcp-6f));
  p = Fma(p, t, Splat(-0x1.d6b750p-5f));
  p = Fma(p, t, Splat(0x1.b4b092p-4f));
  p = Fma(p, t, Splat(-0x1.3a43e0p-3f));
  p = Fma(p, t, Splat(0x1.934b6ep-3f));
  p = Fma(p, t, Splat(-0x1.ff23e8p-3f));
  p = Fma(p, t, Splat(0x1.554dd0p-2f));
  p = Fma(p, t, Splat(-0x1.ffffd2p-2f));
  return Fma(Mul(p, t), t, t);
}

// numerator / denominator = sigmoid(x), both scaled by 2^64.
struct Quotient {
  F32 numerator;
  F32 denominator;
};
TL_INLINE Quotient SigmoidQuotient(F32 x) {
  const F32 e = ExpScaled(NegativeAbs(x));
  const F32 one = Splat(kExpScale);
  return {Select(CmpLt(x, Splat(0.0f)), e, one), Add(e, one)};
}
TL_INLINE F32 Sigmoid(F32 x) {
  const Quotient q = SigmoidQuotient(x);
  return Div(q.numerator, q.denominator);
}
TL_INLINE F32 Silu(F32 x) { return Mul(x, Sigmoid(x)); }

TL_INLINE F32 Tanh(F32 x) {
  const F32 magnitude = Abs(x);
  const F32 t = Expm1Negative(Mul(magnitude, Splat(-2.0f)));
  const F32 y = Div(t, Add(t, Splat(2.0f)));  // negative or +0
  return FloatOf(Or(AndNot(BitsOf(y), SplatI32(INT32_MIN)), And(BitsOf(x), SplatI32(INT32_MIN))));
}

// x P(x^2) / Q(x^2), clamped to [-limit, limit]; x^2 is clamped to u_max, where the quotient passes the limit.
TL_INLINE F32 OddRational(F32 x, const float (&p)[6], const float (&q)[5], float u_max, float limit) {
  const F32 u = ClampMax(Mul(x, x), Splat(u_max));
  F32 num = Fma(Splat(p[5]), u, Splat(p[4]));
  F32 den = Fma(Splat(q[4]), u, Splat(q[3]));
  num = Fma(num, u, Splat(p[3]));
  den = Fma(den, u, Splat(q[2]));
  num = Fma(num, u, Splat(p[2]));
  den = Fma(den, u, Splat(q[1]));
  num = Fma(num, u, Splat(p[1]));
  den = Fma(den, u, Splat(q[0]));
  num = Fma(num, u, Splat(p[0]));
  den = Fma(den, u, Splat(1.0f));
  const F32 y = Div(Mul(x, num), den);
  return ClampMax(ClampMin(y, Splat(-limit)), Splat(limit));
}
TL_INLINE F32 Erf(F32 x) {
  constexpr float kP[6] = {0x1.20dd74p+0f, 0x1.86b99ap-3f,  0x1.b074a0p-5f,
                           0x1.ef6814p-9f, 0x1.2aa2f0p-12f, 0x1.121832p-19f};
  constexpr float kQ[5] = {0x1.013be6p-1f, 0x1.d3ff82p-4f, 0x1.eb6f4cp-7f, 0x1.3173c4p-10f, 0x1.3ecd14p-15f};
  return OddRational(x, kP, kQ, 16.2f, 1.0f);
}
// x Phi(x), Phi the normal distribution: Phi(x) - 1/2 = erf(x / sqrt(2)) / 2.
TL_INLINE F32 Gelu(F32 x) {
  constexpr float kP[6] = {0x1.988452p-2f,  0x1.145e0ep-5f,  0x1.31d44ap-8f,
                           0x1.5e8078p-13f, 0x1.a6526ap-18f, 0x1.83637cp-26f};
  constexpr float kQ[5] = {0x1.014292p-2f, 0x1.d41734p-6f, 0x1.eb9364p-10f, 0x1.318f3ap-14f, 0x1.3eb0c0p-20f};
  return Fma(x, OddRational(x, kP, kQ, 32.5f, 0.5f), Mul(x, Splat(0.5f)));
}
// x / 2 (1 + tanh(z)) = x sigmoid(2 z), z = sqrt(2/pi) (x + 0.044715 x^3)
TL_INLINE F32 GeluTanh(F32 x) {
  const F32 u = Mul(x, x);
  return Mul(x, Sigmoid(Mul(x, Fma(u, Splat(0x1.2444f2p-4f), Splat(0x1.988454p+0f)))));
}

// x tanh(softplus(x)), with w = e^x: x (w^2 + 2 w) / (w^2 + 2 w + 2), divided by w^2 where x > 0
TL_INLINE F32 Mish(F32 x) {
  const F32 e = Mul(ExpScaled(NegativeAbs(x)), Splat(1.0f / kExpScale));
  const M32 negative = CmpLt(x, Splat(0.0f));
  const F32 n = Fma(Select(negative, e, Splat(2.0f)), e, Select(negative, Add(e, e), Splat(1.0f)));
  return Mul(x, Div(n, Add(n, Select(negative, Splat(2.0f), Mul(Add(e, e), e)))));
}
// log(1 + e^x) = max(x, 0) + log(1 + e^-|x|)
TL_INLINE F32 Softplus(F32 x) {
  const F32 e = Mul(ExpScaled(NegativeAbs(x)), Splat(1.0f / kExpScale));
  return Add(ClampMin(x, Splat(0.0f)), Log1pUnit(e));
}
TL_INLINE F32 Elu(F32 x, F32 alpha) { return Select(CmpLt(x, Splat(0.0f)), Mul(alpha, Expm1Negative(x)), x); }

}  // namespace
}  // namespace TL_ISA
}  // namespace tealight

#endif  // TEALIGHT_KERNELS_ELEMENTWISE_MATH_H_
