// SPDX-License-Identifier: Apache-2.0
// Weights of the float32 ops that are stored as float16, int8, int4 or uint4 (kernels/decode/decode.h has the formula):
// their operands checked, and the two ways of using them: decoded part by part into a thread's scratch before the gemm,
// or, for few rows, decoded in registers as they are multiplied.
#ifndef TEALIGHT_BACKENDS_CPU_STORED_WEIGHTS_H_
#define TEALIGHT_BACKENDS_CPU_STORED_WEIGHTS_H_

#include "backends/cpu/gemm_grid.h"
#include "kernels/decode/decode.h"
#include "runtime/op.h"

namespace tealight {

struct StoredWeights {
  StoredPanels panels;      // of the first group; dtype float32: not to be decoded, data is the packed float32
  size_t group_panels = 0;  // panels of a group

  bool is_float32() const { return panels.dtype == DType::kFloat32; }
  /// The panels of group g.
  StoredPanels Group(size_t g) const {
    StoredPanels group = panels;
    if (is_float32()) {
      group.data += g * group_panels * kGemmPanel * panels.k * sizeof(float);
      return group;
    }
    group.data += g * group_panels * panels.k * StoredRowBytes(panels.dtype);
    const size_t scales = g * group_panels * panels.blocks();
    if (group.scale != nullptr) group.scale += scales * kGemmPanel;
    if (group.zero_point != nullptr) {
      group.zero_point = static_cast<const uint8_t*>(group.zero_point) + scales * StoredRowBytes(panels.dtype);
    }
    return group;
  }
};

/// Whether the ops take weights of this dtype.
inline bool IsWeightDType(DType dtype) {
  return dtype == DType::kFloat32 || dtype == DType::kFloat16 || dtype == DType::kInt8 || dtype == DType::kInt4 ||
         dtype == DType::kUint4;
}

/// Checks operand i, "scale" or "zero_point" of weights [n, k]: a constant of `dtype`, [n] or [n, blocks], packed with
/// the groups of the weight; an absent one is null.
inline Status CheckScale(const OpContext& context, int i, const char* name, DType dtype, const Tensor& weight,
                         int64_t blocks, Layout layout) {
  const Tensor* scale = context.input(i);
  if (scale == nullptr) return Status::Ok();
  const bool fits = scale->dtype == dtype && scale->is_constant && scale->layout == layout &&
                    scale->layout_groups == weight.layout_groups && scale->shape.rank == (blocks == 0 ? 1 : 2) &&
                    scale->shape[0] == weight.shape[0] && (blocks == 0 || scale->shape[1] == blocks);
  if (fits) return Status::Ok();
  return context.Error(TL_ERROR_WRONG_SHAPE, "%s does not fit, expected a packed constant %s [%lld%s]", name,
                       DTypeName(dtype), static_cast<long long>(weight.shape[0]), blocks == 0 ? "" : ", blocks");
}

/// Reads how operand `weight` is stored; its shape, layout and dtype have been checked. block_size: of the attributes;
/// 0 = one scale for each column. The operands `scale` and `zero_point` belong to integers only.
inline Status ReadStoredWeights(const OpContext& context, int weight_index, int scale_index, int zero_point_index,
                                int64_t block_size, StoredWeights* stored) {
  const Tensor& weight = *context.input(weight_index);
  const Tensor* scale = context.input(scale_index);
  const Tensor* zero_point = context.input(zero_point_index);
  const bool is_float = weight.dtype == DType::kFloat32 || weight.dtype == DType::kFloat16;
  const int64_t k = weight.shape.Product(1, weight.shape.rank);
  if (!kHaveDecode && weight.dtype != DType::kFloat32) {
    return context.Error(TL_ERROR_UNSUPPORTED_OP,
                         "%s weight, expected float32: this library is without the kernels for "
                         "stored weights; build it with TL_DECODE=ON",
                         DTypeName(weight.dtype));
  }
  if (is_float ? scale != nullptr || zero_point != nullptr || block_size != 0 : scale == nullptr) {
    return context.Error(TL_ERROR_INVALID_BUNDLE, "%s weight %s a scale, expected one for integers only",
                         DTypeName(weight.dtype), scale == nullptr ? "without" : "with");
  }
  if (block_size < 0) {
    return context.Error(TL_ERROR_INVALID_BUNDLE, "block_size %lld, expected at least 0",
                         static_cast<long long>(block_size));
  }
  const int64_t blocks = block_size == 0 ? 0 : (k + block_size - 1) / block_size;
  RETURN_IF_ERROR(CheckScale(context, scale_index, "scale", DType::kFloat32, weight, blocks, Layout::kGemmN16));
  RETURN_IF_ERROR(CheckScale(context, zero_point_index, "zero_point", weight.dtype, weight, blocks, Layout::kGemmN16));
  StoredPanels& panels = stored->panels;
  panels.dtype = weight.dtype;
  panels.k = static_cast<size_t>(k);
  panels.block = block_size == 0 || block_size > k ? Most(panels.k, 1) : static_cast<size_t>(block_size);
  panels.data = weight.As<uint8_t>();
  panels.scale = scale != nullptr ? scale->As<float>() : nullptr;
  panels.zero_point = zero_point != nullptr ? zero_point->data : nullptr;
  stored->group_panels = CeilDiv(static_cast<size_t>(weight.shape[0]) / weight.layout_groups, kGemmPanel);
  return Status::Ok();
}

/// Panels decoded at a time: they and the rows that pass stay in a part of the L2 cache.
inline size_t DecodedPanels(const StoredWeights& stored) {
  constexpr size_t kFloats = 64 * 1024;
  const size_t fitting = kFloats / (kGemmPanel * Most(stored.panels.k, 1)) / 2 * 2;
  return Least(Most(fitting, 2), Most(stored.group_panels, 1));
}

// Up to so many rows decoding in registers, once for each tile, is faster than writing decoded panels.
constexpr size_t kDirectRows = 3 * kDecodeMaxRows;

/// Scratch of a thread for ForEachRhs.
inline size_t DecodeScratchBytes(const StoredWeights& stored, const GemmGrid& grid) {
  if (stored.is_float32() || grid.m <= kDirectRows) return 0;
  return DecodedPanels(stored) * kGemmPanel * stored.panels.k * sizeof(float);
}

// Some columns of a weight, ready to multiply.
struct GemmRhs {
  const GemmKernels* gemm;
  const DecodeKernels* decode;  // null: args has the rhs
  StoredPanels panels;
  size_t panel;  // the first

  /// The most rows of Multiply.
  size_t max_rows() const { return decode != nullptr ? Least(kDecodeMaxRows, gemm->max_rows) : gemm->max_rows; }
  /// The gemm tile.
  void Multiply(const float* const* rows, size_t m, const GemmArgs& args) const {
    if (decode != nullptr) return decode->gemm_rows(panels, panel, rows, m, args);
    gemm->tile(rows, m, args);
  }
};

/// Calls f(part, rhs, args) for parts of the cell's columns; args has the rhs and n of the part. scratch: of this
/// thread, DecodeScratchBytes.
template <typename F>
inline void ForEachRhs(Isa isa, const GemmKernels& gemm, const StoredWeights& stored, size_t group,
                       const GemmCell& cell, float* scratch, GemmArgs args, const F& f) {
  GemmRhs rhs = {&gemm, nullptr, stored.Group(group), 0};
  const size_t k = stored.panels.k;
  if (stored.is_float32()) {
    SetPackedRhs(reinterpret_cast<const float*>(rhs.panels.data), k, cell, &args);
    return f(cell, rhs, args);
  }
  if (cell.m_end - cell.m_begin <= kDirectRows) {
    rhs.decode = FindDecode(isa);
    rhs.panel = cell.n_begin / kGemmPanel;
    args.n = cell.n_end - cell.n_begin;
    return f(cell, rhs, args);
  }
  const size_t step = DecodedPanels(stored) * kGemmPanel;
  for (size_t n = cell.n_begin; n < cell.n_end; n += step) {
    const GemmCell part = {cell.m_begin, cell.m_end, n, Least(cell.n_end, n + step)};
    FindDecode(isa)->panels(rhs.panels, n / kGemmPanel, CeilDiv(part.n_end, kGemmPanel), scratch);
    SetPackedRhs(scratch, k, {0, 0, 0, part.n_end - n}, &args);
    f(part, rhs, args);
  }
}

/// Decodes all panels of all groups: dst [groups][panels][k][16].
inline void DecodeAll(const OpContext& context, const StoredWeights& stored, size_t groups, float* dst) {
  const size_t panels = stored.group_panels;
  context.ParallelFor(groups * panels, 8, [&](size_t, size_t begin, size_t end) {
    for (size_t i = begin; i < end; ++i) {
      const size_t panel = i % panels;
      FindDecode(context.isa())
          ->panels(stored.Group(i / panels), panel, panel + 1, dst + i * kGemmPanel * stored.panels.k);
    }
  });
}

/// Floats that DecodeAll writes.
inline size_t DecodedFloats(const StoredWeights& stored, size_t groups) {
  return stored.is_float32() ? 0 : groups * stored.group_panels * kGemmPanel * stored.panels.k;
}

}  // namespace tealight

#endif  // TEALIGHT_BACKENDS_CPU_STORED_WEIGHTS_H_
