// SPDX-License-Identifier: Apache-2.0
#define TL_ISA x86_avx2
#include "kernels/qelementwise/generic.h"

namespace tealight {

const QElementwiseKernels* QElementwiseKernels_x86_avx2() { return &TL_ISA::kQElementwise; }

}  // namespace tealight
