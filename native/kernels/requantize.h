// SPDX-License-Identifier: Apache-2.0
// How int32 sums become int8 and how two int8 values add, as constants and, where TL_ISA is defined, as vector code.
// sdk/tealight/quant/numerics.py is the definition and has the proof that makes the short sequence exact.
//
//   Requantize   y = clamp(round_half_even(sum * scale + zero_point), lo, hi) of the exact product, where |sum| < 2^23
//                and |sum * scale| < 2^22 - 256; else, `wide`: rint(clamp(fma(float(sum), scale, zero_point), lo, hi))
//   RescaledAdd  y = rint(clamp(fma(b, b_scale, fma(a, a_scale, offset)), lo, hi))
#ifndef TEALIGHT_KERNELS_REQUANTIZE_H_
#define TEALIGHT_KERNELS_REQUANTIZE_H_

#include <stdint.h>

namespace tealight {

struct Requantization {
  int32_t zero_point = 0;
  int32_t lo = -128, hi = 127;  // within int8
  bool wide = false;
};

struct RescaledAdd {
  float a_scale = 0, b_scale = 0, offset = 0;
  int32_t lo = -128, hi = 127;  // within int8
};

// 1.5 * 2^23: the sum of it and a number below 2^22 in size has that number, rounded to even, in its low bits.
constexpr float kRoundOffset = 12582912.0f;
constexpr int32_t kRoundOffsetBits = 0x4b400000;

}  // namespace tealight

#ifdef TL_ISA
#include "base/simd/vec.h"

namespace tealight {
namespace TL_ISA {

// The constants of a Requantization as vectors.
struct RequantizeVectors {
  F32 offset, float_zero_point, float_lo, float_hi;
  I32 offset_bits, lo, hi;
};

TL_INLINE RequantizeVectors SplatRequantization(const Requantization& q) {
  return {Splat(kRoundOffset + static_cast<float>(q.zero_point)),
          Splat(static_cast<float>(q.zero_point)),
          Splat(static_cast<float>(q.lo)),
          Splat(static_cast<float>(q.hi)),
          SplatI32(kRoundOffsetBits),
          SplatI32(q.lo),
          SplatI32(q.hi)};
}

/// kLanes sums requantized by the short sequence, not yet clamped.
TL_INLINE I32 RequantizeUnclamped(I32 sum, F32 scale, const RequantizeVectors& q) {
  return Sub(BitsOf(Fma(ToFloat(sum), scale, q.offset)), q.offset_bits);
}

/// The int8 of kLanes sums as int32; kWide: the longer sequence, for sums without the proof.
template <bool kWide>
TL_INLINE I32 Requantize(I32 sum, F32 scale, const RequantizeVectors& q) {
  if (kWide) {
    // The operands of ClampMin are swapped: a NaN (of a damaged file's scale) becomes lo.
    return ToInt(ClampMax(ClampMin(q.float_lo, Fma(ToFloat(sum), scale, q.float_zero_point)), q.float_hi));
  }
  return Min(Max(RequantizeUnclamped(sum, scale, q), q.lo), q.hi);
}

struct RescaledAddVectors {
  F32 a_scale, b_scale, offset, lo, hi;
};

TL_INLINE RescaledAddVectors SplatRescaledAdd(const RescaledAdd& add) {
  return {Splat(add.a_scale), Splat(add.b_scale), Splat(add.offset), Splat(static_cast<float>(add.lo)),
          Splat(static_cast<float>(add.hi))};
}

/// The int8 sum of kLanes pairs of int8 values, all as int32.
TL_INLINE I32 AddRescaled(I32 a, I32 b, const RescaledAddVectors& add) {
  const F32 y = Fma(ToFloat(b), add.b_scale, Fma(ToFloat(a), add.a_scale, add.offset));
  return ToInt(ClampMax(ClampMin(add.lo, y), add.hi));
}

}  // namespace TL_ISA
}  // namespace tealight
#endif  // TL_ISA

#endif  // TEALIGHT_KERNELS_REQUANTIZE_H_
