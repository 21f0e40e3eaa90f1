// SPDX-License-Identifier: Apache-2.0
#define TL_ISA x86_avx512
#include "kernels/reduce/generic.h"

namespace tealight {

const ReduceKernels* ReduceKernels_x86_avx512() { return &TL_ISA::kReduce; }

}  // namespace tealight
