// SPDX-License-Identifier: Apache-2.0
#define TL_ISA scalar
#include "kernels/normalize/generic.h"

namespace tealight {

const NormalizeKernels* NormalizeKernels_scalar() { return &TL_ISA::kNormalize; }

}  // namespace tealight
