// SPDX-License-Identifier: Apache-2.0
// Integer resampling for scalar.
#define TL_ISA scalar
#include "kernels/qresize/generic.h"
#include "kernels/qresize/qresize.h"

namespace tealight {

const QResizeKernels* QResizeKernels_scalar() { return &scalar::kQResizeKernels; }

}  // namespace tealight
