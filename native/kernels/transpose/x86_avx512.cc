// SPDX-License-Identifier: Apache-2.0
// Transposes for x86_avx512.
#define TL_ISA x86_avx512
#include "kernels/transpose/generic.h"
#include "kernels/transpose/transpose.h"

namespace tealight {

const TransposeKernels* TransposeKernels_x86_avx512() { return &x86_avx512::kTransposeKernels; }

}  // namespace tealight
