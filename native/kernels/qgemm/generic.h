// SPDX-License-Identifier: Apache-2.0
// The body of the int8 gemm kernels over the SIMD wrapper (qgemm.h has the formula). A tile is MR rows by NV vectors of
// columns, its sums held in registers. The path brings the loop over k and the constant that its dot product adds to
// lhs (kLhsOffset, taken back through the column sums). A Loop<MR, NV> is made for each tile: Run adds the products of
// one tap to acc or to sums of its own, which Finish adds to acc. The usual result, int8 without residual or table, is
// made from the registers; every other one passes through memory and one function, FinishRows.
#ifndef TEALIGHT_KERNELS_QGEMM_GENERIC_H_
#define TEALIGHT_KERNELS_QGEMM_GENERIC_H_

#include "base/simd/vec.h"
#include "kernels/qelementwise/lut.h"
#include "kernels/qgemm/qgemm.h"
#include "kernels/qgemm/store_row.h"

namespace tealight {
namespace TL_ISA {
namespace {

#define TL_UNROLL _Pragma("GCC unroll 32")
// A member function of a loop.
#define TL_LOOP inline __attribute__((always_inline))

// Vectors of one panel.
constexpr size_t kPanelVectors = kQGemmPanel / kLanes;

TL_INLINE const char* PanelOf(const QGemmArgs& args, size_t vector) {
  return static_cast<const char*>(args.rhs) + vector / kPanelVectors * args.rhs_panel_stride;
}
// Vector j of the tile: its column sums, and the first weights of its columns.
TL_INLINE const int32_t* ColumnSums(const QGemmArgs& args, size_t vector) {
  return reinterpret_cast<const int32_t*>(PanelOf(args, vector)) + vector % kPanelVectors * kLanes;
}
TL_INLINE const int8_t* Weights(const QGemmArgs& args, size_t vector) {
  return reinterpret_cast<const int8_t*>(PanelOf(args, vector) + 4 * kQGemmPanel) + vector % kPanelVectors * 4 * kLanes;
}

// One vector of one row, from the sum to dst; columns: of this vector.
TL_INLINE void FinishInt8(I32 sum, const QGemmArgs& args, size_t column, size_t columns, const int8_t* residual,
                          int8_t* dst) {
  const RequantizeVectors q = SplatRequantization(args.requantization);
  const F32 scale = Load(args.scale + column);
  I32 y = args.requantization.wide ? Requantize<true>(sum, scale, q) : Requantize<false>(sum, scale, q);
  if (args.table != nullptr) {
    int8_t bytes[kLanes];
    StoreInt8(bytes, y);
    for (size_t j = 0; j < kLanes; ++j) bytes[j] = args.table[bytes[j] + 128];
    y = LoadInt8(bytes);
  }
  if (residual != nullptr) {
    const I32 b = columns < kLanes ? LoadInt8Partial(residual, columns) : LoadInt8(residual);
    y = AddRescaled(y, b, SplatRescaledAdd(args.add));
  }
  if (columns < kLanes) {
    StoreInt8Partial(dst, y, columns);
  } else {
    StoreInt8(dst, y);
  }
}

TL_INLINE void FinishFloat32(I32 sum, const QGemmArgs& args, size_t i, size_t column, size_t columns) {
  const F32 scale = Mul(Splat(args.row_scale != nullptr ? args.row_scale[i] : 1.0f), Load(args.scale + column));
  F32 bias = Zero();
  if (args.float_bias != nullptr) {
    bias = columns < kLanes ? LoadPartial(args.float_bias + column, columns) : Load(args.float_bias + column);
  }
  F32 y = Fma(ToFloat(sum), scale, bias);
  if (args.residual != nullptr) {
    const float* residual = static_cast<const float*>(args.residual) + i * args.residual_stride + column;
    y = Add(y, columns < kLanes ? LoadPartial(residual, columns) : Load(residual));
  }
  float* dst = static_cast<float*>(args.dst) + i * args.dst_stride + column;
  if (columns < kLanes) {
    StorePartial(dst, y, columns);
  } else {
    Store(dst, y);
  }
}

// Rows [first, first + m) of `columns` columns from `column` on: sums [m][stride], readable in whole vectors.
__attribute__((noinline)) void FinishRows(const int32_t* sums, size_t stride, size_t first, size_t m,
                                          const QGemmArgs& args, size_t column, size_t columns) {
  for (size_t i = first; i < first + m; ++i, sums += stride) {
    for (size_t j = 0; j < columns; j += kLanes) {
      const size_t left = columns - j < kLanes ? columns - j : kLanes, at = i * args.dst_stride + column + j;
      const I32 sum = LoadI32(sums + j);
      if (args.output == QGemmOutput::kInt8) {
        const int8_t* residual = static_cast<const int8_t*>(args.residual);
        if (residual != nullptr) residual += i * args.residual_stride + column + j;
        FinishInt8(sum, args, column + j, left, residual, static_cast<int8_t*>(args.dst) + at);
      } else if (args.output == QGemmOutput::kFloat32) {
        FinishFloat32(sum, args, i, column + j, left);
      } else {
        for (size_t l = 0; l < left; ++l) static_cast<int32_t*>(args.dst)[at + l] = sums[j + l];
      }
    }
  }
}

// What the sums of column vector `vector` start at, without what rows add.
TL_INLINE I32 StartOf(const QGemmArgs& args, size_t vector) {
  I32 start = args.bias != nullptr ? LoadI32(args.bias + vector * kLanes) : SplatI32(0);
  if (kLhsOffset != 0) start = Sub(start, ShiftLeft<7>(LoadI32(ColumnSums(args, vector))));
  return start;
}

// Adds row_offsets and row_zero_points to the sums of rows [first, first + m), `vectors` vectors from `vector` on.
__attribute__((noinline)) void AddRowTerms(int32_t* sums, size_t first, size_t m, const QGemmArgs& args, size_t vector,
                                           size_t vectors) {
  for (size_t i = first; i < first + m; ++i) {
    const I32 offset = SplatI32(args.row_offsets != nullptr ? args.row_offsets[i] : 0);
    const I32 zero_point = SplatI32(args.row_zero_points != nullptr ? args.row_zero_points[i] : 0);
    for (size_t j = 0; j < vectors; ++j, sums += kLanes) {
      const I32 term = Sub(offset, Mul(zero_point, LoadI32(ColumnSums(args, vector + j))));
      StoreI32(sums, Add(LoadI32(sums), term));
    }
  }
}

// Rows of one tap, the last of m standing in for those past it.
template <int MR>
TL_INLINE void PointLhs(const int8_t* const* rows, size_t m, const int8_t* (&p)[MR]) {
  TL_UNROLL for (int i = 0; i < MR; ++i) p[i] = rows[static_cast<size_t>(i) < m ? static_cast<size_t>(i) : m - 1];
}

// Pointers to the weights of NV vectors, one per panel.
template <int NV>
struct Rhs {
  static constexpr int kVectors = static_cast<int>(kPanelVectors);
  const int8_t* panel[(NV + kVectors - 1) / kVectors];

  TL_LOOP const int8_t* Vector(int j) const {
    return panel[j / kVectors] + j % kVectors * static_cast<int>(4 * kLanes);
  }
  TL_LOOP void Advance(size_t steps) {
    TL_UNROLL for (int j = 0; j * kVectors < NV; ++j) panel[j] += steps * 4 * kQGemmPanel;
  }
};

// One tile: rows [first, first + m), m <= MR, of a table of table_rows; `columns` columns from the vector on. weights:
// what the loop reads instead of the panel's, or null.
template <int MR, int NV, template <int, int> class Loop>
__attribute__((noinline)) void Tile(const int8_t* const* rows, size_t table_rows, size_t first, size_t m,
                                    const QGemmArgs& args, size_t vector, size_t columns,
                                    const int8_t* weights = nullptr) {
  I32 acc[MR][NV];
  TL_UNROLL for (int j = 0; j < NV; ++j) {
    const I32 start = StartOf(args, vector + static_cast<size_t>(j));
    TL_UNROLL for (int i = 0; i < MR; ++i) acc[i][j] = start;
  }
  Rhs<NV> rhs;
  TL_UNROLL for (int j = 0; j < NV; j += Rhs<NV>::kVectors) {
    rhs.panel[j / Rhs<NV>::kVectors] = weights != nullptr ? weights : Weights(args, vector + static_cast<size_t>(j));
  }
  Loop<MR, NV> loop;
  for (size_t t = 0; t < args.taps; ++t) {
    const int8_t* p[MR];
    PointLhs(rows + t * table_rows + first, m, p);
    loop.Run(acc, p, rhs, args.run);
  }
  loop.Finish(acc);
  const size_t column = vector * kLanes;
  const bool row_terms = args.row_offsets != nullptr || args.row_zero_points != nullptr;
  if (args.output == QGemmOutput::kInt8 && !args.requantization.wide && args.table == nullptr &&
      args.residual == nullptr && !row_terms) {
    const RequantizeVectors q = SplatRequantization(args.requantization);
    const RowStore<NV> store(args.requantization.lo, args.requantization.hi, columns);
    F32 scale[NV];
    TL_UNROLL for (int j = 0; j < NV; ++j) scale[j] = Load(args.scale + column + static_cast<size_t>(j) * kLanes);
    int8_t* dst = static_cast<int8_t*>(args.dst) + first * args.dst_stride + column;
    TL_UNROLL for (int i = 0; i < MR; ++i) {
      if (static_cast<size_t>(i) == m) return;
      TL_UNROLL for (int j = 0; j < NV; ++j) acc[i][j] = RequantizeUnclamped(acc[i][j], scale[j], q);
      store.Row(dst, acc[i]);
      dst += args.dst_stride;
    }
    return;
  }
  int32_t sums[MR * NV * kLanes];
  TL_UNROLL for (int i = 0; i < MR; ++i) {
    TL_UNROLL for (int j = 0; j < NV; ++j) StoreI32(sums + (i * NV + j) * static_cast<int>(kLanes), acc[i][j]);
  }
  if (row_terms) AddRowTerms(sums, first, m, args, vector, NV);
  FinishRows(sums, NV * kLanes, first, m, args, column, columns);
}

// All m rows of the columns from the vector on that fill tiles of NV vectors, MR rows at a time and then the rest;
// returns the vectors done. The last tile may be partly empty.
template <int MR, int NV, template <int, int> class Loop>
TL_INLINE size_t Sweep(const int8_t* const* rows, size_t m, const QGemmArgs& args, size_t vector) {
  const size_t vectors = (args.n + kLanes - 1) / kLanes;
  for (; vector + NV <= vectors; vector += NV) {
    const size_t left = args.n - vector * kLanes, columns = left < NV * kLanes ? left : NV * kLanes;
    size_t first = 0;
    for (; first + MR / 2 < m; first += MR) {
      Tile<MR, NV, Loop>(rows, m, first, m - first < MR ? m - first : MR, args, vector, columns);
    }
    constexpr int kHalf = MR > 1 ? MR / 2 : 1;
    if (MR > 2 && first + 1 < m) {
      Tile<kHalf, NV, Loop>(rows, m, first, m - first, args, vector, columns);
    } else {
      for (; first < m; ++first) Tile<1, NV, Loop>(rows, m, first, 1, args, vector, columns);
    }
  }
  return vector;
}

}  // namespace
}  // namespace TL_ISA
}  // namespace tealight

#endif  // TEALIGHT_KERNELS_QGEMM_GENERIC_H_
