// SPDX-License-Identifier: Apache-2.0
// The k loop of the 3 x 8 tile without dot products for cores that issue in order (Cortex-A35, A53). Such a core pairs
// a vector multiply with a 64-bit load or an integer operation; a product waits four cycles for its accumulator, so six
// chains run side by side. arm64 only.
#ifndef TEALIGHT_KERNELS_QGEMM_ARM_NEON_INORDER_H_
#define TEALIGHT_KERNELS_QGEMM_ARM_NEON_INORDER_H_

#include "base/simd/vec.h"

namespace tealight {
namespace TL_ISA {
namespace {

// Six operations on v14, v15 and v28 to v31, each followed by an instruction to pair with. Three rows (first operands
// a, b, c) times two pairs of columns (w0, w1).
#define TL_SIX(op, a, b, c, w0, w1, pair0, pair1, pair2, pair3, pair4, pair5)                                         \
  op " v14.8h, v" a ".8b, v" w0 ".8b\n" pair0 "\n" op " v15.8h, v" b ".8b, v" w0 ".8b\n" pair1 "\n" op " v28.8h, v" c \
     ".8b, v" w0 ".8b\n" pair2 "\n" op " v29.8h, v" a ".8b, v" w1 ".8b\n" pair3 "\n" op " v30.8h, v" b ".8b, v" w1    \
     ".8b\n" pair4 "\n" op " v31.8h, v" c ".8b, v" w1 ".8b\n" pair5 "\n"
// The same widened into the sums of rows a, b, c and the two pairs of columns.
#define TL_ADD(a0, b0, c0, a1, b1, c1, pair0, pair1, pair2, pair3, pair4, pair5) \
  "sadalp v" a0 ".4s, v14.8h\n" pair0                                            \
  "\n"                                                                           \
  "sadalp v" b0 ".4s, v15.8h\n" pair1                                            \
  "\n"                                                                           \
  "sadalp v" c0 ".4s, v28.8h\n" pair2                                            \
  "\n"                                                                           \
  "sadalp v" a1 ".4s, v29.8h\n" pair3                                            \
  "\n"                                                                           \
  "sadalp v" b1 ".4s, v30.8h\n" pair4                                            \
  "\n"                                                                           \
  "sadalp v" c1 ".4s, v31.8h\n" pair5 "\n"

/// Adds blocks * 8 steps of k, blocks >= 1: sums [3][4] as in AnyPairLoop, x[i] the rows of lhs, b the rhs of column 0
/// with 128 bytes from one group of 4 k to the next. Advances nothing.
inline void InOrderBlocks(int32x4_t (&sums)[3][4], const int8_t* const (&x)[3], const int8_t* b, size_t blocks) {
  const int8_t *x0 = x[0], *x1 = x[1], *x2 = x[2];
  size_t count = blocks;
  __asm__ volatile(
      "ldp q16, q17, [%[sums], #0]\n"
      "ldp q18, q19, [%[sums], #32]\n"
      "ldp q20, q21, [%[sums], #64]\n"
      "ldp q22, q23, [%[sums], #96]\n"
      "ldp q24, q25, [%[sums], #128]\n"
      "ldp q26, q27, [%[sums], #160]\n"
      "ld1r {v0.2s}, [%[x0]], #4\n"
      "ld1r {v1.2s}, [%[x1]], #4\n"
      "ld1r {v2.2s}, [%[x2]], #4\n"
      "ld1r {v3.2s}, [%[x0]], #4\n"
      "ld1r {v4.2s}, [%[x1]], #4\n"
      "ld1r {v5.2s}, [%[x2]], #4\n"
      "ldr d6, [%[b]]\n"
      "ldr d7, [%[b], #8]\n"
      "ldr d8, [%[b], #128]\n"
      "ldr d9, [%[b], #136]\n"
      "subs %[count], %[count], #1\n"
      "b.eq 2f\n"
      "1:\n"
      TL_SIX("smull", "0", "1", "2", "6", "7", "ldr d10, [%[b], #16]", "ldr d11, [%[b], #24]", "ldr d12, [%[b], #144]",
             "ldr d13, [%[b], #152]", "add %[b], %[b], #256", "subs %[count], %[count], #1")
      TL_SIX("smlal", "3", "4", "5", "8", "9", "", "", "", "", "", "")
      TL_ADD("16", "20", "24", "17", "21", "25", "ldr d6, [%[b]]", "ldr d7, [%[b], #8]", "ldr d8, [%[b], #128]",
             "ldr d9, [%[b], #136]", "", "")
      TL_SIX("smull", "0", "1", "2", "10", "11", "", "", "", "", "", "")
      TL_SIX("smlal", "3", "4", "5", "12", "13", "ld1r {v0.2s}, [%[x0]], #4", "ld1r {v1.2s}, [%[x1]], #4",
             "ld1r {v2.2s}, [%[x2]], #4", "", "", "")
      TL_ADD("18", "22", "26", "19", "23", "27", "ld1r {v3.2s}, [%[x0]], #4", "ld1r {v4.2s}, [%[x1]], #4",
             "ld1r {v5.2s}, [%[x2]], #4", "", "", "b.ne 1b")
      "2:\n"
      TL_SIX("smull", "0", "1", "2", "6", "7", "ldr d10, [%[b], #16]", "ldr d11, [%[b], #24]", "ldr d12, [%[b], #144]",
             "ldr d13, [%[b], #152]", "", "")
      TL_SIX("smlal", "3", "4", "5", "8", "9", "", "", "", "", "", "")
      TL_ADD("16", "20", "24", "17", "21", "25", "", "", "", "", "", "")
      TL_SIX("smull", "0", "1", "2", "10", "11", "", "", "", "", "", "")
      TL_SIX("smlal", "3", "4", "5", "12", "13", "", "", "", "", "", "")
      TL_ADD("18", "22", "26", "19", "23", "27", "", "", "", "", "", "")
      "stp q16, q17, [%[sums], #0]\n"
      "stp q18, q19, [%[sums], #32]\n"
      "stp q20, q21, [%[sums], #64]\n"
      "stp q22, q23, [%[sums], #96]\n"
      "stp q24, q25, [%[sums], #128]\n"
      "stp q26, q27, [%[sums], #160]\n"
      : [x0] "+r"(x0), [x1] "+r"(x1), [x2] "+r"(x2), [b] "+r"(b), [count] "+r"(count)
      : [sums] "r"(&sums[0][0])
      : "memory", "cc", "v0", "v1", "v2", "v3", "v4", "v5", "v6", "v7", "v8", "v9", "v10", "v11", "v12", "v13", "v14",
        "v15", "v16", "v17", "v18", "v19", "v20", "v21", "v22", "v23", "v24", "v25", "v26", "v27", "v28", "v29", "v30",
        "v31");
}
#undef TL_SIX
#undef TL_ADD

}  // namespace
}  // namespace TL_ISA
}  // namespace tealight

#endif  // TEALIGHT_KERNELS_QGEMM_ARM_NEON_INORDER_H_
