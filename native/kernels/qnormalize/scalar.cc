// SPDX-License-Identifier: Apache-2.0
#define TL_ISA scalar
#include "kernels/qnormalize/generic.h"

namespace tealight {

const QNormalizeKernels* QNormalizeKernels_scalar() { return &TL_ISA::kQNormalize; }

}  // namespace tealight
