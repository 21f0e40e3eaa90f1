// SPDX-License-Identifier: Apache-2.0
// Depthwise convolution for arm_neon.
#define TL_ISA arm_neon
#include "kernels/dwconv/dwconv.h"
#include "kernels/dwconv/generic.h"

namespace tealight {

const DwconvKernels* DwconvKernels_arm_neon() { return &arm_neon::kDwconvKernels; }

#if defined(__aarch64__)
const DwconvKernels* DwconvKernels_arm_neon_inorder() {
  static constexpr DwconvKernels kKernels = {arm_neon::kLanes, arm_neon::kTileRows, arm_neon::Run<true>};
  return &kKernels;
}
#endif

}  // namespace tealight
