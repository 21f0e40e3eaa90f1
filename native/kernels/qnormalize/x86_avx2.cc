// SPDX-License-Identifier: Apache-2.0
#define TL_ISA x86_avx2
#include "kernels/qnormalize/generic.h"

namespace tealight {

const QNormalizeKernels* QNormalizeKernels_x86_avx2() { return &TL_ISA::kQNormalize; }

}  // namespace tealight
