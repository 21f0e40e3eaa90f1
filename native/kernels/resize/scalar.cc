// SPDX-License-Identifier: Apache-2.0
// Resampling for scalar.
#define TL_ISA scalar
#include "kernels/resize/resize.h"

#include "base/simd/vec.h"
#include "kernels/resize/generic.h"

namespace tealight {

const ResizeKernels* ResizeKernels_scalar() { return &scalar::kResizeKernels; }

}  // namespace tealight
