// SPDX-License-Identifier: Apache-2.0
// int8 depthwise convolution for arm_neon.
#define TL_ISA arm_neon
#include "kernels/qdwconv/generic.h"
#include "kernels/qdwconv/qdwconv.h"

namespace tealight {

const QDwconvKernels* QDwconvKernels_arm_neon() { return &arm_neon::kQDwconvKernels; }

}  // namespace tealight
