// SPDX-License-Identifier: Apache-2.0
#define TL_ISA x86_avx2
#include "kernels/normalize/generic.h"

namespace tealight {

const NormalizeKernels* NormalizeKernels_x86_avx2() { return &TL_ISA::kNormalize; }

}  // namespace tealight
