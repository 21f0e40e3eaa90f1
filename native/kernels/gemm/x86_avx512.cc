// SPDX-License-Identifier: Apache-2.0
// AVX-512 gemm: 14 rows x 32 columns (28 sums, 2 vectors of rhs, 1 broadcast); few rows take more columns.
#define TL_ISA x86_avx512
#include "kernels/gemm/generic.h"

namespace tealight {
namespace TL_ISA {
namespace {

void TileRows(const float* const* rows, size_t m, const GemmArgs& args) {
  switch (m) {
    case 1:
      return Rows<1, 8, 2>(rows, args);
    case 2:
      return Rows<2, 4, 2>(rows, args);
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
    case 8:
      return Rows<8, 2, 2>(rows, args);
    case 9:
      return Rows<9, 2, 2>(rows, args);
    case 10:
      return Rows<10, 2, 2>(rows, args);
    case 11:
      return Rows<11, 2, 2>(rows, args);
    case 12:
      return Rows<12, 2, 2>(rows, args);
    case 13:
      return Rows<13, 2, 2>(rows, args);
    default:
      return Rows<14, 2, 2>(rows, args);
  }
}

}  // namespace
}  // namespace TL_ISA

const GemmKernels* GemmKernels_x86_avx512() {
  static constexpr GemmKernels kKernels = {14, x86_avx512::TileRows};
  return &kKernels;
}

}  // namespace tealight
