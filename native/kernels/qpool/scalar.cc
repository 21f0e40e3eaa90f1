// SPDX-License-Identifier: Apache-2.0
// Integer pooling for scalar.
#define TL_ISA scalar
#include "kernels/qpool/generic.h"
#include "kernels/qpool/qpool.h"

namespace tealight {

const QPoolKernels* QPoolKernels_scalar() { return &scalar::kQPoolKernels; }

}  // namespace tealight
