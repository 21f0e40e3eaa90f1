// SPDX-License-Identifier: Apache-2.0
// The SIMD wrapper of the kernels. A kernel file defines TL_ISA (scalar, arm_neon, x86_avx2 or x86_avx512) and
// includes this; everything here lies in namespace tealight::TL_ISA, so that no two paths share a symbol.
//
// The paths with integer dot products (x86_avx512vnni, arm_neondot, arm_neoni8mm) have the same wrapper as their base.
//
//   F32  kLanes float32          I32  kLanes int32          M32  kLanes truth values
//
// Every function gives the same bits per lane on every path. NaN payloads and signs are not part of that.
//   Load Store Splat Zero; LoadPartial StorePartial touch n <= kLanes elements (other lanes read as 0 or `fill`)
//   Add Sub Mul Div Sqrt       IEEE, round to nearest even
//   Fma(a, b, c) = a * b + c   Fnma(a, b, c) = c - a * b     one rounding
//   Abs Neg                    on the sign bit;   RoundEven Floor Ceil Trunc keep NaN, infinities and -0
//   ClampMin(x, lo) = lo > x ? lo : x     ClampMax(x, hi) = hi < x ? hi : x     NaN x stays
//   Max(a, b) = b > a || b != b ? b : a   Min(a, b) = b < a || b != b ? b : a   NaN wins
//   CmpLt Le Gt Ge Eq Ne IsNan -> M32; Select(m, a, b) = m ? a : b; And Or Xor AndNot(a, b) = a & ~b on M32 and I32
//   BitsOf(F32) FloatOf(I32)   the same bits;  ToFloat(I32) rounds to nearest even
//   ToInt rounds to nearest even, ToIntTrunc toward zero; x must lie in [-2^31, 2^31)
//   FirstLane(F32); LanesDown<w>(F32): lane i becomes lane i + w, for i < w
//   ShiftLeft<n> ShiftRight<n> (logical) ShiftRightArith<n>; Any(m) All(m)
//   LoadHalf StoreHalf (and Partial): float16 storage, round to nearest even
//   LoadInt8 LoadUint8 -> I32; StoreInt8 StoreUint8 saturate (and Partial: n <= kLanes, other lanes read as 0);
//   LoadInt8Quad StoreInt8Quad (and Uint8) move 4 * kLanes bytes as I32Quad.v[0 .. 4), v[0] the first
//   Lanes16: the 16 virtual lanes of a reduction; ReduceAdd(Lanes16) is the pairwise tree 8, 4, 2, 1
#ifndef TEALIGHT_BASE_SIMD_VEC_H_
#define TEALIGHT_BASE_SIMD_VEC_H_

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#ifndef TL_ISA
#error "define TL_ISA before including base/simd/vec.h"
#endif

#define TL_SIMD_scalar 1
#define TL_SIMD_arm_neon 2
#define TL_SIMD_x86_avx2 3
#define TL_SIMD_x86_avx512 4
#define TL_SIMD_arm_neondot 2
#define TL_SIMD_arm_neoni8mm 2
#define TL_SIMD_x86_avx512vnni 4
#define TL_SIMD_JOIN2(a, b) a##b
#define TL_SIMD_JOIN(a, b) TL_SIMD_JOIN2(a, b)
#define TL_SIMD TL_SIMD_JOIN(TL_SIMD_, TL_ISA)

#define TL_INLINE static inline __attribute__((always_inline))

#if TL_SIMD == TL_SIMD_scalar
#include "base/simd/scalar.h"
#elif TL_SIMD == TL_SIMD_arm_neon
#include "base/simd/arm_neon.h"
#elif TL_SIMD == TL_SIMD_x86_avx2
#include "base/simd/x86_avx2.h"
#elif TL_SIMD == TL_SIMD_x86_avx512
#include "base/simd/x86_avx512.h"
#else
#error "TL_ISA is not a known path"
#endif

namespace tealight {
namespace TL_ISA {

TL_INLINE F32 Zero() { return Splat(0.0f); }
TL_INLINE F32 LoadPartial(const float* p, size_t n) { return LoadPartial(p, n, Zero()); }
TL_INLINE M32 IsNan(F32 a) { return CmpNe(a, a); }

// Lane i of a reduction is element i of v[] taken as one array of 16.
struct Lanes16 {
  static constexpr size_t kVectors = 16 / kLanes;
  F32 v[kVectors];
};

TL_INLINE Lanes16 SplatLanes16(float x) {
  Lanes16 r;
  for (size_t i = 0; i < Lanes16::kVectors; ++i) r.v[i] = Splat(x);
  return r;
}
TL_INLINE Lanes16 LoadLanes16(const float* p) {
  Lanes16 r;
  for (size_t i = 0; i < Lanes16::kVectors; ++i) r.v[i] = Load(p + i * kLanes);
  return r;
}
/// Lanes n .. 15 are `fill`.
TL_INLINE Lanes16 LoadLanes16Partial(const float* p, size_t n, float fill) {
  Lanes16 r;
  for (size_t i = 0; i < Lanes16::kVectors; ++i) {
    const size_t first = i * kLanes;
    if (n >= first + kLanes) {
      r.v[i] = Load(p + first);
    } else {
      r.v[i] = n > first ? LoadPartial(p + first, n - first, Splat(fill)) : Splat(fill);
    }
  }
  return r;
}
TL_INLINE void StoreLanes16(float* p, const Lanes16& x) {
  for (size_t i = 0; i < Lanes16::kVectors; ++i) Store(p + i * kLanes, x.v[i]);
}
template <size_t w, typename Op>
TL_INLINE F32 FoldLanes(F32 x, const Op& op) {
  if constexpr (w > 0) {
    return FoldLanes<w / 2>(op(x, LanesDown<w>(x)), op);
  } else {
    return x;
  }
}
/// for w in 8, 4, 2, 1: lane[i] = op(lane[i], lane[i + w]); returns lane[0]. op(F32, F32) -> F32, lane by lane.
template <typename Op>
TL_INLINE float ReduceLanes16(Lanes16 x, const Op& op) {
  for (size_t w = Lanes16::kVectors / 2; w > 0; w /= 2) {
    for (size_t i = 0; i < w; ++i) x.v[i] = op(x.v[i], x.v[i + w]);
  }
  return FirstLane(FoldLanes<kLanes / 2>(x.v[0], op));
}
TL_INLINE float ReduceAdd(const Lanes16& x) {
  return ReduceLanes16(x, [](F32 a, F32 b) { return Add(a, b); });
}
/// Max as above; order does not matter for its value.
TL_INLINE float ReduceMax(const Lanes16& x) {
  return ReduceLanes16(x, [](F32 a, F32 b) { return Max(a, b); });
}
TL_INLINE float ReduceMin(const Lanes16& x) {
  return ReduceLanes16(x, [](F32 a, F32 b) { return Min(a, b); });
}

}  // namespace TL_ISA
}  // namespace tealight

#endif  // TEALIGHT_BASE_SIMD_VEC_H_
