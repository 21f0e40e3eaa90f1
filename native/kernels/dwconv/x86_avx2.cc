// SPDX-License-Identifier: Apache-2.0
// Depthwise convolution for x86_avx2.
#define TL_ISA x86_avx2
#include "kernels/dwconv/dwconv.h"
#include "kernels/dwconv/generic.h"

namespace tealight {

const DwconvKernels* DwconvKernels_x86_avx2() { return &x86_avx2::kDwconvKernels; }

}  // namespace tealight
