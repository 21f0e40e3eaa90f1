// SPDX-License-Identifier: Apache-2.0
// NEON dotprod gemm with int4 weights: each half of a byte moves to its top, so that a vector of 32 weights costs one
// shift and one mask; sums are 16 times too large and shifted back at the end, exactly.
#define TL_ISA arm_neondot
#include "base/simd/vec.h"

namespace tealight {
namespace TL_ISA {
namespace {
constexpr int32_t kLhsOffset = 0;
}
}  // namespace TL_ISA
}  // namespace tealight
#include "kernels/qgemm/generic.h"
#include "kernels/qgemm4/qgemm4.h"

namespace tealight {
namespace TL_ISA {
namespace {

template <int MR, int NV>
struct NibbleLoop {
  int32x4_t sums[MR][NV];

  TL_LOOP NibbleLoop() {
    TL_UNROLL for (int i = 0; i < MR; ++i) { TL_UNROLL for (int j = 0; j < NV; ++j) sums[i][j] = vdupq_n_s32(0); }
  }

  // 8 k, groups L and L + 1 of the four groups of 4 k in x.
  template <int L>
  TL_LOOP void Step(const int8x16_t (&x)[MR], Rhs<NV>& rhs) {
    const int8x16_t top = vdupq_n_s8(-16);
    TL_UNROLL for (int j = 0; j < NV; ++j) {
      const int8x16_t both = vld1q_s8(rhs.Vector(j));
      const int8x16_t low = vshlq_n_s8(both, 4), high = vandq_s8(both, top);
      TL_UNROLL for (int i = 0; i < MR; ++i) sums[i][j] = vdotq_laneq_s32(sums[i][j], low, x[i], L);
      TL_UNROLL for (int i = 0; i < MR; ++i) sums[i][j] = vdotq_laneq_s32(sums[i][j], high, x[i], L + 1);
    }
    rhs.Advance(1);
  }

  TL_LOOP void Run(I32 (&)[MR][NV], const int8_t* const (&p)[MR], Rhs<NV>& rhs, size_t run) {
    int8x16_t x[MR];
    size_t k = 0;
    for (; k + 16 <= run; k += 16) {
      TL_UNROLL for (int i = 0; i < MR; ++i) x[i] = vld1q_s8(p[i] + k);
      Step<0>(x, rhs);
      Step<2>(x, rhs);
    }
    if (k == run) return;
    TL_UNROLL for (int i = 0; i < MR; ++i) x[i] = vcombine_s8(vld1_s8(p[i] + k), vdup_n_s8(0));
    Step<0>(x, rhs);
  }

  TL_LOOP void Finish(I32 (&acc)[MR][NV]) {
    TL_UNROLL for (int i = 0; i < MR; ++i) {
      TL_UNROLL for (int j = 0; j < NV; ++j) acc[i][j].v = vsraq_n_s32(acc[i][j].v, sums[i][j], 4);
    }
  }
};

void TileRows(const int8_t* const* rows, size_t m, const QGemmArgs& args) {
  size_t vector = 0;
  if (m == 1) {
    vector = Sweep<8, NibbleLoop, 1>(rows, m, args, vector);
  } else {
    vector = Sweep<4, NibbleLoop, 4, 3, 2>(rows, m, args, vector);
  }
  Sweep<1, NibbleLoop, 4, 3, 2, 1>(rows, m, args, vector);
}

}  // namespace
}  // namespace TL_ISA

const QGemmKernels* QGemm4Kernels_arm_neondot() {
  static constexpr QGemmKernels kKernels = {4, arm_neondot::TileRows};
  return &kKernels;
}

}  // namespace tealight
