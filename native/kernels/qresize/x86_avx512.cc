// SPDX-License-Identifier: Apache-2.0
// Integer resampling for x86_avx512.
#define TL_ISA x86_avx512
#include "kernels/qresize/generic.h"
#include "kernels/qresize/qresize.h"

namespace tealight {

const QResizeKernels* QResizeKernels_x86_avx512() { return &x86_avx512::kQResizeKernels; }

}  // namespace tealight
