// SPDX-License-Identifier: Apache-2.0
#define TL_ISA scalar
#include "kernels/qelementwise/generic.h"

namespace tealight {

const QElementwiseKernels* QElementwiseKernels_scalar() { return &TL_ISA::kQElementwise; }

}  // namespace tealight
