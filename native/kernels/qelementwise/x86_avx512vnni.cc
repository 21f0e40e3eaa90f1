// SPDX-License-Identifier: Apache-2.0
#define TL_ISA x86_avx512vnni
#include "kernels/qelementwise/generic.h"

namespace tealight {

const QElementwiseKernels* QElementwiseKernels_x86_avx512vnni() { return &TL_ISA::kQElementwise; }

}  // namespace tealight
