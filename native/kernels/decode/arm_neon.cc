// SPDX-License-Identifier: Apache-2.0
#define TL_ISA arm_neon
#include "kernels/decode/generic.h"

namespace tealight {

const DecodeKernels* DecodeKernels_arm_neon() { return &TL_ISA::kDecode; }

}  // namespace tealight
