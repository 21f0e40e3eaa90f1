// SPDX-License-Identifier: Apache-2.0
// One lane in plain C++: the path that defines the bits. Included by vec.h only.
#ifndef TEALIGHT_BASE_SIMD_SCALAR_H_
#define TEALIGHT_BASE_SIMD_SCALAR_H_

namespace tealight {
namespace TL_ISA {

constexpr size_t kLanes = 1;
struct F32 {
  float v;
};
struct I32 {
  int32_t v;
};
struct M32 {
  bool v;
};

TL_INLINE int32_t RawBits(float x) {
  int32_t i;
  memcpy(&i, &x, 4);
  return i;
}
TL_INLINE float RawFloat(int32_t i) {
  float x;
  memcpy(&x, &i, 4);
  return x;
}

TL_INLINE F32 Load(const float* p) { return {*p}; }
TL_INLINE F32 LoadPartial(const float* p, size_t n, F32 fill) { return n > 0 ? F32{*p} : fill; }
TL_INLINE void Store(float* p, F32 a) { *p = a.v; }
TL_INLINE void StorePartial(float* p, F32 a, size_t n) {
  if (n > 0) *p = a.v;
}
TL_INLINE F32 Splat(float x) { return {x}; }
TL_INLINE I32 LoadI32(const int32_t* p) { return {*p}; }
TL_INLINE void StoreI32(int32_t* p, I32 a) { *p = a.v; }
TL_INLINE I32 SplatI32(int32_t x) { return {x}; }

TL_INLINE F32 Add(F32 a, F32 b) { return {a.v + b.v}; }
TL_INLINE F32 Sub(F32 a, F32 b) { return {a.v - b.v}; }
TL_INLINE F32 Mul(F32 a, F32 b) { return {a.v * b.v}; }
TL_INLINE F32 Div(F32 a, F32 b) { return {a.v / b.v}; }
TL_INLINE F32 Sqrt(F32 a) { return {__builtin_sqrtf(a.v)}; }
TL_INLINE F32 Fma(F32 a, F32 b, F32 c) { return {__builtin_fmaf(a.v, b.v, c.v)}; }
TL_INLINE F32 Fnma(F32 a, F32 b, F32 c) { return {__builtin_fmaf(-a.v, b.v, c.v)}; }
TL_INLINE F32 Abs(F32 a) { return {__builtin_fabsf(a.v)}; }
TL_INLINE F32 Neg(F32 a) { return {-a.v}; }
TL_INLINE F32 RoundEven(F32 a) { return {__builtin_rintf(a.v)}; }
TL_INLINE F32 Floor(F32 a) { return {__builtin_floorf(a.v)}; }
TL_INLINE F32 Ceil(F32 a) { return {__builtin_ceilf(a.v)}; }
TL_INLINE F32 Trunc(F32 a) { return {__builtin_truncf(a.v)}; }
TL_INLINE F32 ClampMin(F32 x, F32 lo) { return {lo.v > x.v ? lo.v : x.v}; }
TL_INLINE F32 ClampMax(F32 x, F32 hi) { return {hi.v < x.v ? hi.v : x.v}; }
TL_INLINE F32 Max(F32 a, F32 b) { return {b.v > a.v || b.v != b.v ? b.v : a.v}; }
TL_INLINE F32 Min(F32 a, F32 b) { return {b.v < a.v || b.v != b.v ? b.v : a.v}; }

TL_INLINE M32 CmpLt(F32 a, F32 b) { return {a.v < b.v}; }
TL_INLINE M32 CmpLe(F32 a, F32 b) { return {a.v <= b.v}; }
TL_INLINE M32 CmpGt(F32 a, F32 b) { return {a.v > b.v}; }
TL_INLINE M32 CmpGe(F32 a, F32 b) { return {a.v >= b.v}; }
TL_INLINE M32 CmpEq(F32 a, F32 b) { return {a.v == b.v}; }
TL_INLINE M32 CmpNe(F32 a, F32 b) { return {a.v != b.v}; }
TL_INLINE F32 Select(M32 m, F32 a, F32 b) { return {m.v ? a.v : b.v}; }
TL_INLINE I32 Select(M32 m, I32 a, I32 b) { return {m.v ? a.v : b.v}; }
TL_INLINE M32 And(M32 a, M32 b) { return {a.v && b.v}; }
TL_INLINE M32 Or(M32 a, M32 b) { return {a.v || b.v}; }
TL_INLINE M32 Xor(M32 a, M32 b) { return {a.v != b.v}; }
TL_INLINE M32 AndNot(M32 a, M32 b) { return {a.v && !b.v}; }
TL_INLINE bool Any(M32 m) { return m.v; }
TL_INLINE bool All(M32 m) { return m.v; }

TL_INLINE I32 BitsOf(F32 a) { return {RawBits(a.v)}; }
TL_INLINE F32 FloatOf(I32 a) { return {RawFloat(a.v)}; }
TL_INLINE F32 ToFloat(I32 a) { return {static_cast<float>(a.v)}; }
TL_INLINE I32 ToInt(F32 a) { return {static_cast<int32_t>(__builtin_rintf(a.v))}; }
TL_INLINE I32 ToIntTrunc(F32 a) { return {static_cast<int32_t>(a.v)}; }

// Integers wrap around.
TL_INLINE uint32_t RawU(I32 a) { return static_cast<uint32_t>(a.v); }
TL_INLINE I32 RawI(uint32_t u) { return {static_cast<int32_t>(u)}; }
TL_INLINE I32 Add(I32 a, I32 b) { return RawI(RawU(a) + RawU(b)); }
TL_INLINE I32 Sub(I32 a, I32 b) { return RawI(RawU(a) - RawU(b)); }
TL_INLINE I32 Mul(I32 a, I32 b) { return RawI(RawU(a) * RawU(b)); }
TL_INLINE I32 Max(I32 a, I32 b) { return {a.v > b.v ? a.v : b.v}; }
TL_INLINE I32 Min(I32 a, I32 b) { return {a.v < b.v ? a.v : b.v}; }
TL_INLINE I32 And(I32 a, I32 b) { return {a.v & b.v}; }
TL_INLINE I32 Or(I32 a, I32 b) { return {a.v | b.v}; }
TL_INLINE I32 Xor(I32 a, I32 b) { return {a.v ^ b.v}; }
TL_INLINE I32 AndNot(I32 a, I32 b) { return {a.v & ~b.v}; }
TL_INLINE M32 CmpLt(I32 a, I32 b) { return {a.v < b.v}; }
TL_INLINE M32 CmpGt(I32 a, I32 b) { return {a.v > b.v}; }
TL_INLINE M32 CmpEq(I32 a, I32 b) { return {a.v == b.v}; }
template <int n>
TL_INLINE I32 ShiftLeft(I32 a) {
  return RawI(RawU(a) << n);
}
template <int n>
TL_INLINE I32 ShiftRight(I32 a) {
  return RawI(RawU(a) >> n);
}
template <int n>
TL_INLINE I32 ShiftRightArith(I32 a) {
  return {a.v >> n};
}

// float16 -> float32 is exact: shift the bits into place and let one multiplication by 2^112 fix the exponent.
TL_INLINE float HalfToFloat(uint16_t h) {
  const uint32_t magnitude = h & 0x7fffu;
  const uint32_t sign = static_cast<uint32_t>(h & 0x8000u) << 16;
  if (magnitude >= 0x7c00u) return RawFloat(static_cast<int32_t>(sign | 0x7f800000u | ((magnitude & 0x3ffu) << 13)));
  const float scaled = RawFloat(static_cast<int32_t>(magnitude << 13)) * 0x1p112f;
  return RawFloat(static_cast<int32_t>(sign | static_cast<uint32_t>(RawBits(scaled))));
}
// float32 -> float16, round to nearest even. Subnormal results: adding 0.5 aligns the sum's ulp with 2^-24.
TL_INLINE uint16_t FloatToHalf(float x) {
  const uint32_t bits = static_cast<uint32_t>(RawBits(x));
  const uint32_t sign = (bits >> 16) & 0x8000u;
  const uint32_t magnitude = bits & 0x7fffffffu;
  uint32_t half;
  if (magnitude > 0x7f800000u) {
    half = 0x7e00u;
  } else if (magnitude >= 0x477ff000u) {  // 65520 and up round to infinity
    half = 0x7c00u;
  } else if (magnitude < 0x38800000u) {  // below 2^-14
    half = static_cast<uint32_t>(RawBits(RawFloat(static_cast<int32_t>(magnitude)) + 0.5f)) - 0x3f000000u;
  } else {
    half = (magnitude - 0x38000000u + 0xfffu + ((magnitude >> 13) & 1u)) >> 13;
  }
  return static_cast<uint16_t>(sign | half);
}
TL_INLINE float FirstLane(F32 a) { return a.v; }
template <size_t w>
TL_INLINE F32 LanesDown(F32 a) {
  return a;
}

TL_INLINE F32 LoadHalf(const uint16_t* p) { return {HalfToFloat(*p)}; }
TL_INLINE void StoreHalf(uint16_t* p, F32 a) { *p = FloatToHalf(a.v); }
TL_INLINE F32 LoadHalfPartial(const uint16_t* p, size_t n) { return {n > 0 ? HalfToFloat(*p) : 0.0f}; }
TL_INLINE void StoreHalfPartial(uint16_t* p, F32 a, size_t n) {
  if (n > 0) *p = FloatToHalf(a.v);
}

TL_INLINE I32 LoadInt8(const int8_t* p) { return {*p}; }
TL_INLINE I32 LoadUint8(const uint8_t* p) { return {*p}; }
TL_INLINE I32 LoadInt8Partial(const int8_t* p, size_t n) { return {n > 0 ? *p : 0}; }
TL_INLINE I32 LoadUint8Partial(const uint8_t* p, size_t n) { return {n > 0 ? *p : 0}; }
TL_INLINE void StoreInt8(int8_t* p, I32 a) { *p = static_cast<int8_t>(a.v < -128 ? -128 : a.v > 127 ? 127 : a.v); }
TL_INLINE void StoreUint8(uint8_t* p, I32 a) { *p = static_cast<uint8_t>(a.v < 0 ? 0 : a.v > 255 ? 255 : a.v); }
TL_INLINE void StoreInt8Partial(int8_t* p, I32 a, size_t n) {
  if (n > 0) StoreInt8(p, a);
}
TL_INLINE void StoreUint8Partial(uint8_t* p, I32 a, size_t n) {
  if (n > 0) StoreUint8(p, a);
}
struct I32Quad {
  I32 v[4];
};
TL_INLINE I32Quad LoadInt8Quad(const int8_t* p) { return {{{p[0]}, {p[1]}, {p[2]}, {p[3]}}}; }
TL_INLINE I32Quad LoadUint8Quad(const uint8_t* p) { return {{{p[0]}, {p[1]}, {p[2]}, {p[3]}}}; }
TL_INLINE void StoreInt8Quad(int8_t* p, const I32Quad& a) {
  for (int i = 0; i < 4; ++i) StoreInt8(p + i, a.v[i]);
}
TL_INLINE void StoreUint8Quad(uint8_t* p, const I32Quad& a) {
  for (int i = 0; i < 4; ++i) StoreUint8(p + i, a.v[i]);
}

}  // namespace TL_ISA
}  // namespace tealight

#endif  // TEALIGHT_BASE_SIMD_SCALAR_H_
