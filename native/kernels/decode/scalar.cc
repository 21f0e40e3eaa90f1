// SPDX-License-Identifier: Apache-2.0
#define TL_ISA scalar
#define TL_DECODE_UNROLL  // 16 single lanes, unrolled, would be a fifth of the library
#include "kernels/decode/generic.h"

namespace tealight {

const DecodeKernels* DecodeKernels_scalar() { return &TL_ISA::kDecode; }

}  // namespace tealight
