// SPDX-License-Identifier: Apache-2.0
// NEON int8 gemm without dot products: two products of 16 bits are added before they are widened. Where rhs may hold
// -128 their sum can be 2 * 128 * 128, one too many for int16: there products are subtracted (-2 * 128 * 128 fits) and
// the sums kept negative, at the cost of zeroing a register for each pair.
#define TL_ISA arm_neon
#include "base/simd/vec.h"
#include "kernels/qgemm/generic.h"
#if defined(__aarch64__)
#include "kernels/qgemm/arm_neon_inorder.h"
#endif

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

#if defined(__aarch64__)
// -(x0 * w0 + x1 * w1): the compiler would turn intrinsics into products and a negation.
TL_INLINE int16x8_t NegativeProducts(int8x8_t x0, int8x8_t w0, int8x8_t x1, int8x8_t w1) {
  int16x8_t sum;
  __asm__("movi %0.2d, #0\nsmlsl %0.8h, %1.8b, %2.8b\nsmlsl %0.8h, %3.8b, %4.8b"
          : "=&w"(sum)
          : "w"(x0), "w"(w0), "w"(x1), "w"(w1));
  return sum;
}
#else
TL_INLINE int16x8_t NegativeProducts(int8x8_t x0, int8x8_t w0, int8x8_t x1, int8x8_t w1) {
  return vmlsl_s8(vmlsl_s8(vdupq_n_s16(0), x0, w0), x1, w1);
}
#endif

// Each sum is kept in two lanes, of even and of odd pairs of k: sums[i][2 * j] has columns 0 and 1 of vector j.
template <int MR, int NV, bool kFullRange>
struct AnyPairLoop {
  int32x4_t sums[MR][2 * NV];

  TL_LOOP AnyPairLoop() {
    TL_UNROLL for (int i = 0; i < MR; ++i) { TL_UNROLL for (int j = 0; j < 2 * NV; ++j) sums[i][j] = vdupq_n_s32(0); }
  }

  TL_LOOP void Run(I32 (&)[MR][NV], const int8_t* const (&p)[MR], Rhs<NV>& rhs, size_t run) {
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
          const int16x8_t products =
              kFullRange ? NegativeProducts(x0[i], w0, x1[i], w1) : vmlal_s8(vmull_s8(x0[i], w0), x1[i], w1);
          sums[i][j] = vpadalq_s16(sums[i][j], products);
        }
      }
      rhs.Advance(2);
    }
    if (k < run) {
      TL_UNROLL for (int j = 0; j < 2 * NV; ++j) {
        const int8x8_t w = vld1_s8(rhs.Vector(j / 2) + j % 2 * 8);
        TL_UNROLL for (int i = 0; i < MR; ++i) {
          const int16x8_t products = vmull_s8(SplatFour(p[i] + k), w);
          sums[i][j] = vpadalq_s16(sums[i][j], kFullRange ? vnegq_s16(products) : products);
        }
      }
      rhs.Advance(1);
    }
  }

  TL_LOOP void Finish(I32 (&acc)[MR][NV]) {
    TL_UNROLL for (int i = 0; i < MR; ++i) {
      TL_UNROLL for (int j = 0; j < NV; ++j) {
        const int32x4_t sum = PairwiseAdd(sums[i][2 * j], sums[i][2 * j + 1]);
        acc[i][j].v = kFullRange ? vsubq_s32(acc[i][j].v, sum) : vaddq_s32(acc[i][j].v, sum);
      }
    }
  }
};

template <int MR, int NV>
struct PairLoop : AnyPairLoop<MR, NV, false> {};
template <int MR, int NV>
struct FullRangeLoop : AnyPairLoop<MR, NV, true> {};

#if defined(__aarch64__)
constexpr int kRows = 3, kVectors = 2;
#else
constexpr int kRows = 3, kVectors = 1;  // half the registers
#endif

#if defined(__aarch64__)
// The full tile in an order that suits in-order cores; smaller tiles are as above.
template <int MR, int NV>
struct InOrderLoop : PairLoop<MR, NV> {};

template <>
struct InOrderLoop<3, 2> : PairLoop<3, 2> {
  TL_LOOP void Run(I32 (&acc)[3][2], const int8_t* const (&p)[3], Rhs<2>& rhs, size_t run) {
    const size_t blocks = run / 8;
    if (blocks > 0) InOrderBlocks(sums, p, rhs.Vector(0), blocks);
    rhs.Advance(2 * blocks);
    if (run % 8 == 0) return;
    const int8_t* const rest[3] = {p[0] + 8 * blocks, p[1] + 8 * blocks, p[2] + 8 * blocks};
    PairLoop<3, 2>::Run(acc, rest, rhs, 4);
  }
};
#endif

template <template <int, int> class Loop>
void AllRows(const int8_t* const* rows, size_t m, const QGemmArgs& args) {
  LookUpLast(args, m, [&](const QGemmArgs& plain) {
    const size_t vector = Sweep<kVectors, Loop, kRows, 1>(rows, m, plain, 0);
    if (kVectors > 1) Sweep<1, Loop, kRows, 1>(rows, m, plain, vector);
  });
}

template <template <int, int> class Loop>
void TileRows(const int8_t* const* rows, size_t m, const QGemmArgs& args) {
  if (args.full_range) return AllRows<FullRangeLoop>(rows, m, args);
  return AllRows<Loop>(rows, m, args);
}

}  // namespace
}  // namespace TL_ISA

const QGemmKernels* QGemmKernels_arm_neon() {
  static constexpr QGemmKernels kKernels = {12, arm_neon::TileRows<arm_neon::PairLoop>};
  return &kKernels;
}

#if defined(__aarch64__)
const QGemmKernels* QGemmKernels_arm_neon_inorder() {
  static constexpr QGemmKernels kKernels = {12, arm_neon::TileRows<arm_neon::InOrderLoop>};
  return &kKernels;
}
#endif

}  // namespace tealight
