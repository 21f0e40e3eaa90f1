// SPDX-License-Identifier: Apache-2.0
// Pooling for scalar.
#define TL_ISA scalar
#include "kernels/pool/pool.h"

#include "base/simd/vec.h"
#include "kernels/pool/generic.h"

namespace tealight {

const PoolKernels* PoolKernels_scalar() { return &scalar::kPoolKernels; }

}  // namespace tealight
