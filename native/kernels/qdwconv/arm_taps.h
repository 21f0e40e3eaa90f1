// SPDX-License-Identifier: Apache-2.0
// int8 depthwise convolution on NEON without sdot, and with it for windows that arm_rows.h has no form of: any window
// of up to kMostTaps taps, tap by tap for 8 channels and two neighbouring outputs. Two products of int8 fit in 16 bits
// (weights are at least -127), so sums are widened to 32 bits once for two taps.
#ifndef TEALIGHT_KERNELS_QDWCONV_ARM_TAPS_H_
#define TEALIGHT_KERNELS_QDWCONV_ARM_TAPS_H_

#include <arm_neon.h>

#include "kernels/qdwconv/qdwconv.h"

namespace tealight {
namespace TL_ISA {
namespace {

constexpr int kMostTaps = 128;

// The rounding of 8 channels.
struct TapsEnd {
  float32x4_t scale[2];
  float32x4_t rounding;
  int8x16_t lo, hi;
};

// The constants of 8 channels.
struct TapsBlock {
  int8_t weight[kMostTaps + 1][8];  // row-major taps
  ptrdiff_t offset[kMostTaps + 1];  // of a tap from the first, bytes
  int taps;
  int32x4_t start[2];
  TapsEnd end;
};

// False when a weight is -128, whose products might not fit.
inline bool FillTaps(const QDwconvArgs& args, ptrdiff_t c, TapsBlock* block) {
  const int packed = (args.kh + 3) / 4;
  block->taps = args.kh * args.kw;
  bool fits = true;
  TapOffsets(args, block->offset);  // read where the window lies inside only
  for (int t = 0; t < block->taps; ++t) {
    const int a = t / args.kw, b = t % args.kw;
    for (int l = 0; l < 8; ++l) {
      const ptrdiff_t channel = c + l;
      const int8_t* panel = args.weight + channel / kQDwconvPanel * QDwconvPanelBytes(args.kh, args.kw) + 64;
      block->weight[t][l] = panel[((b * packed + a / 4) * 16 + channel % 16) * 4 + a % 4];
      fits = fits && block->weight[t][l] != -128;
    }
  }
  for (int h = 0; h < 2; ++h) {
    block->start[h] = vld1q_s32(args.bias + c + 4 * h);
    block->end.scale[h] = vld1q_f32(args.scale + c + 4 * h);
  }
  block->end.rounding = vdupq_n_f32(kRoundOffset + static_cast<float>(args.requantization.zero_point));
  block->end.lo = vdupq_n_s8(static_cast<int8_t>(args.requantization.lo));
  block->end.hi = vdupq_n_s8(static_cast<int8_t>(args.requantization.hi));
  return fits;
}

struct TapsSums {
  int32x4_t v[2];
};

TL_INLINE void AddPair(int16x8_t pair, TapsSums* sums) {
  sums->v[0] = vaddw_s16(sums->v[0], vget_low_s16(pair));
  sums->v[1] = vaddw_s16(sums->v[1], vget_high_s16(pair));
}

TL_INLINE int16x8_t RoundedSums(const TapsEnd& end, const TapsSums& sums) {
  int16x4_t half[2];
  TL_UNROLL for (int h = 0; h < 2; ++h) {
    const float32x4_t y = vfmaq_f32(end.rounding, vcvtq_f32_s32(sums.v[h]), end.scale[h]);
    half[h] = vqmovn_s32(vsubq_s32(vreinterpretq_s32_f32(y), vdupq_n_s32(kRoundOffsetBits)));
  }
  return vcombine_s16(half[0], half[1]);
}

TL_INLINE int8x16_t NarrowSums(const TapsEnd& end, const TapsSums* sums) {
  const int8x8_t first = vqmovn_s16(RoundedSums(end, sums[0])), second = vqmovn_s16(RoundedSums(end, sums[1]));
  return vminq_s8(vmaxq_s8(vcombine_s8(first, second), end.lo), end.hi);
}

// `count` pairs of neighbouring outputs whose taps are all inside: first taps at x and x + step. kTaps > 0 fixes the
// number of taps.
template <int kTaps>
__attribute__((noinline)) void InsidePairs(const TapsBlock& shared, const int8_t* x, ptrdiff_t step, ptrdiff_t pixel,
                                           int8_t* y, ptrdiff_t count) {
  constexpr int kHeld = kTaps > 0 ? kTaps : 1;
  const TapsEnd end = shared.end;  // copies that stores cannot change
  const int32x4_t start[2] = {shared.start[0], shared.start[1]};
  const int taps = kTaps > 0 ? kTaps : shared.taps;
  int8x8_t held[kHeld];
  ptrdiff_t offset[kHeld];
  TL_UNROLL for (int t = 0; t < kHeld; ++t) {
    held[t] = vld1_s8(shared.weight[t]);
    offset[t] = shared.offset[t];
  }
  const auto weight = [&](int t) { return kTaps > 0 ? held[t] : vld1_s8(shared.weight[t]); };
  const auto place = [&](int t) { return kTaps > 0 ? offset[t] : shared.offset[t]; };
  for (; count > 0; --count, x += 2 * step, y += 2 * pixel) {
    TapsSums sums[2] = {{{start[0], start[1]}}, {{start[0], start[1]}}};
    const int8_t* next = x + step;
    int t = 0;
    TL_UNROLL for (; t + 2 <= taps; t += 2) {
      int16x8_t first = vmull_s8(vld1_s8(x + place(t)), weight(t));
      int16x8_t second = vmull_s8(vld1_s8(next + place(t)), weight(t));
      first = vmlal_s8(first, vld1_s8(x + place(t + 1)), weight(t + 1));
      second = vmlal_s8(second, vld1_s8(next + place(t + 1)), weight(t + 1));
      AddPair(first, &sums[0]);
      AddPair(second, &sums[1]);
    }
    if (t < taps) {
      AddPair(vmull_s8(vld1_s8(x + place(t)), weight(t)), &sums[0]);
      AddPair(vmull_s8(vld1_s8(next + place(t)), weight(t)), &sums[1]);
    }
    const int8x16_t pair = NarrowSums(end, sums);
    vst1_s8(y, vget_low_s8(pair));
    vst1_s8(y + pixel, vget_high_s8(pair));
  }
}

// One output at the border.
__attribute__((noinline)) inline int8x8_t BorderOutput(const QDwconvArgs& args, const TapsBlock& block, ptrdiff_t i,
                                                       ptrdiff_t j, ptrdiff_t c) {
  TapsSums sums[2] = {{{block.start[0], block.start[1]}}, {{block.start[0], block.start[1]}}};
  for (int a = 0, t = 0; a < args.kh; ++a) {
    const ptrdiff_t row = i * args.sh - args.top + static_cast<ptrdiff_t>(a) * args.dh;
    for (int b = 0; b < args.kw; ++b, ++t) {
      const ptrdiff_t column = j * args.sw - args.left + static_cast<ptrdiff_t>(b) * args.dw;
      const bool inside = row >= 0 && row < args.h && column >= 0 && column < args.w;
      const int8_t* x = inside ? args.x + (row * args.w + column) * args.c : args.outside;
      AddPair(vmull_s8(vld1_s8(x + c), vld1_s8(block.weight[t])), &sums[0]);
    }
  }
  return vget_low_s8(NarrowSums(block.end, sums));
}

inline void TapsRow(const QDwconvArgs& args, const TapsBlock& block, ptrdiff_t i, ptrdiff_t c) {
  const ptrdiff_t first = i * args.sh - args.top, reach = static_cast<ptrdiff_t>(args.kh - 1) * args.dh;
  ptrdiff_t begin = 0, end = 0;
  if (first >= 0 && first + reach < args.h) InsideColumns(args, &begin, &end);
  end = begin + (end - begin) / 2 * 2;
  int8_t* y = args.y + i * args.ow * args.c + c;
  for (ptrdiff_t j = 0; j < args.ow; ++j) {
    if (j == begin && begin < end) {
      const int8_t* x = args.x + (first * args.w + j * args.sw - args.left) * args.c + c;
      const auto run = block.taps == 9 ? InsidePairs<9> : block.taps == 25 ? InsidePairs<25> : InsidePairs<0>;
      run(block, x, args.sw * args.c, args.c, y + j * args.c, (end - begin) / 2);
      j = end - 1;
      continue;
    }
    vst1_s8(y + j * args.c, BorderOutput(args, block, i, j, c));
  }
}

/// Computes the channels of [c_begin, c_end) that have this form; returns how many, from c_begin on.
inline ptrdiff_t RunTaps(const QDwconvArgs& args, ptrdiff_t row_begin, ptrdiff_t row_end, ptrdiff_t c_begin,
                         ptrdiff_t c_end) {
  if (args.weight_zero_point != 0 || args.requantization.wide || args.kh * args.kw > kMostTaps) return 0;
  for (ptrdiff_t c = c_begin; c < c_end; c += 8) {
    if (c_end - c_begin < 8) return 0;
    const ptrdiff_t at = c + 8 <= c_end ? c : c_end - 8;  // the last 8 channels, some of them again
    TapsBlock block;
    if (!FillTaps(args, at, &block)) return (c - c_begin) / 16 * 16;
    for (ptrdiff_t i = row_begin; i < row_end; ++i) TapsRow(args, block, i, at);
  }
  return c_end - c_begin;
}

}  // namespace
}  // namespace TL_ISA
}  // namespace tealight

#endif  // TEALIGHT_KERNELS_QDWCONV_ARM_TAPS_H_
