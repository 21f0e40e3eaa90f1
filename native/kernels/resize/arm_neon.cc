// SPDX-License-Identifier: Apache-2.0
// Resampling for arm_neon.
#define TL_ISA arm_neon
#include "kernels/resize/generic.h"
#include "kernels/resize/resize.h"

namespace tealight {

const ResizeKernels* ResizeKernels_arm_neon() { return &arm_neon::kResizeKernels; }

}  // namespace tealight
