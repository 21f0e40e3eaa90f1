// SPDX-License-Identifier: Apache-2.0
// NEON dotprod gemm with int4 weights: each half of a byte moves to its top, so that a vector of 32 weights costs one
// shift and one mask; sums are 16 times too large and shifted back at the end, exactly.
#define TL_ISA arm_neondot
#include "base/simd/vec.h"
#include "kernels/qgemm/generic.h"
#include "kernels/qgemm4/qgemm4.h"

namespace tealight {
namespace TL_ISA {
namespace {

template <int MR, int NV>
struct NibbleLoop {
  int32x4_t sums[MR][NV];
  int8x16_t top = vdupq_n_s8(-16);

  TL_LOOP NibbleLoop() {
    __asm__("" : "+w"(top));  // kept in a register, not made again in the loop
    TL_UNROLL for (int i = 0; i < MR; ++i) { TL_UNROLL for (int j = 0; j < NV; ++j) sums[i][j] = vdupq_n_s32(0); }
  }

  // L groups of 4 k: each vector of weights is unpacked once for all rows.
  template <int L>
  TL_LOOP void Step(const int8_t* const (&p)[MR], size_t k, Rhs<NV>& rhs) {
    int8x16_t w[NV][L];
    TL_UNROLL for (int g = 0; g < L; g += 2) {
      TL_UNROLL for (int j = 0; j < NV; ++j) {
        const int8x16_t both = vld1q_s8(rhs.Vector(j));
        w[j][g] = vshlq_n_s8(both, 4);
        w[j][g + 1] = vandq_s8(both, top);
      }
      rhs.Advance(1);
    }
    TL_UNROLL for (int i = 0; i < MR; ++i) {
      if (i > 0 && i % 4 == 0) __asm__("" : "+r"(k) : "w"(sums[i - 1][0]));  // no more than 4 rows of x in registers
      const int8x16_t x = L == 4 ? vld1q_s8(p[i] + k) : vcombine_s8(vld1_s8(p[i] + k), vdup_n_s8(0));
      TL_UNROLL for (int j = 0; j < NV; ++j) {
        sums[i][j] = vdotq_laneq_s32(sums[i][j], w[j][0], x, 0);
        sums[i][j] = vdotq_laneq_s32(sums[i][j], w[j][1], x, 1);
        if (L == 2) continue;
        sums[i][j] = vdotq_laneq_s32(sums[i][j], w[j][L - 2], x, 2);
        sums[i][j] = vdotq_laneq_s32(sums[i][j], w[j][L - 1], x, 3);
      }
    }
  }

  TL_LOOP void Run(I32 (&)[MR][NV], const int8_t* const (&p)[MR], Rhs<NV>& rhs, size_t run) {
    size_t k = 0;
    for (; NV == 1 && k + 16 <= run; k += 16) Step<4>(p, k, rhs);
    for (; k < run; k += 8) Step<2>(p, k, rhs);
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
  } else if (m <= 4) {
    vector = Sweep<4, NibbleLoop, 4, 3, 2>(rows, m, args, vector);
  }
  Sweep<1, NibbleLoop, 16, 8, 4, 1>(rows, m, args, vector);
}

}  // namespace
}  // namespace TL_ISA

const QGemmKernels* QGemm4Kernels_arm_neondot() {
  static constexpr QGemmKernels kKernels = {16, arm_neondot::TileRows};
  return &kKernels;
}

}  // namespace tealight
