// SPDX-License-Identifier: Apache-2.0
// NEON dotprod int8 gemm: 8 rows x 8 columns (16 sums); lhs is read 16 k at a time and multiplied by lane.
#define TL_ISA arm_neondot
#include "kernels/qgemm/arm_dot.h"

namespace tealight {
namespace TL_ISA {
namespace {

void SweepRows(const int8_t* const* rows, size_t m, const QGemmArgs& args) {
  const size_t vector = Sweep<2, DotLoop, 8, 6, 4, 2, 1>(rows, m, args, 0);
  Sweep<1, DotLoop, 8, 1>(rows, m, args, vector);
}

void TileRows(const int8_t* const* rows, size_t m, const QGemmArgs& args) {
  LookUpLast(args, m, [&](const QGemmArgs& plain) { SweepRows(rows, m, plain); });
}

}  // namespace
}  // namespace TL_ISA

const QGemmKernels* QGemmKernels_arm_neondot() {
  static constexpr QGemmKernels kKernels = {8, arm_neondot::TileRows};
  return &kKernels;
}

}  // namespace tealight
