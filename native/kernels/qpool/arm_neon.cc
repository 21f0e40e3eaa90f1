// SPDX-License-Identifier: Apache-2.0
// Integer pooling for arm_neon.
#define TL_ISA arm_neon
#include "kernels/qpool/generic.h"
#include "kernels/qpool/qpool.h"

namespace tealight {

const QPoolKernels* QPoolKernels_arm_neon() { return &arm_neon::kQPoolKernels; }

}  // namespace tealight
