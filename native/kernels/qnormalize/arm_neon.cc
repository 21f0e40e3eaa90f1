// SPDX-License-Identifier: Apache-2.0
#define TL_ISA arm_neon
#include "kernels/qnormalize/generic.h"

namespace tealight {

const QNormalizeKernels* QNormalizeKernels_arm_neon() { return &TL_ISA::kQNormalize; }

}  // namespace tealight
