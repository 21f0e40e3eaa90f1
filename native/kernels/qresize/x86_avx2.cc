// SPDX-License-Identifier: Apache-2.0
// Integer resampling for x86_avx2.
#define TL_ISA x86_avx2
#include "kernels/qresize/generic.h"
#include "kernels/qresize/qresize.h"

namespace tealight {

const QResizeKernels* QResizeKernels_x86_avx2() { return &x86_avx2::kQResizeKernels; }

}  // namespace tealight
