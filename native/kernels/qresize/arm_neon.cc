// SPDX-License-Identifier: Apache-2.0
// Integer resampling for arm_neon.
#define TL_ISA arm_neon
#include "kernels/qresize/generic.h"
#include "kernels/qresize/qresize.h"

namespace tealight {

const QResizeKernels* QResizeKernels_arm_neon() { return &arm_neon::kQResizeKernels; }

}  // namespace tealight
