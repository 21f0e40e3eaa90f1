// SPDX-License-Identifier: Apache-2.0
#define TL_ISA x86_avx512
#include "kernels/winograd/generic.h"

namespace tealight {

const WinogradKernels* WinogradKernels_x86_avx512() {
  static constexpr WinogradKernels kKernels = {x86_avx512::Input, x86_avx512::Output, x86_avx512::Weights};
  return &kKernels;
}

}  // namespace tealight
