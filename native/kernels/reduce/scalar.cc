// SPDX-License-Identifier: Apache-2.0
#define TL_ISA scalar
#include "kernels/reduce/generic.h"

namespace tealight {

const ReduceKernels* ReduceKernels_scalar() { return &TL_ISA::kReduce; }

}  // namespace tealight
