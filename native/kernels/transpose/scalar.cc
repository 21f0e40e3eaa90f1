// SPDX-License-Identifier: Apache-2.0
// Transposes for scalar.
#define TL_ISA scalar
#include "kernels/transpose/transpose.h"

#include "kernels/transpose/generic.h"

namespace tealight {

const TransposeKernels* TransposeKernels_scalar() { return &scalar::kTransposeKernels; }

}  // namespace tealight
