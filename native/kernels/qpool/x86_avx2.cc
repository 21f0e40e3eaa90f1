// SPDX-License-Identifier: Apache-2.0
// Integer pooling for x86_avx2.
#define TL_ISA x86_avx2
#include "kernels/qpool/generic.h"
#include "kernels/qpool/qpool.h"

namespace tealight {

const QPoolKernels* QPoolKernels_x86_avx2() { return &x86_avx2::kQPoolKernels; }

}  // namespace tealight
