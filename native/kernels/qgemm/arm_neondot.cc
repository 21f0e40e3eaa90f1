// SPDX-License-Identifier: Apache-2.0
// NEON dotprod int8 gemm: 8 rows x 8 columns (16 sums); lhs is read 16 k at a time and multiplied by lane.
#define TL_ISA arm_neondot
#define TL_PRODUCT "sdot"
#define TL_RHS ".16b"
#define TL_LHS ".4b"
#include "kernels/arm_inorder_pairs.h"
#include "kernels/qgemm/arm_dot.h"

namespace tealight {
namespace TL_ISA {
namespace {

// The 8 x 8 tile in an order that suits in-order cores; smaller tiles are as above.
template <int MR, int NV>
struct InOrderLoop : DotLoop<MR, NV> {};

template <>
struct InOrderLoop<8, 2> : DotLoop<8, 2> {
  TL_LOOP void Run(I32 (&acc)[8][2], const int8_t* const (&p)[8], Rhs<2>& rhs, size_t run) {
    const size_t pairs = run / 8;
    if (pairs > 0) InOrderPairs(acc, p, rhs.Vector(0), 4 * kQGemmPanel, pairs);
    rhs.Advance(2 * pairs);
    if (run % 8 == 0) return;
    const int8_t* rest[8];
    for (int i = 0; i < 8; ++i) rest[i] = p[i] + 8 * pairs;
    DotLoop<8, 2>::Run(acc, rest, rhs, 4);
  }
};

template <template <int, int> class Loop>
void TileRows(const int8_t* const* rows, size_t m, const QGemmArgs& args) {
  LookUpLast(args, m, [&](const QGemmArgs& plain) {
    const size_t vector = Sweep<2, Loop, 8, 6, 4, 2, 1>(rows, m, plain, 0);
    Sweep<1, Loop, 8, 1>(rows, m, plain, vector);
  });
}

}  // namespace
}  // namespace TL_ISA

const QGemmKernels* QGemmKernels_arm_neondot() {
  static constexpr QGemmKernels kKernels = {8, arm_neondot::TileRows<arm_neondot::DotLoop>};
  return &kKernels;
}

const QGemmKernels* QGemmKernels_arm_neondot_inorder() {
  static constexpr QGemmKernels kKernels = {8, arm_neondot::TileRows<arm_neondot::InOrderLoop>};
  return &kKernels;
}

}  // namespace tealight
