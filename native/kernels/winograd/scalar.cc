// SPDX-License-Identifier: Apache-2.0
#define TL_ISA scalar
#include "kernels/winograd/generic.h"

namespace tealight {

const WinogradKernels* WinogradKernels_scalar() {
  static constexpr WinogradKernels kKernels = {scalar::Input, scalar::Output, scalar::Weights};
  return &kKernels;
}

}  // namespace tealight
