// SPDX-License-Identifier: Apache-2.0
#define TL_ISA x86_avx512
#include "kernels/decode/generic.h"

namespace tealight {

const DecodeKernels* DecodeKernels_x86_avx512() { return &TL_ISA::kDecode; }

}  // namespace tealight
