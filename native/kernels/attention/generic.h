// SPDX-License-Identifier: Apache-2.0
// The softmax of attention over the SIMD wrapper; attention.h has the formula.
#ifndef TEALIGHT_KERNELS_ATTENTION_GENERIC_H_
#define TEALIGHT_KERNELS_ATTENTION_GENERIC_H_

#include "kernels/attention/attention.h"
#include "kernels/normalize/rows.h"

namespace tealight {
namespace TL_ISA {
namespace {

void Softmax(float* scores, size_t n, float scale, const float* mask, size_t mask_step) {
  const F32 factor = Splat(scale);
  Lanes16 tail = LoadTail(scores, n, Zero());
  tail = ForLanes([&](size_t v) { return Mul(factor, tail.v[v]); });
  if (mask == nullptr) {
    return SoftmaxRow(n, [=](size_t i) { return Mul(factor, Load(scores + i)); }, tail, scores);
  }
  if (mask_step == 0) {
    const F32 more = Splat(*mask);
    tail = ForLanes([&](size_t v) { return Add(tail.v[v], more); });
    return SoftmaxRow(n, [=](size_t i) { return Add(Mul(factor, Load(scores + i)), more); }, tail, scores);
  }
  const Lanes16 more = LoadTail(mask, n, Zero());
  tail = ForLanes([&](size_t v) { return Add(tail.v[v], more.v[v]); });
  SoftmaxRow(n, [=](size_t i) { return Add(Mul(factor, Load(scores + i)), Load(mask + i)); }, tail, scores);
}

}  // namespace
}  // namespace TL_ISA
}  // namespace tealight

#endif  // TEALIGHT_KERNELS_ATTENTION_GENERIC_H_
