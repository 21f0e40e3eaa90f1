// SPDX-License-Identifier: Apache-2.0
// Depthwise convolution for arm_neon.
#define TL_ISA arm_neon
#include "kernels/dwconv/dwconv.h"

#include "base/simd/vec.h"
#include "kernels/dwconv/generic.h"

namespace tealight {

const DwconvKernels* DwconvKernels_arm_neon() { return &arm_neon::kDwconvKernels; }

}  // namespace tealight
