// SPDX-License-Identifier: Apache-2.0
// 4 lanes of NEON, on arm64 and on 32-bit ARM with VFPv4 (which divides, rounds and converts halves one lane at a
// time, and flushes denormals). Included by vec.h only.
#ifndef TEALIGHT_BASE_SIMD_ARM_NEON_H_
#define TEALIGHT_BASE_SIMD_ARM_NEON_H_

#include <arm_neon.h>

namespace tealight {
namespace TL_ISA {

constexpr size_t kLanes = 4;
struct F32 {
  float32x4_t v;
};
struct I32 {
  int32x4_t v;
};
struct M32 {
  uint32x4_t v;  // all ones or all zeros in each lane
};

TL_INLINE F32 Load(const float* p) { return {vld1q_f32(p)}; }
TL_INLINE void Store(float* p, F32 a) { vst1q_f32(p, a.v); }
TL_INLINE F32 LoadPartial(const float* p, size_t n, F32 fill) {
  float buffer[4];
  Store(buffer, fill);
  for (size_t i = 0; i < n; ++i) buffer[i] = p[i];
  return Load(buffer);
}
TL_INLINE void StorePartial(float* p, F32 a, size_t n) {
  float32x2_t low = vget_low_f32(a.v);
  if (n >= 4) {
    vst1q_f32(p, a.v);
    return;
  }
  if (n & 2) {
    vst1_f32(p, low);
    p += 2;
    low = vget_high_f32(a.v);
  }
  if (n & 1) vst1_lane_f32(p, low, 0);
}
TL_INLINE F32 Splat(float x) { return {vdupq_n_f32(x)}; }
TL_INLINE I32 LoadI32(const int32_t* p) { return {vld1q_s32(p)}; }
TL_INLINE void StoreI32(int32_t* p, I32 a) { vst1q_s32(p, a.v); }
TL_INLINE I32 SplatI32(int32_t x) { return {vdupq_n_s32(x)}; }

// f applied to each lane.
template <typename F>
TL_INLINE F32 RawEach(F32 a, const F& f) {
  float x[4];
  Store(x, a);
  for (int i = 0; i < 4; ++i) x[i] = f(x[i]);
  return Load(x);
}

TL_INLINE F32 Add(F32 a, F32 b) { return {vaddq_f32(a.v, b.v)}; }
TL_INLINE F32 Sub(F32 a, F32 b) { return {vsubq_f32(a.v, b.v)}; }
TL_INLINE F32 Mul(F32 a, F32 b) { return {vmulq_f32(a.v, b.v)}; }
TL_INLINE F32 Fma(F32 a, F32 b, F32 c) { return {vfmaq_f32(c.v, a.v, b.v)}; }
TL_INLINE F32 Fnma(F32 a, F32 b, F32 c) { return {vfmsq_f32(c.v, a.v, b.v)}; }
TL_INLINE F32 Abs(F32 a) { return {vabsq_f32(a.v)}; }
TL_INLINE F32 Neg(F32 a) { return {vnegq_f32(a.v)}; }
#if defined(__aarch64__)
TL_INLINE F32 Div(F32 a, F32 b) { return {vdivq_f32(a.v, b.v)}; }
TL_INLINE F32 Sqrt(F32 a) { return {vsqrtq_f32(a.v)}; }
TL_INLINE F32 RoundEven(F32 a) { return {vrndnq_f32(a.v)}; }
TL_INLINE F32 Floor(F32 a) { return {vrndmq_f32(a.v)}; }
TL_INLINE F32 Ceil(F32 a) { return {vrndpq_f32(a.v)}; }
TL_INLINE F32 Trunc(F32 a) { return {vrndq_f32(a.v)}; }
#else
TL_INLINE F32 Div(F32 a, F32 b) {
  float x[4], y[4];
  Store(x, a);
  Store(y, b);
  for (int i = 0; i < 4; ++i) x[i] /= y[i];
  return Load(x);
}
TL_INLINE F32 Sqrt(F32 a) {
  return RawEach(a, [](float x) { return __builtin_sqrtf(x); });
}
TL_INLINE F32 RoundEven(F32 a) {
  return RawEach(a, [](float x) { return __builtin_rintf(x); });
}
TL_INLINE F32 Floor(F32 a) {
  return RawEach(a, [](float x) { return __builtin_floorf(x); });
}
TL_INLINE F32 Ceil(F32 a) {
  return RawEach(a, [](float x) { return __builtin_ceilf(x); });
}
TL_INLINE F32 Trunc(F32 a) {
  return RawEach(a, [](float x) { return __builtin_truncf(x); });
}
#endif
// fmax and fmin of the hardware order -0 below +0 and return any NaN; compare and select does as x86 does.
TL_INLINE F32 ClampMin(F32 x, F32 lo) { return {vbslq_f32(vcgtq_f32(lo.v, x.v), lo.v, x.v)}; }
TL_INLINE F32 ClampMax(F32 x, F32 hi) { return {vbslq_f32(vcltq_f32(hi.v, x.v), hi.v, x.v)}; }
TL_INLINE F32 Max(F32 a, F32 b) { return {vbslq_f32(vornq_u32(vcgtq_f32(b.v, a.v), vceqq_f32(b.v, b.v)), b.v, a.v)}; }
TL_INLINE F32 Min(F32 a, F32 b) { return {vbslq_f32(vornq_u32(vcltq_f32(b.v, a.v), vceqq_f32(b.v, b.v)), b.v, a.v)}; }

TL_INLINE M32 CmpLt(F32 a, F32 b) { return {vcltq_f32(a.v, b.v)}; }
TL_INLINE M32 CmpLe(F32 a, F32 b) { return {vcleq_f32(a.v, b.v)}; }
TL_INLINE M32 CmpGt(F32 a, F32 b) { return {vcgtq_f32(a.v, b.v)}; }
TL_INLINE M32 CmpGe(F32 a, F32 b) { return {vcgeq_f32(a.v, b.v)}; }
TL_INLINE M32 CmpEq(F32 a, F32 b) { return {vceqq_f32(a.v, b.v)}; }
TL_INLINE M32 CmpNe(F32 a, F32 b) { return {vmvnq_u32(vceqq_f32(a.v, b.v))}; }
TL_INLINE F32 Select(M32 m, F32 a, F32 b) { return {vbslq_f32(m.v, a.v, b.v)}; }
TL_INLINE I32 Select(M32 m, I32 a, I32 b) { return {vbslq_s32(m.v, a.v, b.v)}; }
TL_INLINE M32 And(M32 a, M32 b) { return {vandq_u32(a.v, b.v)}; }
TL_INLINE M32 Or(M32 a, M32 b) { return {vorrq_u32(a.v, b.v)}; }
TL_INLINE M32 Xor(M32 a, M32 b) { return {veorq_u32(a.v, b.v)}; }
TL_INLINE M32 AndNot(M32 a, M32 b) { return {vbicq_u32(a.v, b.v)}; }
TL_INLINE bool Any(M32 m) {
  const uint32x2_t or2 = vorr_u32(vget_low_u32(m.v), vget_high_u32(m.v));
  return (vget_lane_u32(or2, 0) | vget_lane_u32(or2, 1)) != 0;
}
TL_INLINE bool All(M32 m) {
  const uint32x2_t and2 = vand_u32(vget_low_u32(m.v), vget_high_u32(m.v));
  return (vget_lane_u32(and2, 0) & vget_lane_u32(and2, 1)) != 0;
}

TL_INLINE I32 BitsOf(F32 a) { return {vreinterpretq_s32_f32(a.v)}; }
TL_INLINE F32 FloatOf(I32 a) { return {vreinterpretq_f32_s32(a.v)}; }
TL_INLINE F32 ToFloat(I32 a) { return {vcvtq_f32_s32(a.v)}; }
TL_INLINE I32 ToIntTrunc(F32 a) { return {vcvtq_s32_f32(a.v)}; }
#if defined(__aarch64__)
TL_INLINE I32 ToInt(F32 a) { return {vcvtnq_s32_f32(a.v)}; }
#else
TL_INLINE I32 ToInt(F32 a) { return ToIntTrunc(RoundEven(a)); }
#endif

TL_INLINE I32 Add(I32 a, I32 b) { return {vaddq_s32(a.v, b.v)}; }
TL_INLINE I32 Sub(I32 a, I32 b) { return {vsubq_s32(a.v, b.v)}; }
TL_INLINE I32 Mul(I32 a, I32 b) { return {vmulq_s32(a.v, b.v)}; }
TL_INLINE I32 Max(I32 a, I32 b) { return {vmaxq_s32(a.v, b.v)}; }
TL_INLINE I32 Min(I32 a, I32 b) { return {vminq_s32(a.v, b.v)}; }
TL_INLINE I32 And(I32 a, I32 b) { return {vandq_s32(a.v, b.v)}; }
TL_INLINE I32 Or(I32 a, I32 b) { return {vorrq_s32(a.v, b.v)}; }
TL_INLINE I32 Xor(I32 a, I32 b) { return {veorq_s32(a.v, b.v)}; }
TL_INLINE I32 AndNot(I32 a, I32 b) { return {vbicq_s32(a.v, b.v)}; }
TL_INLINE M32 CmpLt(I32 a, I32 b) { return {vcltq_s32(a.v, b.v)}; }
TL_INLINE M32 CmpGt(I32 a, I32 b) { return {vcgtq_s32(a.v, b.v)}; }
TL_INLINE M32 CmpEq(I32 a, I32 b) { return {vceqq_s32(a.v, b.v)}; }
template <int n>
TL_INLINE I32 ShiftLeft(I32 a) {
  return {vshlq_n_s32(a.v, n)};
}
template <int n>
TL_INLINE I32 ShiftRight(I32 a) {
  return {vreinterpretq_s32_u32(vshrq_n_u32(vreinterpretq_u32_s32(a.v), n))};
}
template <int n>
TL_INLINE I32 ShiftRightArith(I32 a) {
  return {vshrq_n_s32(a.v, n)};
}

TL_INLINE float FirstLane(F32 a) { return vgetq_lane_f32(a.v, 0); }
template <size_t w>
TL_INLINE F32 LanesDown(F32 a) {
  return {vextq_f32(a.v, a.v, static_cast<int>(w))};
}

#if defined(__aarch64__)
TL_INLINE F32 LoadHalf(const uint16_t* p) { return {vcvt_f32_f16(vreinterpret_f16_u16(vld1_u16(p)))}; }
TL_INLINE void StoreHalf(uint16_t* p, F32 a) { vst1_u16(p, vreinterpret_u16_f16(vcvt_f16_f32(a.v))); }
#else
// 32-bit compilers offer the half type only under a further flag; VCVT.F32.F16 itself is in VFPv4.
TL_INLINE F32 LoadHalf(const uint16_t* p) {
  float32x4_t r;
  const uint16x4_t h = vld1_u16(p);
  __asm__("vcvt.f32.f16 %q0, %P1" : "=w"(r) : "w"(h));
  return {r};
}
TL_INLINE void StoreHalf(uint16_t* p, F32 a) {
  uint16x4_t h;
  __asm__("vcvt.f16.f32 %P0, %q1" : "=w"(h) : "w"(a.v));
  vst1_u16(p, h);
}
#endif
TL_INLINE F32 LoadHalfPartial(const uint16_t* p, size_t n) {
  uint16_t buffer[4] = {};
  memcpy(buffer, p, n * sizeof(uint16_t));
  return LoadHalf(buffer);
}
TL_INLINE void StoreHalfPartial(uint16_t* p, F32 a, size_t n) {
  uint16_t buffer[4];
  StoreHalf(buffer, a);
  memcpy(p, buffer, n * sizeof(uint16_t));
}

struct I32Quad {
  I32 v[4];
};
TL_INLINE I32 LoadInt8(const int8_t* p) {
  uint32_t bits;
  memcpy(&bits, p, 4);
  return {vmovl_s16(vget_low_s16(vmovl_s8(vreinterpret_s8_u32(vdup_n_u32(bits)))))};
}
TL_INLINE I32 LoadUint8(const uint8_t* p) {
  uint32_t bits;
  memcpy(&bits, p, 4);
  const uint16x8_t wide = vmovl_u8(vreinterpret_u8_u32(vdup_n_u32(bits)));
  return {vreinterpretq_s32_u32(vmovl_u16(vget_low_u16(wide)))};
}
TL_INLINE I32 LoadInt8Partial(const int8_t* p, size_t n) {
  int8_t buffer[4] = {};
  for (size_t i = 0; i < n; ++i) buffer[i] = p[i];
  return LoadInt8(buffer);
}
TL_INLINE I32 LoadUint8Partial(const uint8_t* p, size_t n) {
  uint8_t buffer[4] = {};
  for (size_t i = 0; i < n; ++i) buffer[i] = p[i];
  return LoadUint8(buffer);
}
TL_INLINE void StoreInt8(int8_t* p, I32 a) {
  const int16x4_t half = vqmovn_s32(a.v);
  const uint32_t bits = vget_lane_u32(vreinterpret_u32_s8(vqmovn_s16(vcombine_s16(half, half))), 0);
  memcpy(p, &bits, 4);
}
TL_INLINE void StoreUint8(uint8_t* p, I32 a) {
  const int16x4_t half = vqmovn_s32(a.v);
  const uint32_t bits = vget_lane_u32(vreinterpret_u32_u8(vqmovun_s16(vcombine_s16(half, half))), 0);
  memcpy(p, &bits, 4);
}
TL_INLINE void StoreInt8Partial(int8_t* p, I32 a, size_t n) {
  int8_t buffer[4];
  StoreInt8(buffer, a);
  for (size_t i = 0; i < n; ++i) p[i] = buffer[i];
}
TL_INLINE void StoreUint8Partial(uint8_t* p, I32 a, size_t n) {
  uint8_t buffer[4];
  StoreUint8(buffer, a);
  for (size_t i = 0; i < n; ++i) p[i] = buffer[i];
}
TL_INLINE I32Quad LoadInt8Quad(const int8_t* p) {
  const int8x16_t x = vld1q_s8(p);
  const int16x8_t low = vmovl_s8(vget_low_s8(x)), high = vmovl_s8(vget_high_s8(x));
  return {{{vmovl_s16(vget_low_s16(low))},
           {vmovl_s16(vget_high_s16(low))},
           {vmovl_s16(vget_low_s16(high))},
           {vmovl_s16(vget_high_s16(high))}}};
}
TL_INLINE I32Quad LoadUint8Quad(const uint8_t* p) {
  const uint8x16_t x = vld1q_u8(p);
  const int16x8_t low = vreinterpretq_s16_u16(vmovl_u8(vget_low_u8(x)));
  const int16x8_t high = vreinterpretq_s16_u16(vmovl_u8(vget_high_u8(x)));
  return {{{vmovl_s16(vget_low_s16(low))},
           {vmovl_s16(vget_high_s16(low))},
           {vmovl_s16(vget_low_s16(high))},
           {vmovl_s16(vget_high_s16(high))}}};
}
TL_INLINE void StoreInt8Quad(int8_t* p, const I32Quad& a) {
  const int16x8_t low = vcombine_s16(vqmovn_s32(a.v[0].v), vqmovn_s32(a.v[1].v));
  const int16x8_t high = vcombine_s16(vqmovn_s32(a.v[2].v), vqmovn_s32(a.v[3].v));
  vst1q_s8(p, vcombine_s8(vqmovn_s16(low), vqmovn_s16(high)));
}
TL_INLINE void StoreUint8Quad(uint8_t* p, const I32Quad& a) {
  const int16x8_t low = vcombine_s16(vqmovn_s32(a.v[0].v), vqmovn_s32(a.v[1].v));
  const int16x8_t high = vcombine_s16(vqmovn_s32(a.v[2].v), vqmovn_s32(a.v[3].v));
  vst1q_u8(p, vcombine_u8(vqmovun_s16(low), vqmovun_s16(high)));
}

}  // namespace TL_ISA
}  // namespace tealight

#endif  // TEALIGHT_BASE_SIMD_ARM_NEON_H_
