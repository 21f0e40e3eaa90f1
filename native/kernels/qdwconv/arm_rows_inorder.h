// SPDX-License-Identifier: Apache-2.0
// The 3x3 window of stride 1 with sdot for cores that issue in order (Cortex-A55, A510): 4 channels, two rows and two
// columns at a time, so that everything stays in registers. Such a core pairs a vector operation with a load, a store
// or an integer operation, and waits for the result of the one before: each function here is one instruction, volatile,
// so that they stay in the order in which they are written. arm64 only.
#ifndef TEALIGHT_KERNELS_QDWCONV_ARM_ROWS_INORDER_H_
#define TEALIGHT_KERNELS_QDWCONV_ARM_ROWS_INORDER_H_

#include <arm_neon.h>

#include "kernels/qdwconv/qdwconv.h"

namespace tealight {
namespace TL_ISA {
namespace {

#define TL_ORDERED(name, text)                         \
  TL_INLINE int32x4_t name(int32x4_t a, int32x4_t b) { \
    int32x4_t y;                                       \
    __asm__ volatile(text : "=w"(y) : "w"(a), "w"(b)); \
    return y;                                          \
  }
TL_ORDERED(InOrderZip8, "zip1 %0.16b, %1.16b, %2.16b")
TL_ORDERED(InOrderZip16, "zip1 %0.8h, %1.8h, %2.8h")
TL_ORDERED(InOrderAdd, "add %0.4s, %1.4s, %2.4s")
TL_ORDERED(InOrderMax, "smax %0.16b, %1.16b, %2.16b")
TL_ORDERED(InOrderMin, "smin %0.16b, %1.16b, %2.16b")
#undef TL_ORDERED
#define TL_ORDERED(name, text)                 \
  TL_INLINE int32x4_t name(int32x4_t a) {      \
    int32x4_t y;                               \
    __asm__ volatile(text : "=w"(y) : "w"(a)); \
    return y;                                  \
  }
TL_ORDERED(InOrderCopy, "mov %0.16b, %1.16b")
TL_ORDERED(InOrderToFloat, "scvtf %0.4s, %1.4s")
TL_ORDERED(InOrderNarrow32, "sqxtn %0.4h, %1.4s")
TL_ORDERED(InOrderNarrow16, "sqxtn %0.8b, %1.8h")
#undef TL_ORDERED
#define TL_ORDERED(name, text) \
  TL_INLINE void name(int32x4_t* y, int32x4_t a, int32x4_t b) { __asm__ volatile(text : "+w"(*y) : "w"(a), "w"(b)); }
TL_ORDERED(InOrderDot, "sdot %0.4s, %1.16b, %2.16b")
TL_ORDERED(InOrderFma, "fmla %0.4s, %1.4s, %2.4s")
#undef TL_ORDERED
#define TL_ORDERED(name, text) \
  TL_INLINE void name(int32x4_t* y, int32x4_t a) { __asm__ volatile(text : "+w"(*y) : "w"(a)); }
TL_ORDERED(InOrderNarrow32High, "sqxtn2 %0.8h, %1.4s")
TL_ORDERED(InOrderNarrow16High, "sqxtn2 %0.16b, %1.8h")
#undef TL_ORDERED

TL_INLINE int32x4_t InOrderLoad(const int8_t* p, ptrdiff_t at) {
  int32x4_t y;
  __asm__ volatile("ldr %s0, [%1, %2]" : "=w"(y) : "r"(p), "r"(at) : "memory");
  return y;
}
TL_INLINE int32x4_t InOrderSplat(const float* p) {
  int32x4_t y;
  __asm__ volatile("ld1r {%0.4s}, [%1]" : "=w"(y) : "r"(p) : "memory");
  return y;
}
template <int lane>
TL_INLINE void InOrderStore(int8_t* p, int32x4_t x) {
  __asm__ volatile("st1 {%1.s}[%2], [%0]" : : "r"(p), "w"(x), "i"(lane) : "memory");
}

// The constants of 4 channels; weight[b][r]: of kernel column b and output row r.
struct InOrderLane {
  int32x4_t weight[3][2], start, scale, offset_bits, lo, hi;
  const float* offset;
};

// Makes the sums of a tile [2 rows][2 columns] from the columns first .. first + 3 of a ring, of which the last two are
// loaded here, from the rows at `at` and the pixel after; meanwhile finishes the sums of the tile before, which goes to
// out.
TL_INLINE void InOrderStep(const InOrderLane& lane, const int8_t* const (&rows)[4], ptrdiff_t at, ptrdiff_t pixel,
                           int first, int8_t* const (&out)[4], int32x4_t (&columns)[4], int32x4_t (&sums)[4]) {
  const int32x4_t(&w)[3][2] = lane.weight;
  int32x4_t &c0 = columns[first], &c1 = columns[first + 1], &c2 = columns[2 - first], &c3 = columns[3 - first];
  int32x4_t x[4], y[4];
  TL_UNROLL for (int i = 0; i < 4; ++i) {
    sums[i] = InOrderToFloat(sums[i]);
    y[i] = InOrderSplat(lane.offset);
  }
  TL_UNROLL for (int i = 0; i < 4; ++i) {
    InOrderFma(&y[i], sums[i], lane.scale);
    x[i] = InOrderLoad(rows[i], at);
  }
  sums[0] = InOrderCopy(lane.start);
  sums[1] = InOrderCopy(lane.start);
  TL_UNROLL for (int i = 0; i < 4; ++i) y[i] = InOrderAdd(y[i], lane.offset_bits);
  y[0] = InOrderNarrow32(y[0]);
  y[2] = InOrderNarrow32(y[2]);
  sums[2] = InOrderCopy(lane.start);
  sums[3] = InOrderCopy(lane.start);
  InOrderNarrow32High(&y[0], y[1]);
  InOrderNarrow32High(&y[2], y[3]);
  x[0] = InOrderZip8(x[0], x[1]);
  x[2] = InOrderZip8(x[2], x[3]);
  at += pixel;
  y[0] = InOrderNarrow16(y[0]);
  x[1] = InOrderLoad(rows[1], at);
  c2 = InOrderZip16(x[0], x[2]);
  x[0] = InOrderLoad(rows[0], at);
  InOrderDot(&sums[0], c0, w[0][0]);
  x[2] = InOrderLoad(rows[2], at);
  InOrderDot(&sums[1], c1, w[0][0]);
  x[3] = InOrderLoad(rows[3], at);
  InOrderNarrow16High(&y[0], y[2]);
  InOrderDot(&sums[2], c0, w[0][1]);
  InOrderDot(&sums[3], c1, w[0][1]);
  x[0] = InOrderZip8(x[0], x[1]);
  y[0] = InOrderMax(y[0], lane.lo);
  x[2] = InOrderZip8(x[2], x[3]);
  InOrderDot(&sums[0], c1, w[1][0]);
  InOrderDot(&sums[1], c2, w[1][0]);
  y[0] = InOrderMin(y[0], lane.hi);
  c3 = InOrderZip16(x[0], x[2]);
  InOrderDot(&sums[2], c1, w[1][1]);
  InOrderDot(&sums[3], c2, w[1][1]);
  InOrderDot(&sums[0], c2, w[2][0]);
  InOrderStore<0>(out[0], y[0]);
  InOrderDot(&sums[1], c3, w[2][0]);
  InOrderStore<1>(out[1], y[0]);
  InOrderDot(&sums[2], c2, w[2][1]);
  InOrderStore<2>(out[2], y[0]);
  InOrderDot(&sums[3], c3, w[2][1]);
  InOrderStore<3>(out[3], y[0]);
}

// `pairs` > 0 pairs of columns of two rows, 4 channels; in: at the first column, y: at its output, `second` bytes
// before that of the second row.
__attribute__((noinline)) void InOrderPairs(const InOrderLane& shared, const int8_t* const* in, ptrdiff_t pixel,
                                            int8_t* y, ptrdiff_t second, ptrdiff_t pairs) {
  const InOrderLane lane = shared;  // a copy that stores cannot change
  const int8_t* const rows[4] = {in[0], in[1], in[2], in[3]};
  int8_t* out[4] = {y, y + pixel, y + second, y + second + pixel};
  int32x4_t columns[4], sums[4];
  TL_UNROLL for (int k = 0; k < 2; ++k) {
    int32x4_t x[4];
    TL_UNROLL for (int i = 0; i < 4; ++i) x[i] = InOrderLoad(rows[i], k * pixel);
    columns[k] = InOrderZip16(InOrderZip8(x[0], x[1]), InOrderZip8(x[2], x[3]));
  }
  TL_UNROLL for (int i = 0; i < 4; ++i) sums[i] = lane.start;
  const ptrdiff_t step = 2 * pixel;
  ptrdiff_t at = step;
  InOrderStep(lane, rows, at, pixel, 0, out, columns, sums);  // stores what the next step stores again
  for (--pairs; pairs >= 2; pairs -= 2) {
    TL_UNROLL for (int u = 0; u < 2; ++u) {
      at += step;
      InOrderStep(lane, rows, at, pixel, 2 - 2 * u, out, columns, sums);
      TL_UNROLL for (int i = 0; i < 4; ++i) out[i] += step;
    }
  }
  if (pairs == 1) {
    at += step;
    InOrderStep(lane, rows, at, pixel, 2, out, columns, sums);
    TL_UNROLL for (int i = 0; i < 4; ++i) out[i] += step;
  }
  InOrderStep(lane, rows, at, pixel, 0, out, columns, sums);  // only to finish the last tile
}

}  // namespace
}  // namespace TL_ISA
}  // namespace tealight

#endif  // TEALIGHT_KERNELS_QDWCONV_ARM_ROWS_INORDER_H_
