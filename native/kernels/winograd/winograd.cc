// SPDX-License-Identifier: Apache-2.0
#include "kernels/winograd/winograd.h"

namespace tealight {

const WinogradKernels* WinogradKernels_scalar();
const WinogradKernels* WinogradKernels_arm_neon();
const WinogradKernels* WinogradKernels_x86_avx2();
const WinogradKernels* WinogradKernels_x86_avx512();

const WinogradKernels* FindWinograd(Isa isa) {
  if (!kHaveWinograd) return nullptr;
  switch (BaseIsa(isa)) {
#ifdef TL_HAVE_X86_AVX512
    case Isa::kX86Avx512:
      return WinogradKernels_x86_avx512();
#endif
#ifdef TL_HAVE_X86_AVX2
    case Isa::kX86Avx2:
      return WinogradKernels_x86_avx2();
#endif
#ifdef TL_HAVE_ARM_NEON
    case Isa::kArmNeon:
      return WinogradKernels_arm_neon();
#endif
    default:
      return WinogradKernels_scalar();
  }
}

}  // namespace tealight
