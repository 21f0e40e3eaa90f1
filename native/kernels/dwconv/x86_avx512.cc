// SPDX-License-Identifier: Apache-2.0
// Depthwise convolution for x86_avx512.
#define TL_ISA x86_avx512
#include "kernels/dwconv/dwconv.h"
#include "kernels/dwconv/generic.h"

namespace tealight {

const DwconvKernels* DwconvKernels_x86_avx512() { return &x86_avx512::kDwconvKernels; }

}  // namespace tealight
