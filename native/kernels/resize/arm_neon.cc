// SPDX-License-Identifier: Apache-2.0
// Resampling for arm_neon.
#define TL_ISA arm_neon
#include "kernels/resize/resize.h"

#include "base/simd/vec.h"
#include "kernels/resize/generic.h"

namespace tealight {

const ResizeKernels* ResizeKernels_arm_neon() { return &arm_neon::kResizeKernels; }

}  // namespace tealight
