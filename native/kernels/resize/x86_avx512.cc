// SPDX-License-Identifier: Apache-2.0
// Resampling for x86_avx512.
#define TL_ISA x86_avx512
#include "kernels/resize/generic.h"
#include "kernels/resize/resize.h"

namespace tealight {

const ResizeKernels* ResizeKernels_x86_avx512() { return &x86_avx512::kResizeKernels; }

}  // namespace tealight
