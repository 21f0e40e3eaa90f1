// SPDX-License-Identifier: Apache-2.0
// Pooling for scalar.
#define TL_ISA scalar
#include "kernels/pool/generic.h"
#include "kernels/pool/pool.h"

namespace tealight {

const PoolKernels* PoolKernels_scalar() { return &scalar::kPoolKernels; }

}  // namespace tealight
