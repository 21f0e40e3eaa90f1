// SPDX-License-Identifier: Apache-2.0
// Resampling for scalar.
#define TL_ISA scalar
#include "kernels/resize/generic.h"
#include "kernels/resize/resize.h"

namespace tealight {

const ResizeKernels* ResizeKernels_scalar() { return &scalar::kResizeKernels; }

}  // namespace tealight
