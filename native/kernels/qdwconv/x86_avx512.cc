// SPDX-License-Identifier: Apache-2.0
// int8 depthwise convolution for x86_avx512.
#define TL_ISA x86_avx512
#include "kernels/qdwconv/generic.h"
#include "kernels/qdwconv/qdwconv.h"

namespace tealight {

const QDwconvKernels* QDwconvKernels_x86_avx512() { return &x86_avx512::kQDwconvKernels; }

}  // namespace tealight
