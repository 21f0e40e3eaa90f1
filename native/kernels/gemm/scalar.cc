// SPDX-License-Identifier: Apache-2.0
// The gemm that defines the bits: 2 rows x 4 columns.
#define TL_ISA scalar
#include "kernels/gemm/generic.h"

namespace tealight {
namespace TL_ISA {
namespace {

void TileRows(const float* const* rows, size_t m, const GemmArgs& args) {
  if (m == 1) return Rows<1, 4, 4>(rows, args);
  return Rows<2, 4, 4>(rows, args);
}

}  // namespace
}  // namespace TL_ISA

const GemmKernels* GemmKernels_scalar() {
  static constexpr GemmKernels kKernels = {2, scalar::TileRows};
  return &kKernels;
}

}  // namespace tealight
