// SPDX-License-Identifier: Apache-2.0
// The body of the int8 gemm kernels over the SIMD wrapper (qgemm.h has the formula). A tile is MR rows by NV vectors of
// columns, its sums held in registers. The path brings the loop over k and, as TL_LHS_OFFSET, what its dot product adds
// to lhs (0 or 128, taken back through the column sums). A Loop<MR, NV> is made for each tile: Run adds the products of
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

#ifndef TL_LHS_OFFSET
#define TL_LHS_OFFSET 0
#endif
constexpr int32_t kLhsOffset = TL_LHS_OFFSET;

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

// What int8 results are made with. A copy of its own: stores of int8 could change what args holds, for all the compiler
// knows.
struct Int8Finish {
  RequantizeVectors q;
  RescaledAddVectors add;
  const float* scale;
  const int8_t* table;

  TL_LOOP I32 Requantized(I32 sum, size_t column, bool wide) const {
    const F32 s = Load(scale + column);
    I32 y = wide ? Requantize<true>(sum, s, q) : Requantize<false>(sum, s, q);
    if (table != nullptr) {
      int8_t bytes[kLanes];
      StoreInt8(bytes, y);
      for (size_t j = 0; j < kLanes; ++j) bytes[j] = table[bytes[j] + 128];
      y = LoadInt8(bytes);
    }
    return y;
  }
};

// One row of `columns` columns from `column` on; residual: of the first of them, or null.
template <bool kWide>
TL_INLINE void FinishInt8Row(const int32_t* sums, const Int8Finish& f, size_t column, size_t columns,
                             const int8_t* residual, int8_t* dst) {
  size_t j = 0;
  for (; j + 4 * kLanes <= columns; j += 4 * kLanes) {
    I32Quad y;
    TL_UNROLL for (size_t v = 0; v < 4; ++v) {
      y.v[v] = f.Requantized(LoadI32(sums + j + v * kLanes), column + j + v * kLanes, kWide);
    }
    if (residual != nullptr) {
      const I32Quad b = LoadInt8Quad(residual + j);
      TL_UNROLL for (size_t v = 0; v < 4; ++v) y.v[v] = AddRescaled(y.v[v], b.v[v], f.add);
    }
    StoreInt8Quad(dst + j, y);
  }
  for (; j < columns; j += kLanes) {
    const size_t left = columns - j;
    I32 y = f.Requantized(LoadI32(sums + j), column + j, kWide);
    if (residual != nullptr) {
      y = AddRescaled(y, left < kLanes ? LoadInt8Partial(residual + j, left) : LoadInt8(residual + j), f.add);
    }
    if (left < kLanes) {
      StoreInt8Partial(dst + j, y, left);
    } else {
      StoreInt8(dst + j, y);
    }
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
template <bool kWide>
__attribute__((noinline)) void FinishInt8Rows(const int32_t* sums, size_t stride, size_t first, size_t m,
                                              const QGemmArgs& args, size_t column, size_t columns) {
  const Int8Finish f = {SplatRequantization(args.requantization), SplatRescaledAdd(args.add), args.scale, args.table};
  const size_t dst_stride = args.dst_stride, residual_stride = args.residual_stride;
  int8_t* dst = static_cast<int8_t*>(args.dst) + first * dst_stride + column;
  const int8_t* residual = static_cast<const int8_t*>(args.residual);
  if (residual != nullptr) residual += first * residual_stride + column;
  for (size_t i = 0; i < m; ++i, sums += stride, dst += dst_stride) {
    FinishInt8Row<kWide>(sums, f, column, columns, residual, dst);
    if (residual != nullptr) residual += residual_stride;
  }
}

// The same for every kind of result.
void FinishRows(const int32_t* sums, size_t stride, size_t first, size_t m, const QGemmArgs& args, size_t column,
                size_t columns) {
  if (args.output == QGemmOutput::kInt8) {
    if (args.requantization.wide) return FinishInt8Rows<true>(sums, stride, first, m, args, column, columns);
    return FinishInt8Rows<false>(sums, stride, first, m, args, column, columns);
  }
  for (size_t i = first; i < first + m; ++i, sums += stride) {
    if (args.output == QGemmOutput::kInt32) {
      memcpy(static_cast<int32_t*>(args.dst) + i * args.dst_stride + column, sums, columns * sizeof(int32_t));
      continue;
    }
    for (size_t j = 0; j < columns; j += kLanes) {
      const size_t left = columns - j < kLanes ? columns - j : kLanes;
      FinishFloat32(LoadI32(sums + j), args, i, column + j, left);
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
  if (args.output == QGemmOutput::kInt8 && !args.requantization.wide && args.table == nullptr &&
      args.residual == nullptr && args.row_zero_points == nullptr) {
    if (args.row_offsets != nullptr) {
      TL_UNROLL for (int i = 0; i < MR; ++i) {
        const size_t row = first + (static_cast<size_t>(i) < m ? static_cast<size_t>(i) : m - 1);
        const I32 offset = SplatI32(args.row_offsets[row]);
        TL_UNROLL for (int j = 0; j < NV; ++j) acc[i][j] = Add(acc[i][j], offset);
      }
    }
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
  if (args.row_offsets != nullptr || args.row_zero_points != nullptr) AddRowTerms(sums, first, m, args, vector, NV);
  FinishRows(sums, NV * kLanes, first, m, args, column, columns);
}

// A tile of the fewest rows of those that are compiled, in falling order, that hold m.
template <int NV, template <int, int> class Loop, int MR, int... Fewer>
TL_INLINE void TileOf(const int8_t* const* rows, size_t table_rows, size_t first, size_t m, const QGemmArgs& args,
                      size_t vector, size_t columns) {
  if constexpr (sizeof...(Fewer) > 0) {
    constexpr int kFewer[] = {Fewer...};
    if (m <= static_cast<size_t>(kFewer[0])) {
      return TileOf<NV, Loop, Fewer...>(rows, table_rows, first, m, args, vector, columns);
    }
  }
  Tile<MR, NV, Loop>(rows, table_rows, first, m, args, vector, columns);
}

// All m rows of the columns from the vector on that fill tiles of NV vectors, in near equal tiles of at most MR rows;
// returns the vectors done. The last tile may be partly empty.
template <int NV, template <int, int> class Loop, int MR, int... Fewer>
TL_INLINE size_t Sweep(const int8_t* const* rows, size_t m, const QGemmArgs& args, size_t vector) {
  const size_t vectors = (args.n + kLanes - 1) / kLanes, tiles = (m + MR - 1) / MR;
  for (; vector + NV <= vectors; vector += NV) {
    const size_t left = args.n - vector * kLanes, columns = left < NV * kLanes ? left : NV * kLanes;
    for (size_t i = 0; i < tiles; ++i) {
      const size_t first = m * i / tiles, end = m * (i + 1) / tiles;
      TileOf<NV, Loop, MR, Fewer...>(rows, m, first, end - first, args, vector, columns);
    }
  }
  return vector;
}

// Calls tile(args) for m rows; a table without a residual after it is looked up last, over whole rows of dst.
template <typename F>
TL_INLINE void LookUpLast(const QGemmArgs& args, size_t m, const F& tile) {
  if (args.table == nullptr || args.residual != nullptr || args.output != QGemmOutput::kInt8) return tile(args);
  QGemmArgs plain = args;
  plain.table = nullptr;
  tile(plain);
  const uint8_t* table = reinterpret_cast<const uint8_t*>(args.table);
  const bool joined = args.dst_stride == args.n;  // rows without gaps are one
  const size_t runs = joined ? 1 : m, run = joined ? m * args.n : args.n;
  for (size_t i = 0; i < runs; ++i) {
    uint8_t* y = static_cast<uint8_t*>(args.dst) + i * args.dst_stride;
    for (size_t j = LutVectors(table, 0x80, run, y, y); j < run; ++j) y[j] = table[y[j] ^ 0x80];
  }
}

}  // namespace
}  // namespace TL_ISA
}  // namespace tealight

#endif  // TEALIGHT_KERNELS_QGEMM_GENERIC_H_
