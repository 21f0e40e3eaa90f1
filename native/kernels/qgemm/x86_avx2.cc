// SPDX-License-Identifier: Apache-2.0
// AVX2 int8 gemm: 4 rows x 16 columns (8 sums, 2 widened vectors of rhs, one of lhs).
#define TL_ISA x86_avx2
#include "kernels/qgemm/x86_madd.h"

namespace tealight {
namespace TL_ISA {
namespace {

void SweepRows(const int8_t* const* rows, size_t m, const QGemmArgs& args) {
  const size_t vector = Sweep<2, MaddLoop, 4, 2, 1>(rows, m, args, 0);
  Sweep<1, MaddLoop, 4, 1>(rows, m, args, vector);
}

void TileRows(const int8_t* const* rows, size_t m, const QGemmArgs& args) {
  LookUpLast(args, m, [&](const QGemmArgs& plain) { SweepRows(rows, m, plain); });
}

}  // namespace
}  // namespace TL_ISA

const QGemmKernels* QGemmKernels_x86_avx2() {
  static constexpr QGemmKernels kKernels = {8, x86_avx2::TileRows};
  return &kKernels;
}

}  // namespace tealight
