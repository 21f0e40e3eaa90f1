// SPDX-License-Identifier: Apache-2.0
#define TL_ISA arm_neon
#include "kernels/elementwise/generic.h"

namespace tealight {

const ElementwiseKernels* ElementwiseKernels_arm_neon() { return &TL_ISA::kElementwise; }

}  // namespace tealight
