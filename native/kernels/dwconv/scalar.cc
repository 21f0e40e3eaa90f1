// SPDX-License-Identifier: Apache-2.0
// Depthwise convolution for scalar.
#define TL_ISA scalar
#include "kernels/dwconv/dwconv.h"
#include "kernels/dwconv/generic.h"

namespace tealight {

const DwconvKernels* DwconvKernels_scalar() { return &scalar::kDwconvKernels; }

}  // namespace tealight
