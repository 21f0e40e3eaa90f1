// SPDX-License-Identifier: Apache-2.0
// Pooling for x86_avx2.
#define TL_ISA x86_avx2
#include "kernels/pool/generic.h"
#include "kernels/pool/pool.h"

namespace tealight {

const PoolKernels* PoolKernels_x86_avx2() { return &x86_avx2::kPoolKernels; }

}  // namespace tealight
