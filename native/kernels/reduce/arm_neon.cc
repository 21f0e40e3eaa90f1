// SPDX-License-Identifier: Apache-2.0
#define TL_ISA arm_neon
#include "kernels/reduce/generic.h"

namespace tealight {

const ReduceKernels* ReduceKernels_arm_neon() { return &TL_ISA::kReduce; }

}  // namespace tealight
