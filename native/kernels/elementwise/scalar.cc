// SPDX-License-Identifier: Apache-2.0
#define TL_ISA scalar
#include "kernels/elementwise/generic.h"

namespace tealight {

const ElementwiseKernels* ElementwiseKernels_scalar() { return &TL_ISA::kElementwise; }

}  // namespace tealight
