// SPDX-License-Identifier: Apache-2.0
#include "kernels/reduce/reduce.h"

namespace tealight {

const ReduceKernels* ReduceKernels_scalar();
const ReduceKernels* ReduceKernels_arm_neon();
const ReduceKernels* ReduceKernels_x86_avx2();
const ReduceKernels* ReduceKernels_x86_avx512();

const ReduceKernels* FindReduce(Isa isa) {
  switch (BaseIsa(isa)) {
#ifdef TL_HAVE_ARM_NEON
    case Isa::kArmNeon:
      return ReduceKernels_arm_neon();
#endif
#ifdef TL_HAVE_X86_AVX2
    case Isa::kX86Avx2:
      return ReduceKernels_x86_avx2();
#endif
#ifdef TL_HAVE_X86_AVX512
    case Isa::kX86Avx512:
      return ReduceKernels_x86_avx512();
#endif
    default:
      return ReduceKernels_scalar();
  }
}

}  // namespace tealight
