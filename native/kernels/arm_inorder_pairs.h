// SPDX-License-Identifier: Apache-2.0
// The k loop of an 8 x 8 tile of a matrix product by lane for cores that issue in order (Cortex-A53, A55, A510), of
// float32 or, with dot products of four, of int8. Such a core pairs a vector multiply with a 64-bit load or an integer
// operation, but not with a 128-bit load: rhs comes in halves (a d register, an x register and an insert), lhs two
// steps at a time, each beside a multiply. The path defines before
//
//   TL_PRODUCT, TL_RHS, TL_LHS   the instruction, and how it takes a vector of rhs and a lane of lhs
//
// arm64 only.
#ifndef TEALIGHT_KERNELS_ARM_INORDER_PAIRS_H_
#define TEALIGHT_KERNELS_ARM_INORDER_PAIRS_H_

#include <stddef.h>

namespace tealight {
namespace TL_ISA {
namespace {

// Two multiplies of one row: columns 0-3 and 4-7, each followed by an instruction to pair with.
#define TL_ROW(sum0, sum1, rhs0, rhs1, lhs, lane, pair0, pair1)                                             \
  TL_PRODUCT " v" sum0 ".4s, v" rhs0 TL_RHS ", v" lhs TL_LHS "[" lane "]\n" pair0 "\n" TL_PRODUCT " v" sum1 \
             ".4s, v" rhs1 TL_RHS ", v" lhs TL_LHS "[" lane "]\n" pair1 "\n"

/// Adds pairs * 2 steps, pairs >= 1: acc [8][2] vectors, x[i] the rows of lhs, of which a step takes 4 bytes, b the rhs
/// of column 0 with stride bytes from one step to the next. Advances nothing.
template <typename T>
inline void InOrderPairs(void* acc, const T* const* x, const T* b, size_t stride, size_t pairs) {
  const T *x0 = x[0], *x1 = x[1], *x2 = x[2], *x3 = x[3], *x4 = x[4], *x5 = x[5], *x6 = x[6], *x7 = x[7];
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
      "add %[b], %[b], %[stride]\n"
      "subs %[count], %[count], #1\n"
      "b.eq 2f\n"
      "1:\n"
      TL_ROW("16", "17", "8", "9", "0", "0", "ldr d7, [%[x7]], #8", "ldr d10, [%[b]]")
      TL_ROW("18", "19", "8", "9", "1", "0", "", "ldr %[half0], [%[b], #8]")
      TL_ROW("20", "21", "8", "9", "2", "0", "", "ldr d11, [%[b], #16]")
      TL_ROW("22", "23", "8", "9", "3", "0", "", "ldr %[half1], [%[b], #24]")
      TL_ROW("24", "25", "8", "9", "4", "0", "", "ins v10.d[1], %[half0]")
      TL_ROW("26", "27", "8", "9", "5", "0", "", "ins v11.d[1], %[half1]")
      TL_ROW("28", "29", "8", "9", "6", "0", "", "add %[b], %[b], %[stride]")
      TL_ROW("30", "31", "8", "9", "7", "0", "", "subs %[count], %[count], #1")
      TL_ROW("16", "17", "10", "11", "0", "1", "", "ldr d8, [%[b]]")
      TL_ROW("18", "19", "10", "11", "1", "1", "ldr d0, [%[x0]], #8", "ldr %[half0], [%[b], #8]")
      TL_ROW("20", "21", "10", "11", "2", "1", "ldr d1, [%[x1]], #8", "ldr d9, [%[b], #16]")
      TL_ROW("22", "23", "10", "11", "3", "1", "ldr d2, [%[x2]], #8", "ldr %[half1], [%[b], #24]")
      TL_ROW("24", "25", "10", "11", "4", "1", "ldr d3, [%[x3]], #8", "ins v8.d[1], %[half0]")
      TL_ROW("26", "27", "10", "11", "5", "1", "ldr d4, [%[x4]], #8", "ins v9.d[1], %[half1]")
      TL_ROW("28", "29", "10", "11", "6", "1", "ldr d5, [%[x5]], #8", "add %[b], %[b], %[stride]")
      TL_ROW("30", "31", "10", "11", "7", "1", "ldr d6, [%[x6]], #8", "b.ne 1b")
      "2:\n"
      "ldr d7, [%[x7]]\n"
      "ldp q10, q11, [%[b]]\n"
      TL_ROW("16", "17", "8", "9", "0", "0", "", "")
      TL_ROW("18", "19", "8", "9", "1", "0", "", "")
      TL_ROW("20", "21", "8", "9", "2", "0", "", "")
      TL_ROW("22", "23", "8", "9", "3", "0", "", "")
      TL_ROW("24", "25", "8", "9", "4", "0", "", "")
      TL_ROW("26", "27", "8", "9", "5", "0", "", "")
      TL_ROW("28", "29", "8", "9", "6", "0", "", "")
      TL_ROW("30", "31", "8", "9", "7", "0", "", "")
      TL_ROW("16", "17", "10", "11", "0", "1", "", "")
      TL_ROW("18", "19", "10", "11", "1", "1", "", "stp q16, q17, [%[acc], #0]")
      TL_ROW("20", "21", "10", "11", "2", "1", "", "stp q18, q19, [%[acc], #32]")
      TL_ROW("22", "23", "10", "11", "3", "1", "", "stp q20, q21, [%[acc], #64]")
      TL_ROW("24", "25", "10", "11", "4", "1", "", "stp q22, q23, [%[acc], #96]")
      TL_ROW("26", "27", "10", "11", "5", "1", "", "stp q24, q25, [%[acc], #128]")
      TL_ROW("28", "29", "10", "11", "6", "1", "", "stp q26, q27, [%[acc], #160]")
      TL_ROW("30", "31", "10", "11", "7", "1", "", "stp q28, q29, [%[acc], #192]")
      "stp q30, q31, [%[acc], #224]\n"
      : [x0] "+r"(x0), [x1] "+r"(x1), [x2] "+r"(x2), [x3] "+r"(x3), [x4] "+r"(x4), [x5] "+r"(x5), [x6] "+r"(x6),
        [x7] "+r"(x7), [b] "+r"(b), [count] "+r"(count), [half0] "=&r"(half0), [half1] "=&r"(half1)
      : [acc] "r"(acc), [stride] "r"(stride)
      : "memory", "cc", "v0", "v1", "v2", "v3", "v4", "v5", "v6", "v7", "v8", "v9", "v10", "v11", "v16", "v17", "v18",
        "v19", "v20", "v21", "v22", "v23", "v24", "v25", "v26", "v27", "v28", "v29", "v30", "v31");
}
#undef TL_ROW

}  // namespace
}  // namespace TL_ISA
}  // namespace tealight

#endif  // TEALIGHT_KERNELS_ARM_INORDER_PAIRS_H_
