// SPDX-License-Identifier: Apache-2.0
// NEON int8 gemm without dot products: two products of 16 bits are added before they are widened. Their sum can be
// 2 * 128 * 128, one too many for int16, so products are subtracted (-2 * 128 * 128 fits) and the sums kept negative.
#define TL_ISA arm_neon
#include "base/simd/vec.h"

namespace tealight {
namespace TL_ISA {
namespace {
constexpr int32_t kLhsOffset = 0;
}
}  // namespace TL_ISA
}  // namespace tealight
#include "kernels/qgemm/generic.h"

namespace tealight {
namespace TL_ISA {
namespace {

TL_INLINE int8x8_t SplatFour(const int8_t* p) {
  int32_t four;
  memcpy(&four, p, 4);
  return vreinterpret_s8_s32(vdup_n_s32(four));
}
// Sums of neighbours of a, then of b.
TL_INLINE int32x4_t PairwiseAdd(int32x4_t a, int32x4_t b) {
  return vcombine_s32(vpadd_s32(vget_low_s32(a), vget_high_s32(a)), vpadd_s32(vget_low_s32(b), vget_high_s32(b)));
}

// Each sum is kept in two lanes, of even and of odd pairs of k: sums[i][2 * j] has columns 0 and 1 of vector j.
template <int MR, int NV>
struct PairLoop {
  int32x4_t sums[MR][2 * NV];

  TL_LOOP PairLoop() {
    TL_UNROLL for (int i = 0; i < MR; ++i) { TL_UNROLL for (int j = 0; j < 2 * NV; ++j) sums[i][j] = vdupq_n_s32(0); }
  }

  TL_LOOP void Run(I32 (&)[MR][NV], const int8_t* const (&p)[MR], Rhs<NV>& rhs, size_t run) {
    const int16x8_t zero = vdupq_n_s16(0);
    size_t k = 0;
    for (; k + 8 <= run; k += 8) {
      int8x8_t x0[MR], x1[MR];
      TL_UNROLL for (int i = 0; i < MR; ++i) {
        x0[i] = SplatFour(p[i] + k);
        x1[i] = SplatFour(p[i] + k + 4);
      }
      TL_UNROLL for (int j = 0; j < 2 * NV; ++j) {
        const int8_t* w = rhs.Vector(j / 2) + j % 2 * 8;
        const int8x8_t w0 = vld1_s8(w), w1 = vld1_s8(w + 4 * kQGemmPanel);
        TL_UNROLL for (int i = 0; i < MR; ++i) {
          sums[i][j] = vpadalq_s16(sums[i][j], vmlsl_s8(vmlsl_s8(zero, x0[i], w0), x1[i], w1));
        }
      }
      rhs.Advance(2);
    }
    if (k < run) {
      TL_UNROLL for (int j = 0; j < 2 * NV; ++j) {
        const int8x8_t w = vld1_s8(rhs.Vector(j / 2) + j % 2 * 8);
        TL_UNROLL for (int i = 0; i < MR; ++i) {
          sums[i][j] = vpadalq_s16(sums[i][j], vmlsl_s8(zero, SplatFour(p[i] + k), w));
        }
      }
      rhs.Advance(1);
    }
  }

  TL_LOOP void Finish(I32 (&acc)[MR][NV]) {
    TL_UNROLL for (int i = 0; i < MR; ++i) {
      TL_UNROLL for (int j = 0; j < NV; ++j) {
        acc[i][j].v = vsubq_s32(acc[i][j].v, PairwiseAdd(sums[i][2 * j], sums[i][2 * j + 1]));
      }
    }
  }
};

#if defined(__aarch64__)
constexpr int kRows = 4, kVectors = 2;
#else
constexpr int kRows = 4, kVectors = 1;  // half the registers
#endif

void TileRows(const int8_t* const* rows, size_t m, const QGemmArgs& args) {
  const size_t vector = Sweep<kRows, kVectors, PairLoop>(rows, m, args, 0);
  if (kVectors > 1) Sweep<kRows, 1, PairLoop>(rows, m, args, vector);
}

}  // namespace
}  // namespace TL_ISA

const QGemmKernels* QGemmKernels_arm_neon() {
  static constexpr QGemmKernels kKernels = {8, arm_neon::TileRows};
  return &kKernels;
}

}  // namespace tealight
