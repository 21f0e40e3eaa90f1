// SPDX-License-Identifier: Apache-2.0
#define TL_ISA scalar
#include "kernels/attention/generic.h"

namespace tealight {

const AttentionKernels* AttentionKernels_scalar() {
  static constexpr AttentionKernels kKernels = {scalar::Softmax};
  return &kKernels;
}

}  // namespace tealight
