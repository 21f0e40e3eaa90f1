// SPDX-License-Identifier: Apache-2.0
// The int8 depthwise kernels of kernels/qdwconv/qdwconv.h. Any window is computed tap by tap, 16 channels at a time,
// here; x86_rows.h, arm_rows.h and arm_taps.h have faster forms. Table and residual are a second pass over finished
// rows.
#include "base/simd/vec.h"
#include "kernels/qdwconv/qdwconv.h"
#include "kernels/qelementwise/lut.h"
#include "kernels/requantize.h"

#define TL_UNROLL _Pragma("GCC unroll 16")
#if TL_SIMD == TL_SIMD_x86_avx512 || TL_SIMD == TL_SIMD_x86_avx2
#include "kernels/qdwconv/x86_rows.h"
#define TL_QDWCONV_ROWS
#elif defined(__ARM_FEATURE_DOTPROD)
#include "kernels/qdwconv/arm_rows.h"
#define TL_QDWCONV_ROWS
#endif
#if TL_SIMD == TL_SIMD_arm_neon
#include "kernels/qdwconv/arm_taps.h"
#endif

namespace tealight {
namespace TL_ISA {
namespace {

constexpr ptrdiff_t kVector = static_cast<ptrdiff_t>(kLanes);
constexpr int kPanelVectors = 16 / static_cast<int>(kLanes);

// A product of two numbers of 16 bits, of which b's upper half is left out by OfWeight.
TL_INLINE I32 Product(I32 a, I32 b) {
#if TL_SIMD == TL_SIMD_x86_avx512
  return {_mm512_madd_epi16(a.v, b.v)};
#elif TL_SIMD == TL_SIMD_x86_avx2
  return {_mm256_madd_epi16(a.v, b.v)};
#else
  return Mul(a, b);
#endif
}
TL_INLINE I32 OfWeight(I32 w) {
#if TL_SIMD == TL_SIMD_x86_avx512 || TL_SIMD == TL_SIMD_x86_avx2
  return And(w, SplatI32(0xffff));
#else
  return w;
#endif
}

// The weights of a panel as vectors: [taps][16], row-major taps.
constexpr int kMaxTaps = 64;  // of the buffer; taps past it are read from the panel
struct Taps {
  alignas(64) int32_t buffer[kMaxTaps * 16];
  const int8_t* panel;  // behind the sums
  int kh4, kw;
  int32_t zero_point;

  int32_t Read(int t, int channel) const {
    const int a = t / kw, b = t % kw;
    return panel[((b * kh4 + a / 4) * 16 + channel) * 4 + a % 4] - zero_point;
  }
  void Fill(const QDwconvArgs& args, const int8_t* at) {
    panel = at + 64;
    kh4 = (args.kh + 3) / 4;
    kw = args.kw;
    zero_point = args.weight_zero_point;
    const int taps = args.kh * args.kw < kMaxTaps ? args.kh * args.kw : kMaxTaps;
    for (int t = 0; t < taps; ++t) {
      for (int i = 0; i < 16; ++i) buffer[t * 16 + i] = Read(t, i);
    }
  }
  void Get(int t, I32* w) const {
    if (t < kMaxTaps) {
      TL_UNROLL for (int v = 0; v < kPanelVectors; ++v) w[v] = OfWeight(LoadI32(buffer + t * 16 + v * kVector));
      return;
    }
    int32_t row[16];
    for (int i = 0; i < 16; ++i) row[i] = Read(t, i);
    TL_UNROLL for (int v = 0; v < kPanelVectors; ++v) w[v] = OfWeight(LoadI32(row + v * kVector));
  }
};

// One output pixel of n <= 16 channels; x at the (perhaps missing) first tap.
template <bool kWide>
void Pixel(const QDwconvArgs& args, const Taps& taps, ptrdiff_t i, ptrdiff_t j, ptrdiff_t c, int n, const I32* start,
           const RequantizeVectors& q) {
  I32 acc[kPanelVectors];
  TL_UNROLL for (int v = 0; v < kPanelVectors; ++v) acc[v] = start[v];
  for (int a = 0, t = 0; a < args.kh; ++a) {
    const ptrdiff_t row = i * args.sh - args.top + static_cast<ptrdiff_t>(a) * args.dh;
    const bool inside = row >= 0 && row < args.h;
    for (int b = 0; b < args.kw; ++b, ++t) {
      const ptrdiff_t column = j * args.sw - args.left + static_cast<ptrdiff_t>(b) * args.dw;
      const int8_t* x =
          inside && column >= 0 && column < args.w ? args.x + (row * args.w + column) * args.c : args.outside;
      I32 w[kPanelVectors];
      taps.Get(t, w);
      TL_UNROLL for (int v = 0; v < kPanelVectors; ++v) {
        const int first = v * static_cast<int>(kLanes);
        if (first + static_cast<int>(kLanes) <= n) {
          acc[v] = Add(acc[v], Product(LoadInt8(x + c + first), w[v]));
        } else if (first < n) {
          acc[v] = Add(acc[v], Product(LoadInt8Partial(x + c + first, static_cast<size_t>(n - first)), w[v]));
        }
      }
    }
  }
  int8_t* y = args.y + (i * args.ow + j) * args.c + c;
  for (int v = 0; v < kPanelVectors; ++v) {
    const int first = v * static_cast<int>(kLanes);
    if (first >= n) break;
    const size_t count = n - first < static_cast<int>(kLanes) ? static_cast<size_t>(n - first) : kLanes;
    StoreInt8Partial(y + first, Requantize<kWide>(acc[v], Load(args.scale + c + first), q), count);
  }
}

// 16 channels at x.
TL_INLINE void LoadPanel(const int8_t* x, I32* v) {
#if TL_SIMD == TL_SIMD_arm_neon
  const I32Quad quad = LoadInt8Quad(x);
  TL_UNROLL for (int k = 0; k < kPanelVectors; ++k) v[k] = quad.v[k];
#else
  TL_UNROLL for (int k = 0; k < kPanelVectors; ++k) v[k] = LoadInt8(x + k * kVector);
#endif
}

// Neighbouring outputs that share each tap's weights.
constexpr int kTogether = kPanelVectors <= 2 ? 4 : 2;

// kTogether outputs at y, 16 channels, all taps inside; x at the first tap of the first, offset [taps] from there.
template <bool kWide>
TL_INLINE void PixelsInside(const QDwconvArgs& args, const Taps& taps, const ptrdiff_t* offset, const int8_t* x,
                            const I32* start, const float* scale, const RequantizeVectors& q, int8_t* y) {
  const ptrdiff_t step = args.sw * args.c;
  const int count = args.kh * args.kw;
  I32 acc[kTogether][kPanelVectors];
  TL_UNROLL for (int p = 0; p < kTogether; ++p) {
    TL_UNROLL for (int v = 0; v < kPanelVectors; ++v) acc[p][v] = start[v];
  }
  for (int t = 0; t < count; ++t) {
    I32 w[kPanelVectors];
    TL_UNROLL for (int v = 0; v < kPanelVectors; ++v) w[v] = OfWeight(LoadI32(taps.buffer + t * 16 + v * kVector));
    const int8_t* at = x + offset[t];
    TL_UNROLL for (int p = 0; p < kTogether; ++p, at += step) {
      I32 values[kPanelVectors];
      LoadPanel(at, values);
      TL_UNROLL for (int v = 0; v < kPanelVectors; ++v) acc[p][v] = Add(acc[p][v], Product(values[v], w[v]));
    }
  }
  TL_UNROLL for (int p = 0; p < kTogether; ++p) {
    TL_UNROLL for (int v = 0; v < kPanelVectors; ++v) {
      StoreInt8(y + p * args.c + v * kVector, Requantize<kWide>(acc[p][v], Load(scale + v * kVector), q));
    }
  }
}

// Output row i, n <= 16 channels at c.
template <bool kWide>
__attribute__((noinline)) void Row(const QDwconvArgs& args, const Taps& taps, const ptrdiff_t* offset, ptrdiff_t i,
                                   ptrdiff_t c, int n, const I32* start, const RequantizeVectors& q) {
  const ptrdiff_t top = i * args.sh - args.top, bottom = top + static_cast<ptrdiff_t>(args.kh - 1) * args.dh;
  ptrdiff_t begin = 0, end = 0;
  if (n == 16 && offset != nullptr && top >= 0 && bottom < args.h) InsideColumns(args, &begin, &end);
  if (end - begin < kTogether) begin = end = 0;
  for (ptrdiff_t j = 0; j < args.ow; ++j) {
    if (j != begin || begin == end) {
      Pixel<kWide>(args, taps, i, j, c, n, start, q);
      continue;
    }
    for (; j < end; j += kTogether) {
      if (j + kTogether > end) j = end - kTogether;  // some outputs again
      const int8_t* x = args.x + (top * args.w + j * args.sw - args.left) * args.c + c;
      PixelsInside<kWide>(args, taps, offset, x, start, args.scale + c, q, args.y + (i * args.ow + j) * args.c + c);
    }
    j = end - 1;
  }
}

// Any window, a panel of channels after the other.
void General(const QDwconvArgs& args, ptrdiff_t row_begin, ptrdiff_t row_end, ptrdiff_t c_begin, ptrdiff_t c_end) {
  const RequantizeVectors q = SplatRequantization(args.requantization);
  const auto row = args.requantization.wide ? Row<true> : Row<false>;
  // Missing taps count as x_zero_point here, but add nothing by weight_zero_point.
  const uint32_t folded = static_cast<uint32_t>(args.x_zero_point) * static_cast<uint32_t>(args.weight_zero_point) *
                          static_cast<uint32_t>(args.kh) * static_cast<uint32_t>(args.kw);
  ptrdiff_t offset[kMaxTaps];
  const bool together = args.kh * args.kw <= kMaxTaps && TapOffsets(args, offset);
  Taps taps;
  for (ptrdiff_t c = c_begin; c < c_end; c += kQDwconvPanel) {
    taps.Fill(args, args.weight + c / kQDwconvPanel * QDwconvPanelBytes(args.kh, args.kw));
    const int n = c_end - c < 16 ? static_cast<int>(c_end - c) : 16;
    I32 start[kPanelVectors];
    for (int v = 0; v < kPanelVectors; ++v) {
      start[v] = Add(LoadI32(args.bias + c + v * kVector), SplatI32(static_cast<int32_t>(folded)));
    }
    for (ptrdiff_t i = row_begin; i < row_end; ++i) {
      row(args, taps, together ? offset : nullptr, i, c, n, start, q);
    }
  }
}

// y = table[y + 128], y = RescaledAdd(y, residual) over n elements.
void Finish(const QDwconvArgs& args, ptrdiff_t at, size_t n) {
  int8_t* y = args.y + at;
  if (args.table != nullptr) {
    const uint8_t* table = reinterpret_cast<const uint8_t*>(args.table);
    uint8_t* bytes = reinterpret_cast<uint8_t*>(y);
    for (size_t i = LutVectors(table, 0x80, n, bytes, bytes); i < n; ++i) bytes[i] = table[bytes[i] ^ 0x80];
  }
  if (args.residual == nullptr) return;
  const RescaledAddVectors add = SplatRescaledAdd(args.add);
  const int8_t* residual = args.residual + at;
  size_t i = 0;
  for (; i + kLanes <= n; i += kLanes) StoreInt8(y + i, AddRescaled(LoadInt8(y + i), LoadInt8(residual + i), add));
  if (i == n) return;
  const I32 sum = AddRescaled(LoadInt8Partial(y + i, n - i), LoadInt8Partial(residual + i, n - i), add);
  StoreInt8Partial(y + i, sum, n - i);
}

// All but table and residual, by the first form that takes the window.
void Sums(const QDwconvArgs& args, ptrdiff_t row_begin, ptrdiff_t row_end, ptrdiff_t c_begin, ptrdiff_t c_end,
          [[maybe_unused]] bool in_order) {
#ifdef TL_QDWCONV_ROWS
  if (RunRows(args, row_begin, row_end, c_begin, c_end, in_order)) return;
#endif
#if TL_SIMD == TL_SIMD_arm_neon
  c_begin += RunTaps(args, row_begin, row_end, c_begin, c_end);
#endif
  General(args, row_begin, row_end, c_begin, c_end);
}

// Rows whose input stays in the second-level cache while block after block of channels reads it.
ptrdiff_t RowsAtOnce(const QDwconvArgs& args) {
  constexpr ptrdiff_t kBytes = 128 * 1024;
  const ptrdiff_t row = args.w * args.c, rows = row == 0 ? kBytes : kBytes / row / args.sh;
  return rows < 8 ? 8 : rows / 2 * 2;
}

template <bool kInOrder>
void Run(const QDwconvArgs& args, ptrdiff_t row_begin, ptrdiff_t row_end, ptrdiff_t c_begin, ptrdiff_t c_end) {
  const ptrdiff_t step = RowsAtOnce(args);
  for (ptrdiff_t row = row_begin; row < row_end; row += step) {
    const ptrdiff_t end = row_end - row < step ? row_end : row + step;
    Sums(args, row, end, c_begin, c_end, kInOrder);
    if (args.table == nullptr && args.residual == nullptr) continue;
    if (c_begin == 0 && c_end == args.c) {
      Finish(args, row * args.ow * args.c, static_cast<size_t>((end - row) * args.ow * args.c));
      continue;
    }
    for (ptrdiff_t pixel = row * args.ow; pixel < end * args.ow; ++pixel) {
      Finish(args, pixel * args.c + c_begin, static_cast<size_t>(c_end - c_begin));
    }
  }
}

constexpr QDwconvKernels kQDwconvKernels = {Run<false>};

}  // namespace
}  // namespace TL_ISA
}  // namespace tealight
