// SPDX-License-Identifier: Apache-2.0
// Transposes for arm_neon.
#define TL_ISA arm_neon
#include "kernels/transpose/generic.h"
#include "kernels/transpose/transpose.h"

namespace tealight {

const TransposeKernels* TransposeKernels_arm_neon() { return &arm_neon::kTransposeKernels; }

}  // namespace tealight
