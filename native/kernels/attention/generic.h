// SPDX-License-Identifier: Apache-2.0
// The softmax of attention over the SIMD wrapper; attention.h has the formula.
#ifndef TEALIGHT_KERNELS_ATTENTION_GENERIC_H_
#define TEALIGHT_KERNELS_ATTENTION_GENERIC_H_

#include "kernels/attention/attention.h"
#include "kernels/elementwise/math.h"

namespace tealight {
namespace TL_ISA {
namespace {

// scores = scale * scores + mask; returns the largest.
float ScaleAndMask(float* scores, size_t n, float scale, const float* mask, size_t mask_step) {
  const F32 factor = Splat(scale);
  const float lowest = -__builtin_inff();
  F32 best = Splat(lowest);
  for (size_t i = 0; i < n; i += kLanes) {
    const size_t left = n - i < kLanes ? n - i : kLanes;
    F32 s = Mul(factor, left == kLanes ? Load(scores + i) : LoadPartial(scores + i, left));
    if (mask != nullptr) {
      F32 more = Splat(*mask);
      if (mask_step != 0) more = left == kLanes ? Load(mask + i) : LoadPartial(mask + i, left);
      s = Add(s, more);
    }
    if (left == kLanes) {
      Store(scores + i, s);
      best = Max(best, s);
    } else {
      StorePartial(scores + i, s, left);
      best = Max(best, LoadPartial(scores + i, left, Splat(lowest)));
    }
  }
  float lanes[kLanes];
  Store(lanes, best);
  float max = lowest;
  for (size_t i = 0; i < kLanes; ++i) max = lanes[i] > max || lanes[i] != lanes[i] ? lanes[i] : max;
  return max;
}

// scores = exp(scores - max); returns the sum.
float ExpAndSum(float* scores, size_t n, float max) {
  const F32 largest = Splat(max);
  Lanes16 sum = SplatLanes16(0.0f);
  size_t i = 0;
  for (; i + 16 <= n; i += 16) {
    for (size_t j = 0; j < Lanes16::kVectors; ++j) {
      const F32 e = Exp(Sub(Load(scores + i + j * kLanes), largest));
      Store(scores + i + j * kLanes, e);
      sum.v[j] = Add(sum.v[j], e);
    }
  }
  for (size_t j = 0; i < n; ++j, i += kLanes) {
    const size_t left = n - i < kLanes ? n - i : kLanes;
    const F32 e = Exp(Sub(LoadPartial(scores + i, left), largest));
    StorePartial(scores + i, e, left);
    sum.v[j] = Add(sum.v[j], LoadPartial(scores + i, left));  // absent lanes add +0
  }
  return ReduceAdd(sum);
}

void Softmax(float* scores, size_t n, float scale, const float* mask, size_t mask_step) {
  const float max = ScaleAndMask(scores, n, scale, mask, mask_step);
  const F32 factor = Div(Splat(1.0f), Splat(ExpAndSum(scores, n, max)));
  size_t i = 0;
  for (; i + kLanes <= n; i += kLanes) Store(scores + i, Mul(Load(scores + i), factor));
  if (i < n) StorePartial(scores + i, Mul(LoadPartial(scores + i, n - i), factor), n - i);
}

}  // namespace
}  // namespace TL_ISA
}  // namespace tealight

#endif  // TEALIGHT_KERNELS_ATTENTION_GENERIC_H_
