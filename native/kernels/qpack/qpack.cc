// SPDX-License-Identifier: Apache-2.0
#include "kernels/qpack/qpack.h"

namespace tealight {

const QPackKernels* QPackKernels_scalar();
const QPackKernels* QPackKernels_arm_neon();
const QPackKernels* QPackKernels_x86_avx2();

// Packing is bound by shuffles, which the wider paths do not have more of.
const QPackKernels* FindQPack(Isa isa) {
  switch (isa) {
#ifdef TL_HAVE_ARM_NEON
    case Isa::kArmNeon:
    case Isa::kArmNeonDot:
    case Isa::kArmNeonI8mm:
      return QPackKernels_arm_neon();
#endif
#ifdef TL_HAVE_X86_AVX2
    case Isa::kX86Avx2:
    case Isa::kX86Avx512:
    case Isa::kX86Avx512Vnni:
      return QPackKernels_x86_avx2();
#endif
    default:
      return QPackKernels_scalar();
  }
}

}  // namespace tealight
