// SPDX-License-Identifier: Apache-2.0
#define TL_ISA arm_neon
#include "kernels/qpack/generic.h"

namespace tealight {

const QPackKernels* QPackKernels_arm_neon() { return &TL_ISA::kQPack; }

}  // namespace tealight
