// SPDX-License-Identifier: Apache-2.0
// Resampling for x86_avx2.
#define TL_ISA x86_avx2
#include "kernels/resize/generic.h"
#include "kernels/resize/resize.h"

namespace tealight {

const ResizeKernels* ResizeKernels_x86_avx2() { return &x86_avx2::kResizeKernels; }

}  // namespace tealight
