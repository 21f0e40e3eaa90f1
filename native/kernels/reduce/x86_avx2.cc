// SPDX-License-Identifier: Apache-2.0
#define TL_ISA x86_avx2
#include "kernels/reduce/generic.h"

namespace tealight {

const ReduceKernels* ReduceKernels_x86_avx2() { return &TL_ISA::kReduce; }

}  // namespace tealight
