// SPDX-License-Identifier: Apache-2.0
// AVX2 gemm: 6 rows x 16 columns (12 sums, 2 vectors of rhs, 1 broadcast); few rows take more columns.
#define TL_ISA x86_avx2
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
      return Rows<4, 2, 2>(rows, args);
    case 5:
      return Rows<5, 2, 2>(rows, args);
    default:
      return Rows<6, 2, 2>(rows, args);
  }
}

// At most 8 columns: one vector of them, so more rows, or the sums would wait for each other.
void NarrowTileRows(const float* const* rows, size_t m, const GemmArgs& args) {
  switch (m) {
    case 7:
      return Rows<7, 1, 1>(rows, args);
    case 8:
      return Rows<8, 1, 1>(rows, args);
    case 9:
      return Rows<9, 1, 1>(rows, args);
    case 10:
      return Rows<10, 1, 1>(rows, args);
    case 11:
      return Rows<11, 1, 1>(rows, args);
    case 12:
      return Rows<12, 1, 1>(rows, args);
    default:
      return TileRows(rows, m, args);
  }
}

}  // namespace
}  // namespace TL_ISA

const GemmKernels* GemmKernels_x86_avx2() {
  static constexpr GemmKernels kKernels = {6, x86_avx2::TileRows};
  return &kKernels;
}

const GemmKernels* GemmKernels_x86_avx2_narrow() {
  static constexpr GemmKernels kKernels = {12, x86_avx2::NarrowTileRows};
  return &kKernels;
}

}  // namespace tealight
