// SPDX-License-Identifier: Apache-2.0
// Integer pooling for x86_avx512.
#define TL_ISA x86_avx512
#include "kernels/qpool/generic.h"
#include "kernels/qpool/qpool.h"

namespace tealight {

const QPoolKernels* QPoolKernels_x86_avx512() { return &x86_avx512::kQPoolKernels; }

}  // namespace tealight
