// SPDX-License-Identifier: Apache-2.0
#define TL_ISA x86_avx512
#include "kernels/elementwise/generic.h"

namespace tealight {

const ElementwiseKernels* ElementwiseKernels_x86_avx512() { return &TL_ISA::kElementwise; }

}  // namespace tealight
