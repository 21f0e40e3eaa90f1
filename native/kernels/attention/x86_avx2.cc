// SPDX-License-Identifier: Apache-2.0
#define TL_ISA x86_avx2
#include "kernels/attention/generic.h"

namespace tealight {

const AttentionKernels* AttentionKernels_x86_avx2() {
  static constexpr AttentionKernels kKernels = {x86_avx2::Softmax};
  return &kKernels;
}

}  // namespace tealight
