// SPDX-License-Identifier: Apache-2.0
#define TL_ISA x86_avx2
#include "kernels/decode/generic.h"

namespace tealight {

const DecodeKernels* DecodeKernels_x86_avx2() { return &TL_ISA::kDecode; }

}  // namespace tealight
