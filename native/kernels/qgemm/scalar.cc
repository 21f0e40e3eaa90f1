// SPDX-License-Identifier: Apache-2.0
// The int8 gemm that defines the bits: one row and one panel of columns at a time.
#define TL_ISA scalar
#include "kernels/qgemm/qgemm.h"

namespace tealight {
namespace TL_ISA {
namespace {

// The products of row i with a panel, added to sums [32].
void Accumulate(const int8_t* const* rows, size_t i, size_t m, const QGemmArgs& args, const int8_t* weights,
                uint32_t* sums) {
  for (size_t t = 0; t < args.taps; ++t) {
    const int8_t* x = rows[t * m + i];
    for (size_t k = 0; k < args.run; k += 4, weights += 4 * kQGemmPanel) {
      for (size_t j = 0; j < kQGemmPanel; ++j) {
        const int8_t* w = weights + 4 * j;
        sums[j] += static_cast<uint32_t>(x[k] * w[0] + x[k + 1] * w[1] + x[k + 2] * w[2] + x[k + 3] * w[3]);
      }
    }
  }
}

int8_t ToInt8(int32_t sum, size_t i, size_t j, const QGemmArgs& args) {
  const RequantizeVectors q = SplatRequantization(args.requantization);
  const F32 scale = Splat(args.scale[j]);
  I32 y = args.requantization.wide ? Requantize<true>({sum}, scale, q) : Requantize<false>({sum}, scale, q);
  if (args.table != nullptr) y.v = args.table[y.v + 128];
  if (args.residual != nullptr) {
    const int8_t* residual = static_cast<const int8_t*>(args.residual);
    y = AddRescaled(y, {residual[i * args.residual_stride + j]}, SplatRescaledAdd(args.add));
  }
  return static_cast<int8_t>(y.v);
}

float ToFloat32(int32_t sum, size_t i, size_t j, const QGemmArgs& args) {
  const F32 scale = Mul(Splat(args.row_scale != nullptr ? args.row_scale[i] : 1.0f), Splat(args.scale[j]));
  F32 y = Fma(ToFloat(I32{sum}), scale, Splat(args.float_bias != nullptr ? args.float_bias[j] : 0.0f));
  if (args.residual != nullptr) {
    y = Add(y, Splat(static_cast<const float*>(args.residual)[i * args.residual_stride + j]));
  }
  return y.v;
}

void StoreSum(int32_t sum, size_t i, size_t j, const QGemmArgs& args) {
  const size_t at = i * args.dst_stride + j;
  switch (args.output) {
    case QGemmOutput::kInt8:
      static_cast<int8_t*>(args.dst)[at] = ToInt8(sum, i, j, args);
      return;
    case QGemmOutput::kFloat32:
      static_cast<float*>(args.dst)[at] = ToFloat32(sum, i, j, args);
      return;
    case QGemmOutput::kInt32:
      static_cast<int32_t*>(args.dst)[at] = sum;
      return;
  }
}

void TileRows(const int8_t* const* rows, size_t m, const QGemmArgs& args) {
  const char* panel = static_cast<const char*>(args.rhs);
  for (size_t column = 0; column < args.n; column += kQGemmPanel, panel += args.rhs_panel_stride) {
    const size_t columns = args.n - column < kQGemmPanel ? args.n - column : kQGemmPanel;
    const int32_t* column_sums = reinterpret_cast<const int32_t*>(panel);
    for (size_t i = 0; i < m; ++i) {
      uint32_t sums[kQGemmPanel];
      const uint32_t offset = args.row_offsets != nullptr ? static_cast<uint32_t>(args.row_offsets[i]) : 0;
      const uint32_t zero_point = args.row_zero_points != nullptr ? static_cast<uint32_t>(args.row_zero_points[i]) : 0;
      for (size_t j = 0; j < kQGemmPanel; ++j) {
        const uint32_t bias = args.bias != nullptr ? static_cast<uint32_t>(args.bias[column + j]) : 0;
        sums[j] = bias + offset - zero_point * static_cast<uint32_t>(column_sums[j]);
      }
      Accumulate(rows, i, m, args, reinterpret_cast<const int8_t*>(panel + 4 * kQGemmPanel), sums);
      for (size_t j = 0; j < columns; ++j) StoreSum(static_cast<int32_t>(sums[j]), i, column + j, args);
    }
  }
}

}  // namespace
}  // namespace TL_ISA

const QGemmKernels* QGemmKernels_scalar() {
  static constexpr QGemmKernels kKernels = {4, scalar::TileRows};
  return &kKernels;
}

}  // namespace tealight
