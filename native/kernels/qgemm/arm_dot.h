// SPDX-License-Identifier: Apache-2.0
// The loop over k with sdot by lane.
#ifndef TEALIGHT_KERNELS_QGEMM_ARM_DOT_H_
#define TEALIGHT_KERNELS_QGEMM_ARM_DOT_H_

#include "base/simd/vec.h"
#include "kernels/qgemm/generic.h"

namespace tealight {
namespace TL_ISA {
namespace {

template <int MR, int NV>
struct DotLoop {
  TL_LOOP void Finish(I32 (&)[MR][NV]) {}

  // Group L of the four groups of 4 k in x.
  template <int L>
  TL_LOOP void Step(I32 (&acc)[MR][NV], const int8x16_t (&x)[MR], Rhs<NV>& rhs) {
    TL_UNROLL for (int j = 0; j < NV; ++j) {
      const int8x16_t w = vld1q_s8(rhs.Vector(j));
      TL_UNROLL for (int i = 0; i < MR; ++i) acc[i][j].v = vdotq_laneq_s32(acc[i][j].v, w, x[i], L);
    }
    rhs.Advance(1);
  }

  TL_LOOP void Run(I32 (&acc)[MR][NV], const int8_t* const (&p)[MR], Rhs<NV>& rhs, size_t run) {
    const int8_t* row[MR];
    int8x16_t x[MR];
    TL_UNROLL for (int i = 0; i < MR; ++i) row[i] = p[i];
    for (; run >= 16; run -= 16) {
      TL_UNROLL for (int i = 0; i < MR; ++i) {
        x[i] = vld1q_s8(row[i]);
        row[i] += 16;
      }
      Step<0>(acc, x, rhs);
      Step<1>(acc, x, rhs);
      Step<2>(acc, x, rhs);
      Step<3>(acc, x, rhs);
    }
    for (; run > 0; run -= 4) {
      TL_UNROLL for (int i = 0; i < MR; ++i) {
        int32_t four;
        memcpy(&four, row[i], 4);
        x[i] = vreinterpretq_s8_s32(vdupq_n_s32(four));
        row[i] += 4;
      }
      Step<0>(acc, x, rhs);
    }
  }
};

}  // namespace
}  // namespace TL_ISA
}  // namespace tealight

#endif  // TEALIGHT_KERNELS_QGEMM_ARM_DOT_H_
