// SPDX-License-Identifier: Apache-2.0
// float32 pooling over channels-last images; taps outside of the image are left out:
//
//   max:     y = fold of Max(a, b) = (b > a or b is NaN) ? b : a over the taps, column by column, from -infinity
//   average: y = (sum of the taps in row-major order, from +0) / count
//
// (The order of max shows in the sign of a zero only.) The same bits on every path, however rows and channels are cut
// into calls. A kernel allocates nothing and keeps no state.
#ifndef TEALIGHT_KERNELS_POOL_POOL_H_
#define TEALIGHT_KERNELS_POOL_POOL_H_

#include <stddef.h>
#include <stdint.h>

#include "base/cpu_features.h"

namespace tealight {

struct PoolArgs {
  const float* x = nullptr;  // one image [h, w, c]
  float* y = nullptr;        // one image [oh, ow, c]
  ptrdiff_t h = 0, w = 0, c = 0, oh = 0, ow = 0;
  ptrdiff_t kh = 1, kw = 1, sh = 1, sw = 1, dh = 1, dw = 1, top = 0, left = 0;
  // Average counts taps in [-before, size + after): zeros count only what lies in the image.
  ptrdiff_t count_top = 0, count_left = 0, count_bottom = 0, count_right = 0;
};

// Computes output rows [row_begin, row_end), all columns, channels [c_begin, c_end).
using PoolRun = void (*)(const PoolArgs& args, ptrdiff_t row_begin, ptrdiff_t row_end, ptrdiff_t c_begin,
                         ptrdiff_t c_end);

struct PoolKernels {
  PoolRun max;
  PoolRun average;
};

/// The taps [first, last) of a window that starts at `start` that lie in [begin, end).
inline void TapRange(ptrdiff_t start, ptrdiff_t taps, ptrdiff_t dilation, ptrdiff_t begin, ptrdiff_t end,
                     ptrdiff_t* first, ptrdiff_t* last) {
  *first = start < begin ? (begin - start + dilation - 1) / dilation : 0;
  *last = end <= start ? 0 : (end - start + dilation - 1) / dilation;
  if (*last > taps) *last = taps;
  if (*first > *last) *first = *last;
}

/// Never null.
const PoolKernels* FindPool(Isa isa);

const PoolKernels* PoolKernels_scalar();
const PoolKernels* PoolKernels_arm_neon();
const PoolKernels* PoolKernels_x86_avx2();
const PoolKernels* PoolKernels_x86_avx512();

}  // namespace tealight

#endif  // TEALIGHT_KERNELS_POOL_POOL_H_
