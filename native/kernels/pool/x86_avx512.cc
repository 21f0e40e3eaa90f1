// SPDX-License-Identifier: Apache-2.0
// Pooling for x86_avx512.
#define TL_ISA x86_avx512
#include "kernels/pool/generic.h"
#include "kernels/pool/pool.h"

namespace tealight {

const PoolKernels* PoolKernels_x86_avx512() { return &x86_avx512::kPoolKernels; }

}  // namespace tealight
