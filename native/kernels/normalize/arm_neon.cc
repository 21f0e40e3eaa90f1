// SPDX-License-Identifier: Apache-2.0
#define TL_ISA arm_neon
#include "kernels/normalize/generic.h"

namespace tealight {

const NormalizeKernels* NormalizeKernels_arm_neon() { return &TL_ISA::kNormalize; }

}  // namespace tealight
