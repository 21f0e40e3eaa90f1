// SPDX-License-Identifier: Apache-2.0
#define TL_ISA arm_neon
#include "kernels/winograd/generic.h"

namespace tealight {

const WinogradKernels* WinogradKernels_arm_neon() {
  static constexpr WinogradKernels kKernels = {arm_neon::Input, arm_neon::Output, arm_neon::Weights};
  return &kKernels;
}

}  // namespace tealight
