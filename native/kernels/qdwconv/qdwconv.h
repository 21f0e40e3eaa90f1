// SPDX-License-Identifier: Apache-2.0
// int8 depthwise convolution over channels-last images:
//
//   sum(i, j, c) = bias[c] + sum over a < kh, b < kw of x(i * sh - top + a * dh, j * sw - left + b * dw, c) * w(c, a,
//   b)
//                - weight_zero_point * sum over the same taps of (x - x_zero_point)                    int32, wraps
//                around
//   y = requantize(sum, scale[c]); y = table[y + 128]; y = RescaledAdd(y, residual[i, j, c])
//
// x outside of the image is x_zero_point; the bias holds -x_zero_point * (sum of w). Absent (null) operands take no
// part. kernels/requantize.h has the roundings. The same bits on every path, however rows, columns and channels are cut
// into calls. A kernel allocates nothing, keeps no state, and touches no byte outside of the operands below.
#ifndef TEALIGHT_KERNELS_QDWCONV_QDWCONV_H_
#define TEALIGHT_KERNELS_QDWCONV_QDWCONV_H_

#include <stddef.h>
#include <stdint.h>

#include "base/cpu_features.h"
#include "kernels/requantize.h"

namespace tealight {

// Channels of one packed panel; layout dwconv_c16r4 is
// [ceil(c / 16)]{int32 sums of a channel's weights [16], int8 [kw][ceil(kh / 4)][16][4]}.
constexpr ptrdiff_t kQDwconvPanel = 16;

/// Bytes of one panel.
constexpr ptrdiff_t QDwconvPanelBytes(int kh, int kw) {
  return kQDwconvPanel * 4 + static_cast<ptrdiff_t>(kw) * ((kh + 3) / 4) * kQDwconvPanel * 4;
}
/// Bytes of QDwconvArgs::outside for rows of w pixels of c channels.
constexpr size_t QDwconvOutsideBytes(ptrdiff_t w, ptrdiff_t c) { return static_cast<size_t>(w * c); }

struct QDwconvArgs {
  const int8_t* x = nullptr;         // one image [h, w, c]
  const int8_t* weight = nullptr;    // dwconv_c16r4, 4-byte aligned
  const int32_t* bias = nullptr;     // [c rounded up to 32]
  const float* scale = nullptr;      // [c rounded up to 32]
  const int8_t* table = nullptr;     // [256] or null
  const int8_t* residual = nullptr;  // one image [oh, ow, c], or null
  int8_t* y = nullptr;               // one image [oh, ow, c]
  const int8_t* outside = nullptr;   // a row of the image, all x_zero_point: what lies above and below
  ptrdiff_t h = 0, w = 0, c = 0, oh = 0, ow = 0;
  int kh = 0, kw = 0, sh = 1, sw = 1, dh = 1, dw = 1, top = 0, left = 0;
  int32_t x_zero_point = 0, weight_zero_point = 0;
  Requantization requantization;
  RescaledAdd add;  // of the residual: a is y, b is the residual
};

/// Bytes from a window's first tap to each, row-major; false where no window lies within the image, of such a size that
/// they might not even fit.
inline bool TapOffsets(const QDwconvArgs& args, ptrdiff_t* offset) {
  if (static_cast<ptrdiff_t>(args.kh - 1) * args.dh >= args.h) return false;
  if (static_cast<ptrdiff_t>(args.kw - 1) * args.dw >= args.w) return false;
  for (ptrdiff_t t = 0; t < static_cast<ptrdiff_t>(args.kh) * args.kw; ++t) {
    offset[t] = (t / args.kw * args.dh * args.w + t % args.kw * args.dw) * args.c;
  }
  return true;
}

/// Outputs [begin, end) of a row for which every column of taps is inside.
inline void InsideColumns(const QDwconvArgs& args, ptrdiff_t* begin, ptrdiff_t* end) {
  const ptrdiff_t reach = static_cast<ptrdiff_t>(args.kw - 1) * args.dw, last = args.w - 1 - reach + args.left;
  *begin = (args.left + args.sw - 1) / args.sw;
  *end = last < 0 ? 0 : last / args.sw + 1;
  if (*end > args.ow) *end = args.ow;
  if (*begin > *end) *begin = *end;
}

struct QDwconvKernels {
  /// Computes output rows [row_begin, row_end), all columns, channels [c_begin, c_end); c_begin is a multiple of 16,
  /// c_end too or c. The work that a call does for a block of channels is repeated by every call: few rows cost more.
  void (*run)(const QDwconvArgs& args, ptrdiff_t row_begin, ptrdiff_t row_end, ptrdiff_t c_begin, ptrdiff_t c_end);
};

/// The kernels of a path that is compiled in. Asks the system which core calls: call it once.
const QDwconvKernels* FindQDwconv(Isa isa);

const QDwconvKernels* QDwconvKernels_scalar();
const QDwconvKernels* QDwconvKernels_arm_neon();
const QDwconvKernels* QDwconvKernels_arm_neondot();
const QDwconvKernels* QDwconvKernels_arm_neondot_inorder();
const QDwconvKernels* QDwconvKernels_x86_avx2();
const QDwconvKernels* QDwconvKernels_x86_avx512();
const QDwconvKernels* QDwconvKernels_x86_avx512vnni();

}  // namespace tealight

#endif  // TEALIGHT_KERNELS_QDWCONV_QDWCONV_H_
