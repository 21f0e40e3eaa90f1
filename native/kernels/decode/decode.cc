// SPDX-License-Identifier: Apache-2.0
#include "kernels/decode/decode.h"

namespace tealight {

const DecodeKernels* DecodeKernels_scalar();
const DecodeKernels* DecodeKernels_arm_neon();
const DecodeKernels* DecodeKernels_x86_avx2();
const DecodeKernels* DecodeKernels_x86_avx512();

const DecodeKernels* FindDecode(Isa isa) {
  if (!kHaveDecode) return nullptr;
  switch (BaseIsa(isa)) {
#ifdef TL_HAVE_X86_AVX512
    case Isa::kX86Avx512:
      return DecodeKernels_x86_avx512();
#endif
#ifdef TL_HAVE_X86_AVX2
    case Isa::kX86Avx2:
      return DecodeKernels_x86_avx2();
#endif
#ifdef TL_HAVE_ARM_NEON
    case Isa::kArmNeon:
      return DecodeKernels_arm_neon();
#endif
    default:
      return DecodeKernels_scalar();
  }
}

}  // namespace tealight
