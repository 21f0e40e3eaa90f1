// SPDX-License-Identifier: Apache-2.0
#define TL_ISA x86_avx2
#include "kernels/elementwise/generic.h"

namespace tealight {

const ElementwiseKernels* ElementwiseKernels_x86_avx2() { return &TL_ISA::kElementwise; }

}  // namespace tealight
