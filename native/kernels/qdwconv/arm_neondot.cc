// SPDX-License-Identifier: Apache-2.0
// int8 depthwise convolution for arm_neondot.
#define TL_ISA arm_neondot
#include "kernels/qdwconv/generic.h"
#include "kernels/qdwconv/qdwconv.h"

namespace tealight {

const QDwconvKernels* QDwconvKernels_arm_neondot() { return &arm_neondot::kQDwconvKernels; }

const QDwconvKernels* QDwconvKernels_arm_neondot_inorder() {
  static constexpr QDwconvKernels kKernels = {arm_neondot::Run<true>};
  return &kKernels;
}

}  // namespace tealight
