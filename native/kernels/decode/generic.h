// SPDX-License-Identifier: Apache-2.0
// The body of the decode kernels over the SIMD wrapper (decode.h has the formulas).
#ifndef TEALIGHT_KERNELS_DECODE_GENERIC_H_
#define TEALIGHT_KERNELS_DECODE_GENERIC_H_

// A path may say that its loops stay loops.
#ifndef TL_DECODE_UNROLL
#define TL_DECODE_UNROLL _Pragma("GCC unroll 16")
#endif

#include "kernels/decode/load_row.h"

namespace tealight {
namespace TL_ISA {
namespace {

// The scale and zero point of one block of one panel.
template <DType D, bool kZero>
struct Block {
  F32 scale[kRowVectors], zero[kRowVectors];

  TL_INLINE void Load(const StoredPanels& weights, size_t panel, size_t block, Block* b) {
    if constexpr (D != DType::kFloat16) {
      const size_t at = panel * weights.blocks() + block;
      TL_DECODE_UNROLL for (size_t j = 0; j < kRowVectors; ++j) {
        b->scale[j] = TL_ISA::Load(weights.scale + at * kGemmPanel + j * kLanes);
      }
      if constexpr (kZero) {
        LoadRow<D>(static_cast<const uint8_t*>(weights.zero_point) + at * StoredRowBytes(D), b->zero);
      }
    }
  }
  /// A row of weights.
  TL_INLINE void Row(const Block& b, const uint8_t* p, F32 (&w)[kRowVectors]) {
    LoadRow<D>(p, w);
    if constexpr (D != DType::kFloat16) {
      TL_DECODE_UNROLL for (size_t j = 0; j < kRowVectors; ++j) {
        if constexpr (kZero) w[j] = Sub(w[j], b.zero[j]);  // exact
        w[j] = Mul(w[j], b.scale[j]);
      }
    }
  }
};

template <DType D, bool kZero>
void DecodePanels(const StoredPanels& weights, size_t panel_begin, size_t panel_end, float* dst) {
  constexpr size_t kBytes = D == DType::kFloat16 ? 32 : D == DType::kInt8 ? 16 : 8;
  const uint8_t* data = weights.data + panel_begin * weights.k * kBytes;
  for (size_t panel = panel_begin; panel < panel_end; ++panel) {
    for (size_t first = 0, index = 0; first < weights.k; first += weights.block, ++index) {
      Block<D, kZero> block;
      Block<D, kZero>::Load(weights, panel, index, &block);
      const size_t rows = weights.k - first < weights.block ? weights.k - first : weights.block;
      for (size_t i = 0; i < rows; ++i, data += kBytes, dst += kGemmPanel) {
        F32 w[kRowVectors];
        Block<D, kZero>::Row(block, data, w);
        TL_DECODE_UNROLL for (size_t j = 0; j < kRowVectors; ++j) Store(dst + j * kLanes, w[j]);
      }
    }
  }
}

// Columns of vector j among `columns`.
TL_INLINE size_t ColumnsOf(size_t columns, size_t j) {
  const size_t first = j * kLanes;
  return columns <= first ? 0 : columns - first < kLanes ? columns - first : kLanes;
}

// The first n elements, of which there are up to kLanes.
TL_INLINE F32 LoadColumns(const float* p, size_t n) { return n == kLanes ? TL_ISA::Load(p) : LoadPartial(p, n); }

// acc[i] += lhs rows * rows [k, k + count) of P panels that share a block.
template <DType D, bool kZero, int MR, int P>
TL_INLINE void MultiplyBlock(const Block<D, kZero> (&blocks)[P], const float* const (&x)[MR], size_t count,
                             const uint8_t* (&data)[P], F32 (&acc)[MR][P][kRowVectors]) {
  constexpr size_t kBytes = D == DType::kFloat16 ? 32 : D == DType::kInt8 ? 16 : 8;
  for (size_t i = 0; i < count; ++i) {
    F32 lhs[MR];
    TL_DECODE_UNROLL for (int r = 0; r < MR; ++r) lhs[r] = Splat(x[r][i]);
    TL_DECODE_UNROLL for (int p = 0; p < P; ++p) {
      F32 w[kRowVectors];
      Block<D, kZero>::Row(blocks[p], data[p], w);
      data[p] += kBytes;
      TL_DECODE_UNROLL for (size_t j = 0; j < kRowVectors; ++j) {
        TL_DECODE_UNROLL for (int r = 0; r < MR; ++r) acc[r][p][j] = Fma(lhs[r], w[j], acc[r][p][j]);
      }
    }
  }
}

// The two ends of a tile are the same for every kind of weights: functions of their own, or the library would hold them
// for each.
template <int MR, int P>
__attribute__((noinline)) void StartTile(const GemmArgs& args, size_t column, size_t columns,
                                         F32 (&acc)[MR][P][kRowVectors]) {
  TL_DECODE_UNROLL for (size_t v = 0; v < P * kRowVectors; ++v) {
    const float* bias = args.bias + column + v * kLanes;
    const F32 start = args.bias == nullptr ? Zero() : LoadColumns(bias, ColumnsOf(columns, v));
    for (int r = 0; r < MR; ++r) acc[r][v / kRowVectors][v % kRowVectors] = start;
  }
}

template <int MR, int P>
__attribute__((noinline)) void FinishTile(const F32 (&acc)[MR][P][kRowVectors], const GemmArgs& args, size_t column,
                                          size_t columns) {
  const F32 lo = Splat(args.lo), hi = Splat(args.hi);
  for (int r = 0; r < MR; ++r) {
    TL_DECODE_UNROLL for (size_t v = 0; v < P * kRowVectors; ++v) {
      const size_t n = ColumnsOf(columns, v), offset = column + v * kLanes;
      if (n == 0) continue;
      F32 y = acc[r][v / kRowVectors][v % kRowVectors];
      if (args.residual != nullptr) {
        y = Add(y, LoadColumns(args.residual + static_cast<size_t>(r) * args.residual_stride + offset, n));
      }
      y = ClampMax(ClampMin(y, lo), hi);
      float* dst = args.dst + static_cast<size_t>(r) * args.dst_stride + offset;
      if (n == kLanes) {
        Store(dst, y);
      } else {
        StorePartial(dst, y, n);
      }
    }
  }
}

// MR rows, `columns` <= 16 P columns from the start of `panel`; `column` of the call.
template <DType D, bool kZero, int MR, int P>
__attribute__((noinline)) void RowsTile(const StoredPanels& weights, size_t panel, const float* const* rows,
                                        const GemmArgs& args, size_t column, size_t columns) {
  constexpr size_t kBytes = D == DType::kFloat16 ? 32 : D == DType::kInt8 ? 16 : 8;
  F32 acc[MR][P][kRowVectors];
  StartTile<MR, P>(args, column, columns, acc);
  const uint8_t* data[P];
  TL_DECODE_UNROLL for (int p = 0; p < P; ++p) {
    data[p] = weights.data + (panel + static_cast<size_t>(p)) * weights.k * kBytes;
  }
  const size_t k = weights.k;
  size_t tap = 0, inside = 0;  // where row `at` lies in lhs
  for (size_t at = 0, block = 0; at < k; ++block) {
    Block<D, kZero> blocks[P];
    TL_DECODE_UNROLL for (int p = 0; p < P; ++p) {
      Block<D, kZero>::Load(weights, panel + static_cast<size_t>(p), block, &blocks[p]);
    }
    const size_t end = k - at < weights.block ? k : at + weights.block;
    while (at < end) {
      const size_t count = end - at < args.run - inside ? end - at : args.run - inside;
      const float* x[MR];
      TL_DECODE_UNROLL for (int r = 0; r < MR; ++r) x[r] = rows[tap * MR + static_cast<size_t>(r)] + inside;
      MultiplyBlock<D, kZero, MR, P>(blocks, x, count, data, acc);
      at += count;
      inside += count;
      if (inside == args.run) {
        inside = 0;
        ++tap;
      }
    }
  }
  FinishTile<MR, P>(acc, args, column, columns);
}

template <DType D, bool kZero, int MR>
void Rows(const StoredPanels& weights, size_t panel, const float* const* rows, const GemmArgs& args) {
  // Sums in registers: up to 4 vectors wide while the rows leave room.
  constexpr int kWide = kRowVectors >= 4 ? (MR == 1 ? 2 : 1) : kRowVectors == 2 ? (MR <= 2 ? 2 : 1) : MR == 1 ? 8 : 4;
  size_t column = 0;
  for (; column + (kWide - 1) * kGemmPanel < args.n; column += kWide * kGemmPanel, panel += kWide) {
    const size_t left = args.n - column;
    RowsTile<D, kZero, MR, kWide>(weights, panel, rows, args, column,
                                  left < kWide * kGemmPanel ? left : kWide * kGemmPanel);
  }
  for (; column < args.n; column += kGemmPanel, ++panel) {
    const size_t left = args.n - column;
    RowsTile<D, kZero, MR, 1>(weights, panel, rows, args, column, left < kGemmPanel ? left : kGemmPanel);
  }
}

template <DType D, bool kZero>
void RowsOf(const StoredPanels& weights, size_t panel, const float* const* rows, size_t m, const GemmArgs& args) {
  switch (m) {
    case 1:
      return Rows<D, kZero, 1>(weights, panel, rows, args);
    case 2:
      return Rows<D, kZero, 2>(weights, panel, rows, args);
    case 3:
      return Rows<D, kZero, 3>(weights, panel, rows, args);
    case 4:
      return Rows<D, kZero, 4>(weights, panel, rows, args);
    default:
      return;
  }
}

void Panels(const StoredPanels& weights, size_t panel_begin, size_t panel_end, float* dst) {
  const bool zero = weights.zero_point != nullptr;
  switch (weights.dtype) {
    case DType::kFloat16:
      return DecodePanels<DType::kFloat16, false>(weights, panel_begin, panel_end, dst);
    case DType::kInt8:
      return zero ? DecodePanels<DType::kInt8, true>(weights, panel_begin, panel_end, dst)
                  : DecodePanels<DType::kInt8, false>(weights, panel_begin, panel_end, dst);
    case DType::kInt4:
      return zero ? DecodePanels<DType::kInt4, true>(weights, panel_begin, panel_end, dst)
                  : DecodePanels<DType::kInt4, false>(weights, panel_begin, panel_end, dst);
    default:
      return zero ? DecodePanels<DType::kUint4, true>(weights, panel_begin, panel_end, dst)
                  : DecodePanels<DType::kUint4, false>(weights, panel_begin, panel_end, dst);
  }
}

void GemmRows(const StoredPanels& weights, size_t panel, const float* const* rows, size_t m, const GemmArgs& args) {
  const bool zero = weights.zero_point != nullptr;
  switch (weights.dtype) {
    case DType::kFloat16:
      return RowsOf<DType::kFloat16, false>(weights, panel, rows, m, args);
    case DType::kInt8:
      return zero ? RowsOf<DType::kInt8, true>(weights, panel, rows, m, args)
                  : RowsOf<DType::kInt8, false>(weights, panel, rows, m, args);
    case DType::kInt4:
      return zero ? RowsOf<DType::kInt4, true>(weights, panel, rows, m, args)
                  : RowsOf<DType::kInt4, false>(weights, panel, rows, m, args);
    default:
      return zero ? RowsOf<DType::kUint4, true>(weights, panel, rows, m, args)
                  : RowsOf<DType::kUint4, false>(weights, panel, rows, m, args);
  }
}

void Int4Panels(const void* packed, size_t k, size_t panel_begin, size_t panel_end, void* dst) {
  constexpr size_t kHead = 32 * sizeof(int32_t);  // the column sums
  const size_t blocks = k / 8;
  const uint8_t* p = static_cast<const uint8_t*>(packed) + panel_begin * (kHead + blocks * 128);
  int8_t* q = static_cast<int8_t*>(dst);
  for (size_t panel = panel_begin; panel < panel_end; ++panel) {
    memcpy(q, p, kHead);
    p += kHead;
    q += kHead;
    for (size_t i = 0; i < blocks; ++i, p += 128, q += 256) UnpackInt4(p, q);
  }
}

constexpr DecodeKernels kDecode = {Panels, GemmRows, Int4Panels};

}  // namespace
}  // namespace TL_ISA
}  // namespace tealight

#endif  // TEALIGHT_KERNELS_DECODE_GENERIC_H_
