// SPDX-License-Identifier: Apache-2.0
// int8 depthwise convolution for scalar.
#define TL_ISA scalar
#include "kernels/qdwconv/generic.h"
#include "kernels/qdwconv/qdwconv.h"

namespace tealight {

const QDwconvKernels* QDwconvKernels_scalar() { return &scalar::kQDwconvKernels; }

}  // namespace tealight
