// SPDX-License-Identifier: Apache-2.0
// NEON gemm: 8 rows x 8 columns; lhs is read four k at a time and multiplied by lane.
#define TL_ISA arm_neon
#include "base/simd/vec.h"

#if defined(__aarch64__)
#define TL_GEMM_LOOP LaneLoop
namespace tealight {
namespace arm_neon {
namespace {
template <int MR, int NV, bool kPartial>
struct LaneLoop;
}
}  // namespace arm_neon
}  // namespace tealight
#endif
#include "kernels/gemm/generic.h"
#if defined(__aarch64__)
#define TL_PRODUCT "fmla"
#define TL_RHS ".4s"
#define TL_LHS ".s"
#include "kernels/arm_inorder_pairs.h"
#endif

namespace tealight {
namespace TL_ISA {
namespace {

#if defined(__aarch64__)
// One k of the loop: lane L of each lhs vector times the rhs vectors at b.
template <int L, int MR, int NV, bool kPartial>
TL_INLINE void LaneStep(F32 (&acc)[MR][NV], const float32x4_t (&lhs)[MR], const float* (&b)[NV], size_t stride,
                        size_t columns) {
  F32 rhs[NV];
  TL_UNROLL for (int j = 0; j < NV; ++j) {
    rhs[j] = kPartial && j == NV - 1 ? LoadPartial(b[j], columns) : Load(b[j]);
    b[j] += stride;
  }
  TL_UNROLL for (int i = 0; i < MR; ++i) {
    TL_UNROLL for (int j = 0; j < NV; ++j) acc[i][j].v = vfmaq_laneq_f32(acc[i][j].v, rhs[j].v, lhs[i], L);
  }
}

template <int MR, int NV, bool kPartial>
struct LaneLoop {
  TL_INLINE void Run(F32 (&acc)[MR][NV], const float* const* p, const float* (&b)[NV], size_t stride, size_t run,
                     size_t columns) {
    const float* x[MR];
    TL_UNROLL for (int i = 0; i < MR; ++i) x[i] = p[i];
    size_t k = 0;
    for (; k + 4 <= run; k += 4) {
      float32x4_t lhs[MR];
      TL_UNROLL for (int i = 0; i < MR; ++i) lhs[i] = vld1q_f32(x[i] + k);
      LaneStep<0, MR, NV, kPartial>(acc, lhs, b, stride, columns);
      LaneStep<1, MR, NV, kPartial>(acc, lhs, b, stride, columns);
      LaneStep<2, MR, NV, kPartial>(acc, lhs, b, stride, columns);
      LaneStep<3, MR, NV, kPartial>(acc, lhs, b, stride, columns);
    }
    for (; k < run; ++k) {
      float32x4_t lhs[MR];
      TL_UNROLL for (int i = 0; i < MR; ++i) lhs[i] = vld1q_dup_f32(x[i] + k);
      LaneStep<0, MR, NV, kPartial>(acc, lhs, b, stride, columns);
    }
  }
};

// The 8 x 8 tile in an order that suits in-order cores.
template <int MR, int NV, bool kPartial>
struct InOrderLoop;

template <>
struct InOrderLoop<8, 2, false> {
  TL_INLINE void Run(F32 (&acc)[8][2], const float* const* p, const float* (&b)[2], size_t stride, size_t run, size_t) {
    const size_t pairs = run / 2;
    if (pairs > 0) InOrderPairs(acc, p, b[0], stride * sizeof(float), pairs);
    b[0] += 2 * pairs * stride;
    b[1] += 2 * pairs * stride;
    if (run % 2 == 0) return;
    const float* x[8];
    for (int i = 0; i < 8; ++i) x[i] = p[i] + 2 * pairs;
    LaneLoop<8, 2, false>::Run(acc, x, b, stride, 1, kLanes);
  }
};
#endif

void TileRows(const float* const* rows, size_t m, const GemmArgs& args) {
  switch (m) {
    case 1:
      return Rows<1, 8, 4>(rows, args);
    case 2:
      return Rows<2, 4, 4>(rows, args);
    case 3:
      return Rows<3, 4, 2>(rows, args);
    case 4:
      return Rows<4, 4, 2>(rows, args);
    case 5:
      return Rows<5, 2, 2>(rows, args);
    case 6:
      return Rows<6, 2, 2>(rows, args);
    case 7:
      return Rows<7, 2, 2>(rows, args);
    default:
      return Rows<8, 2, 2>(rows, args);
  }
}

#if defined(__aarch64__)
void TileRowsInOrder(const float* const* rows, size_t m, const GemmArgs& args) {
  if (m < 8) return TileRows(rows, m, args);
  return Rows<8, 2, 2, InOrderLoop>(rows, args);
}
#endif

}  // namespace
}  // namespace TL_ISA

const GemmKernels* GemmKernels_arm_neon() {
  static constexpr GemmKernels kKernels = {8, arm_neon::TileRows};
  return &kKernels;
}

#if defined(__aarch64__)
const GemmKernels* GemmKernels_arm_neon_inorder() {
  static constexpr GemmKernels kKernels = {8, arm_neon::TileRowsInOrder};
  return &kKernels;
}
#endif

}  // namespace tealight
