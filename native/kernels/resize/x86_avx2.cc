// SPDX-License-Identifier: Apache-2.0
// Resampling for x86_avx2.
#define TL_ISA x86_avx2
#include "kernels/resize/resize.h"

#include "base/simd/vec.h"
#include "kernels/resize/generic.h"

namespace tealight {

const ResizeKernels* ResizeKernels_x86_avx2() { return &x86_avx2::kResizeKernels; }

}  // namespace tealight
