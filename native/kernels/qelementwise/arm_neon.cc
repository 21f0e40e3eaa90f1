// SPDX-License-Identifier: Apache-2.0
#define TL_ISA arm_neon
#include "kernels/qelementwise/generic.h"

namespace tealight {

const QElementwiseKernels* QElementwiseKernels_arm_neon() { return &TL_ISA::kQElementwise; }

}  // namespace tealight
