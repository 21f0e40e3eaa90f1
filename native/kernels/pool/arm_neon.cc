// SPDX-License-Identifier: Apache-2.0
// Pooling for arm_neon.
#define TL_ISA arm_neon
#include "kernels/pool/generic.h"
#include "kernels/pool/pool.h"

namespace tealight {

const PoolKernels* PoolKernels_arm_neon() { return &arm_neon::kPoolKernels; }

}  // namespace tealight
