// SPDX-License-Identifier: Apache-2.0
#define TL_ISA x86_avx2
#include "kernels/qpack/generic.h"

namespace tealight {

const QPackKernels* QPackKernels_x86_avx2() { return &TL_ISA::kQPack; }

}  // namespace tealight
