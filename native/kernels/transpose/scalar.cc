// SPDX-License-Identifier: Apache-2.0
// Transposes for scalar.
#define TL_ISA scalar
#include "kernels/transpose/generic.h"
#include "kernels/transpose/transpose.h"

namespace tealight {

const TransposeKernels* TransposeKernels_scalar() { return &scalar::kTransposeKernels; }

}  // namespace tealight
