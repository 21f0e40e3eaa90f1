// SPDX-License-Identifier: Apache-2.0
// Tiles of a 3x3, stride 1 depthwise convolution for cores that issue in order (Cortex-A53, A55, A510). Such a core
// pairs a vector operation with a 64-bit load or an insert but not with a 128-bit load, so each input vector comes in
// as a d register, an x register and an insert, one beside each multiply, a row of the tile ahead of its use. arm64
// only.
#ifndef TEALIGHT_KERNELS_DWCONV_ARM_NEON_INORDER_H_
#define TEALIGHT_KERNELS_DWCONV_ARM_NEON_INORDER_H_

#include "base/simd/vec.h"

namespace tealight {
namespace TL_ISA {
namespace {

// Laid out for the loads of InOrderTiles. Offsets in bytes.
struct InOrderArgs {
  const float* rows[4];  // 0: input rows of the first tile, at its first column
  size_t columns[5];     // 32: columns 1 to 5; outputs have the same columns
  float* y[2];           // 72: output rows
  size_t count;          // 88: tiles, at least 1
  const float* weight;   // 96: nine vectors, 64 bytes apart
  float limits[12];      // 104: vectors bias, lo, hi
};
static_assert(sizeof(void*) == 8 && offsetof(InOrderArgs, limits) == 104, "the assembly counts on it");

// clang-format off
// A vector operation and what it pairs with.
#define TL_START(sum, pair) "mov v" sum ".16b, v9.16b\n" pair "\n"
#define TL_TAP(sum, x, w, pair) "fmla v" sum ".4s, v" x ".4s, v" w ".4s\n" pair "\n"
// ClampMin with lo in v10, then ClampMax with hi, which is not 0, in v11.
#define TL_CLAMP \
  "fcmgt v26.4s, v10.4s, v16.4s\n" \
  "fcmgt v27.4s, v10.4s, v17.4s\n" \
  "fcmgt v28.4s, v10.4s, v18.4s\n" \
  "fcmgt v29.4s, v10.4s, v19.4s\n" \
  "fcmgt v30.4s, v10.4s, v20.4s\n" \
  "fcmgt v31.4s, v10.4s, v21.4s\n" \
  "bit v16.16b, v10.16b, v26.16b\n" \
  "bit v17.16b, v10.16b, v27.16b\n" \
  "bit v18.16b, v10.16b, v28.16b\n" \
  "bit v19.16b, v10.16b, v29.16b\n" \
  "bit v20.16b, v10.16b, v30.16b\n" \
  "bit v21.16b, v10.16b, v31.16b\n" \
  "fcmgt v26.4s, v10.4s, v22.4s\n" \
  "fcmgt v27.4s, v10.4s, v23.4s\n" \
  "fmin v16.4s, v16.4s, v11.4s\n" \
  "fmin v17.4s, v17.4s, v11.4s\n" \
  "fmin v18.4s, v18.4s, v11.4s\n" \
  "fmin v19.4s, v19.4s, v11.4s\n" \
  "bit v22.16b, v10.16b, v26.16b\n" \
  "bit v23.16b, v10.16b, v27.16b\n" \
  "fmin v20.4s, v20.4s, v11.4s\n" \
  "fmin v21.4s, v21.4s, v11.4s\n" \
  "fmin v22.4s, v22.4s, v11.4s\n" \
  "fmin v23.4s, v23.4s, v11.4s\n"

// Registers: x0-x3 rows, x4-x8 columns 1-5, x9-x13 the same plus 8, x14 x15 y, x17 tiles left, x20-x22 spare; v0-v8
// weights, v9 bias, v10 lo, v11 hi, v16-v19 and v20-v23 sums of the two output rows, v12-v15 v24 v25 input rows 0 and
// 2, v26-v31 input rows 1 and 3.
#define TL_TILES(clamp) \
  "ldp x0, x1, [%[a]]\n" "ldp x2, x3, [%[a], #16]\n" "ldp x4, x5, [%[a], #32]\n" "ldp x6, x7, [%[a], #48]\n" \
  "ldr x8, [%[a], #64]\n" "ldp x14, x15, [%[a], #72]\n" "ldp x17, x20, [%[a], #88]\n" "add x9, x4, #8\n" \
  "add x10, x5, #8\n" "add x11, x6, #8\n" "add x12, x7, #8\n" "add x13, x8, #8\n" "ldr q0, [x20, #0]\n" \
  "ldr q1, [x20, #64]\n" "ldr q2, [x20, #128]\n" "ldr q3, [x20, #192]\n" "ldr q4, [x20, #256]\n" \
  "ldr q5, [x20, #320]\n" "ldr q6, [x20, #384]\n" "ldr q7, [x20, #448]\n" "ldr q8, [x20, #512]\n" \
  "add x21, %[a], #104\n" "ldp q9, q10, [x21]\n" "ldr q11, [x21, #32]\n" "ldr q12, [x0]\n" \
  "ldr q13, [x0, x4]\n" "ldr q14, [x0, x5]\n" "ldr q15, [x0, x6]\n" "ldr q24, [x0, x7]\n" "ldr q25, [x0, x8]\n" \
  "1:\n" \
  /* Row 0 of the taps; row 1 comes in. */ \
  TL_START("16", "ldr d26, [x1]") TL_START("17", "ldr x20, [x1, #8]") TL_START("18", "ldr d27, [x1, x4]") \
  TL_START("19", "ldr x21, [x1, x9]") TL_TAP("16", "12", "0", "ins v26.d[1], x20") \
  TL_TAP("17", "13", "0", "ldr d28, [x1, x5]") TL_TAP("18", "14", "0", "ldr x20, [x1, x10]") \
  TL_TAP("19", "15", "0", "ins v27.d[1], x21") TL_TAP("16", "13", "1", "ldr d29, [x1, x6]") \
  TL_TAP("17", "14", "1", "ldr x21, [x1, x11]") TL_TAP("18", "15", "1", "ins v28.d[1], x20") \
  TL_TAP("19", "24", "1", "ldr d30, [x1, x7]") TL_START("20", "ldr x20, [x1, x12]") \
  TL_TAP("16", "14", "2", "ins v29.d[1], x21") TL_START("21", "ldr d31, [x1, x8]") \
  TL_TAP("17", "15", "2", "ldr x21, [x1, x13]") TL_START("22", "ins v30.d[1], x20") \
  TL_TAP("18", "24", "2", "ins v31.d[1], x21") TL_START("23", "") TL_TAP("19", "25", "2", "") \
  /* Row 1; row 2 comes in. */ \
  TL_TAP("16", "26", "3", "ldr d12, [x2]") TL_TAP("20", "26", "0", "ldr x20, [x2, #8]") \
  TL_TAP("17", "27", "3", "ldr d13, [x2, x4]") TL_TAP("21", "27", "0", "ldr x21, [x2, x9]") \
  TL_TAP("18", "28", "3", "ins v12.d[1], x20") TL_TAP("22", "28", "0", "ldr d14, [x2, x5]") \
  TL_TAP("19", "29", "3", "ldr x20, [x2, x10]") TL_TAP("23", "29", "0", "ins v13.d[1], x21") \
  TL_TAP("16", "27", "4", "ldr d15, [x2, x6]") TL_TAP("20", "27", "1", "ldr x21, [x2, x11]") \
  TL_TAP("17", "28", "4", "ins v14.d[1], x20") TL_TAP("21", "28", "1", "ldr d24, [x2, x7]") \
  TL_TAP("18", "29", "4", "ldr x20, [x2, x12]") TL_TAP("22", "29", "1", "ins v15.d[1], x21") \
  TL_TAP("19", "30", "4", "ldr d25, [x2, x8]") TL_TAP("23", "30", "1", "ldr x21, [x2, x13]") \
  TL_TAP("16", "28", "5", "ins v24.d[1], x20") TL_TAP("20", "28", "2", "ins v25.d[1], x21") \
  TL_TAP("17", "29", "5", "cmp x17, #1") TL_TAP("21", "29", "2", "csel x22, xzr, x7, eq") \
  TL_TAP("18", "30", "5", "add x0, x0, x22") TL_TAP("22", "30", "2", "add x1, x1, x7") \
  TL_TAP("19", "31", "5", "") TL_TAP("23", "31", "2", "") \
  /* Row 2; row 3 comes in. */ \
  TL_TAP("16", "12", "6", "ldr d26, [x3]") TL_TAP("20", "12", "3", "ldr x20, [x3, #8]") \
  TL_TAP("17", "13", "6", "ldr d27, [x3, x4]") TL_TAP("21", "13", "3", "ldr x21, [x3, x9]") \
  TL_TAP("18", "14", "6", "ins v26.d[1], x20") TL_TAP("22", "14", "3", "ldr d28, [x3, x5]") \
  TL_TAP("19", "15", "6", "ldr x20, [x3, x10]") TL_TAP("23", "15", "3", "ins v27.d[1], x21") \
  TL_TAP("16", "13", "7", "ldr d29, [x3, x6]") TL_TAP("20", "13", "4", "ldr x21, [x3, x11]") \
  TL_TAP("17", "14", "7", "ins v28.d[1], x20") TL_TAP("21", "14", "4", "ldr d30, [x3, x7]") \
  TL_TAP("18", "15", "7", "ldr x20, [x3, x12]") TL_TAP("22", "15", "4", "ins v29.d[1], x21") \
  TL_TAP("19", "24", "7", "ldr d31, [x3, x8]") TL_TAP("23", "24", "4", "ldr x21, [x3, x13]") \
  TL_TAP("16", "14", "8", "ins v30.d[1], x20") TL_TAP("20", "14", "5", "ins v31.d[1], x21") \
  TL_TAP("17", "15", "8", "add x2, x2, x7") TL_TAP("21", "15", "5", "add x3, x3, x7") \
  TL_TAP("18", "24", "8", "") TL_TAP("22", "24", "5", "") TL_TAP("19", "25", "8", "") \
  TL_TAP("23", "25", "5", "") \
  /* Row 3; row 0 of the next tile comes in. */ \
  TL_TAP("20", "26", "6", "ldr d12, [x0]") TL_TAP("21", "27", "6", "ldr x20, [x0, #8]") \
  TL_TAP("22", "28", "6", "ldr d13, [x0, x4]") TL_TAP("23", "29", "6", "ldr x21, [x0, x9]") \
  TL_TAP("20", "27", "7", "ins v12.d[1], x20") TL_TAP("21", "28", "7", "ldr d14, [x0, x5]") \
  TL_TAP("22", "29", "7", "ldr x20, [x0, x10]") TL_TAP("23", "30", "7", "ins v13.d[1], x21") \
  TL_TAP("20", "28", "8", "ldr d15, [x0, x6]") TL_TAP("21", "29", "8", "ldr x21, [x0, x11]") \
  TL_TAP("22", "30", "8", "ins v14.d[1], x20") TL_TAP("23", "31", "8", "ldr d24, [x0, x7]") \
  "ldr x20, [x0, x12]\n" "ins v15.d[1], x21\n" "ldr d25, [x0, x8]\n" "ldr x21, [x0, x13]\n" \
  "ins v24.d[1], x20\n" "ins v25.d[1], x21\n" \
  clamp \
  "str q16, [x14]\n" "str q17, [x14, x4]\n" "str q18, [x14, x5]\n" "str q19, [x14, x6]\n" "str q20, [x15]\n" \
  "str q21, [x15, x4]\n" "str q22, [x15, x5]\n" "str q23, [x15, x6]\n" "add x14, x14, x7\n" \
  "add x15, x15, x7\n" "subs x17, x17, #1\n" "b.ne 1b\n"
#define TL_CLOBBERS                                                                                               \
  "memory", "cc", "x0", "x1", "x2", "x3", "x4", "x5", "x6", "x7", "x8", "x9", "x10", "x11", "x12", "x13", "x14", \
  "x15", "x17", "x20", "x21", "x22", "v0", "v1", "v2", "v3", "v4", "v5", "v6", "v7", "v8", "v9", "v10", "v11",   \
  "v12", "v13", "v14", "v15", "v16", "v17", "v18", "v19", "v20", "v21", "v22", "v23", "v24", "v25", "v26",       \
  "v27", "v28", "v29", "v30", "v31"

// clang-format on

// Runs args.count tiles. The last one loads its own first row again where the others load the next tile's.
template <bool kClamp>
__attribute__((noinline)) void InOrderTiles(const InOrderArgs& args) {
  if (kClamp) {
    __asm__ volatile(TL_TILES(TL_CLAMP) : : [a] "r"(&args) : TL_CLOBBERS);
  } else {
    __asm__ volatile(TL_TILES("") : : [a] "r"(&args) : TL_CLOBBERS);
  }
}
#undef TL_START
#undef TL_TAP
#undef TL_CLAMP
#undef TL_TILES
#undef TL_CLOBBERS

}  // namespace
}  // namespace TL_ISA
}  // namespace tealight

#endif  // TEALIGHT_KERNELS_DWCONV_ARM_NEON_INORDER_H_
