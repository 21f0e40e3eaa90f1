// SPDX-License-Identifier: Apache-2.0
#define TL_ISA arm_neon
#include "kernels/attention/generic.h"

namespace tealight {

const AttentionKernels* AttentionKernels_arm_neon() {
  static constexpr AttentionKernels kKernels = {arm_neon::Softmax};
  return &kKernels;
}

}  // namespace tealight
