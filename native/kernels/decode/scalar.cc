// SPDX-License-Identifier: Apache-2.0
#define TL_ISA scalar
#include "kernels/decode/generic.h"

namespace tealight {

const DecodeKernels* DecodeKernels_scalar() { return &TL_ISA::kDecode; }

}  // namespace tealight
