// SPDX-License-Identifier: Apache-2.0
// Walking a contiguous row in 16 virtual lanes, and softmax over one; shared by the families normalize and attention.
#ifndef TEALIGHT_KERNELS_NORMALIZE_ROWS_H_
#define TEALIGHT_KERNELS_NORMALIZE_ROWS_H_

#include "kernels/elementwise/math.h"

namespace tealight {
namespace TL_ISA {
namespace {

TL_INLINE F32 LoadUpTo(const float* p, size_t count, F32 fill) {
  return count == kLanes ? Load(p) : LoadPartial(p, count, fill);
}
TL_INLINE void StoreUpTo(float* p, F32 x, size_t count) {
  if (count == kLanes) {
    Store(p, x);
  } else {
    StorePartial(p, x, count);
  }
}
// The last n mod 16 elements of a row as 16 lanes; they stay in registers between the passes over the row.
TL_INLINE size_t TailCount(size_t n, size_t v) {  // of vector v
  const size_t left = n % 16, first = v * kLanes;
  return left <= first ? 0 : left - first < kLanes ? left - first : kLanes;
}
TL_INLINE Lanes16 LoadTail(const float* p, size_t n, F32 fill) {
  Lanes16 r;
  for (size_t v = 0; v < Lanes16::kVectors; ++v) {
    const size_t count = TailCount(n, v);
    r.v[v] = count == 0 ? fill : LoadUpTo(p + (n - n % 16) + v * kLanes, count, fill);
  }
  return r;
}
TL_INLINE void StoreTail(float* p, size_t n, const Lanes16& x) {
  if (n % 16 == 0) return;
  for (size_t v = 0; v < Lanes16::kVectors; ++v) {
    const size_t count = TailCount(n, v);
    if (count != 0) StoreUpTo(p + (n - n % 16) + v * kLanes, x.v[v], count);
  }
}
// x with `fill` in the lanes past the row's end.
TL_INLINE Lanes16 KeepTail(Lanes16 x, size_t n, F32 fill) {
  constexpr float kIndex[16] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
  const F32 end = Splat(static_cast<float>(n % 16));
  for (size_t v = 0; v < Lanes16::kVectors; ++v) x.v[v] = Select(CmpLt(Load(kIndex + v * kLanes), end), x.v[v], fill);
  return x;
}
// f(vector of the lanes, first element) over all but the tail, in ascending order.
template <typename F>
TL_INLINE void ForWhole(size_t n, const F& f) {
  for (size_t i = 0; i + 16 <= n; i += 16) {
    for (size_t v = 0; v < Lanes16::kVectors; ++v) f(v, i + v * kLanes);
  }
}
template <typename F>
TL_INLINE Lanes16 ForLanes(const F& f) {
  Lanes16 r;
  for (size_t v = 0; v < Lanes16::kVectors; ++v) r.v[v] = f(v);
  return r;
}

// Element i of the row is `load(i)` where the tail begins later, its last n mod 16 elements are `tail` (anything past
// the end). Writes e = 2^64 exp(x - max) for all but the tail to y, which may be the row; gives max, e of the tail
// (zeros past the end) and the sum of e over the 16 lanes.
template <typename F>
TL_INLINE float SoftmaxSum(size_t n, const F& load, Lanes16 tail, bool store, float* y, F32* max, Lanes16* tail_e) {
  Lanes16 top = SplatLanes16(-__builtin_inff());
  if (n % 16 != 0) top = KeepTail(tail, n, top.v[0]);
  ForWhole(n, [&](size_t v, size_t i) { top.v[v] = Max(top.v[v], load(i)); });
  const F32 m = Splat(ReduceMax(top));
  Lanes16 last = SplatLanes16(0.0f);
  if (n % 16 != 0) last = KeepTail(ForLanes([&](size_t v) { return ExpScaled(Sub(tail.v[v], m)); }), n, Zero());
  Lanes16 sums = SplatLanes16(0.0f);
  ForWhole(n, [&](size_t v, size_t i) {
    const F32 e = ExpScaled(Sub(load(i), m));
    if (store) Store(y + i, e);
    sums.v[v] = Add(sums.v[v], e);
  });
  // The tail's elements come last.
  sums = ForLanes([&](size_t v) { return Add(sums.v[v], last.v[v]); });
  *max = m;
  *tail_e = last;
  return ReduceAdd(sums);
}

// y = e * (1 / sum(e))
template <typename F>
TL_INLINE void SoftmaxRow(size_t n, const F& load, const Lanes16& tail, float* y) {
  F32 max;
  Lanes16 e;
  const F32 scale = Splat(1.0f / SoftmaxSum(n, load, tail, true, y, &max, &e));
  ForWhole(n, [&](size_t, size_t i) { Store(y + i, Mul(Load(y + i), scale)); });
  StoreTail(y, n, ForLanes([&](size_t v) { return Mul(e.v[v], scale); }));
}

}  // namespace
}  // namespace TL_ISA
}  // namespace tealight

#endif  // TEALIGHT_KERNELS_NORMALIZE_ROWS_H_
