// SPDX-License-Identifier: Apache-2.0
#define TL_ISA x86_avx2
#include "kernels/winograd/generic.h"

namespace tealight {

const WinogradKernels* WinogradKernels_x86_avx2() {
  static constexpr WinogradKernels kKernels = {x86_avx2::Input, x86_avx2::Output, x86_avx2::Weights};
  return &kKernels;
}

}  // namespace tealight
