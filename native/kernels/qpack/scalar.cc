// SPDX-License-Identifier: Apache-2.0
#define TL_ISA scalar
#include "kernels/qpack/generic.h"

namespace tealight {

const QPackKernels* QPackKernels_scalar() { return &TL_ISA::kQPack; }

}  // namespace tealight
