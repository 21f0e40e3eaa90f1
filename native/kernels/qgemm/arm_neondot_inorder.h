// SPDX-License-Identifier: Apache-2.0
// The k loop of the 8 x 8 tile with sdot for cores that issue in order (Cortex-A55, A510), as that of the float32 gemm
// (kernels/gemm/arm_neon_inorder.h): a vector multiply pairs with a 64-bit load or an integer operation, so rhs comes
// in halves (a d register, an x register and an insert) and lhs 8 k at a time, each beside a multiply. arm64 only.
#ifndef TEALIGHT_KERNELS_QGEMM_ARM_NEONDOT_INORDER_H_
#define TEALIGHT_KERNELS_QGEMM_ARM_NEONDOT_INORDER_H_

#include "base/simd/vec.h"

namespace tealight {
namespace TL_ISA {
namespace {

// Two products of one row: columns 0-3 and 4-7, each followed by an instruction to pair with.
#define TL_ROW(sum0, sum1, rhs0, rhs1, lhs, pair0, pair1) \
  "sdot v" sum0 ".4s, v" rhs0 ".16b, v" lhs "\n" pair0    \
  "\n"                                                    \
  "sdot v" sum1 ".4s, v" rhs1 ".16b, v" lhs "\n" pair1 "\n"

/// Adds pairs * 8 steps of k, pairs >= 1: acc [8][2] vectors, x[i] the rows of lhs, b the rhs of column 0 with 128
/// bytes from one group of 4 k to the next. Advances nothing.
inline void InOrderPairs(I32 (&acc)[8][2], const int8_t* const (&x)[8], const int8_t* b, size_t pairs) {
  const int8_t *x0 = x[0], *x1 = x[1], *x2 = x[2], *x3 = x[3], *x4 = x[4], *x5 = x[5], *x6 = x[6], *x7 = x[7];
  size_t count = pairs, half0, half1;
  __asm__ volatile(
      "ldp q16, q17, [%[acc], #0]\n"
      "ldp q18, q19, [%[acc], #32]\n"
      "ldp q20, q21, [%[acc], #64]\n"
      "ldp q22, q23, [%[acc], #96]\n"
      "ldp q24, q25, [%[acc], #128]\n"
      "ldp q26, q27, [%[acc], #160]\n"
      "ldp q28, q29, [%[acc], #192]\n"
      "ldp q30, q31, [%[acc], #224]\n"
      "ldr d0, [%[x0]], #8\n"
      "ldr d1, [%[x1]], #8\n"
      "ldr d2, [%[x2]], #8\n"
      "ldr d3, [%[x3]], #8\n"
      "ldr d4, [%[x4]], #8\n"
      "ldr d5, [%[x5]], #8\n"
      "ldr d6, [%[x6]], #8\n"
      "ldp q8, q9, [%[b]]\n"
      "add %[b], %[b], #128\n"
      "subs %[count], %[count], #1\n"
      "b.eq 2f\n"
      "1:\n"
      TL_ROW("16", "17", "8", "9", "0.4b[0]", "ldr d7, [%[x7]], #8", "ldr d10, [%[b]]")
      TL_ROW("18", "19", "8", "9", "1.4b[0]", "", "ldr %[half0], [%[b], #8]")
      TL_ROW("20", "21", "8", "9", "2.4b[0]", "", "ldr d11, [%[b], #16]")
      TL_ROW("22", "23", "8", "9", "3.4b[0]", "", "ldr %[half1], [%[b], #24]")
      TL_ROW("24", "25", "8", "9", "4.4b[0]", "", "ins v10.d[1], %[half0]")
      TL_ROW("26", "27", "8", "9", "5.4b[0]", "", "ins v11.d[1], %[half1]")
      TL_ROW("28", "29", "8", "9", "6.4b[0]", "", "add %[b], %[b], #128")
      TL_ROW("30", "31", "8", "9", "7.4b[0]", "", "subs %[count], %[count], #1")
      TL_ROW("16", "17", "10", "11", "0.4b[1]", "", "ldr d8, [%[b]]")
      TL_ROW("18", "19", "10", "11", "1.4b[1]", "ldr d0, [%[x0]], #8", "ldr %[half0], [%[b], #8]")
      TL_ROW("20", "21", "10", "11", "2.4b[1]", "ldr d1, [%[x1]], #8", "ldr d9, [%[b], #16]")
      TL_ROW("22", "23", "10", "11", "3.4b[1]", "ldr d2, [%[x2]], #8", "ldr %[half1], [%[b], #24]")
      TL_ROW("24", "25", "10", "11", "4.4b[1]", "ldr d3, [%[x3]], #8", "ins v8.d[1], %[half0]")
      TL_ROW("26", "27", "10", "11", "5.4b[1]", "ldr d4, [%[x4]], #8", "ins v9.d[1], %[half1]")
      TL_ROW("28", "29", "10", "11", "6.4b[1]", "ldr d5, [%[x5]], #8", "add %[b], %[b], #128")
      TL_ROW("30", "31", "10", "11", "7.4b[1]", "ldr d6, [%[x6]], #8", "b.ne 1b")
      "2:\n"
      "ldr d7, [%[x7]]\n"
      "ldp q10, q11, [%[b]]\n"
      TL_ROW("16", "17", "8", "9", "0.4b[0]", "", "")
      TL_ROW("18", "19", "8", "9", "1.4b[0]", "", "")
      TL_ROW("20", "21", "8", "9", "2.4b[0]", "", "")
      TL_ROW("22", "23", "8", "9", "3.4b[0]", "", "")
      TL_ROW("24", "25", "8", "9", "4.4b[0]", "", "")
      TL_ROW("26", "27", "8", "9", "5.4b[0]", "", "")
      TL_ROW("28", "29", "8", "9", "6.4b[0]", "", "")
      TL_ROW("30", "31", "8", "9", "7.4b[0]", "", "")
      TL_ROW("16", "17", "10", "11", "0.4b[1]", "", "")
      TL_ROW("18", "19", "10", "11", "1.4b[1]", "", "stp q16, q17, [%[acc], #0]")
      TL_ROW("20", "21", "10", "11", "2.4b[1]", "", "stp q18, q19, [%[acc], #32]")
      TL_ROW("22", "23", "10", "11", "3.4b[1]", "", "stp q20, q21, [%[acc], #64]")
      TL_ROW("24", "25", "10", "11", "4.4b[1]", "", "stp q22, q23, [%[acc], #96]")
      TL_ROW("26", "27", "10", "11", "5.4b[1]", "", "stp q24, q25, [%[acc], #128]")
      TL_ROW("28", "29", "10", "11", "6.4b[1]", "", "stp q26, q27, [%[acc], #160]")
      TL_ROW("30", "31", "10", "11", "7.4b[1]", "", "stp q28, q29, [%[acc], #192]")
      "stp q30, q31, [%[acc], #224]\n"
      : [x0] "+r"(x0), [x1] "+r"(x1), [x2] "+r"(x2), [x3] "+r"(x3), [x4] "+r"(x4), [x5] "+r"(x5), [x6] "+r"(x6),
        [x7] "+r"(x7), [b] "+r"(b), [count] "+r"(count), [half0] "=&r"(half0), [half1] "=&r"(half1)
      : [acc] "r"(&acc[0][0])
      : "memory", "cc", "v0", "v1", "v2", "v3", "v4", "v5", "v6", "v7", "v8", "v9", "v10", "v11", "v16", "v17", "v18",
        "v19", "v20", "v21", "v22", "v23", "v24", "v25", "v26", "v27", "v28", "v29", "v30", "v31");
}
#undef TL_ROW

}  // namespace
}  // namespace TL_ISA
}  // namespace tealight

#endif  // TEALIGHT_KERNELS_QGEMM_ARM_NEONDOT_INORDER_H_
