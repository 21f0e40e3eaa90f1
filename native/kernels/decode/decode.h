// SPDX-License-Identifier: Apache-2.0
// Weights stored in fewer bits than float32, for ops that compute in float32. They lie in panels of 16 columns as
// float32 weights do (gemm_n16, dwconv_c16, conv_transpose_n16), and mean
//
//   w(i, j) = float32(h(i, j))                                                   float16: exact
//   w(i, j) = float32(q(i, j) - zero_point(i / block, j)) * scale(i / block, j)  int8, int4, uint4: one rounding
//
// i < k counts the rows of a panel, j its columns. 4-bit elements lie two to a byte, the first in the low half. An op
// that reads them gives the bits of the op on w. A kernel allocates nothing and keeps no state.
#ifndef TEALIGHT_KERNELS_DECODE_DECODE_H_
#define TEALIGHT_KERNELS_DECODE_DECODE_H_

#include <stddef.h>
#include <stdint.h>

#include "base/cpu_features.h"
#include "base/tensor.h"
#include "kernels/gemm/gemm.h"

namespace tealight {

// Off in a selective build (TL_DECODE) whose bundles hold no such weights.
#ifdef TL_NO_DECODE
constexpr bool kHaveDecode = false;
#else
constexpr bool kHaveDecode = true;
#endif

struct StoredPanels {
  DType dtype = DType::kNone;        // kFloat16, kInt8, kInt4 or kUint4
  size_t k = 0;                      // rows of a panel
  size_t block = 0;                  // rows that share a scale, 1 .. k
  const uint8_t* data = nullptr;     // [panel][k][16]
  const float* scale = nullptr;      // [panel][ceil(k / block)][16]; not read for float16
  const void* zero_point = nullptr;  // as scale, of dtype; null = 0

  size_t blocks() const { return (k + block - 1) / block; }
};

// Rows that gemm_rows takes; more are faster from decoded panels.
constexpr size_t kDecodeMaxRows = 4;

struct DecodeKernels {
  /// dst [panel_end - panel_begin][k][16] float32.
  void (*panels)(const StoredPanels& weights, size_t panel_begin, size_t panel_end, float* dst);
  /// The gemm tile (gemm.h) of m <= kDecodeMaxRows rows with column 0 at the start of `panel`, each weight decoded in
  /// registers as it is used; args without rhs.
  void (*gemm_rows)(const StoredPanels& weights, size_t panel, const float* const* rows, size_t m,
                    const GemmArgs& args);
  /// gemm_n32k4 of int4 to that of int8: panels [panel_begin, panel_end) of k rows, a multiple of 8, to dst.
  void (*int4_panels)(const void* packed, size_t k, size_t panel_begin, size_t panel_end, void* dst);
};

/// Bytes of one row of a panel.
inline size_t StoredRowBytes(DType dtype) {
  return dtype == DType::kFloat16 ? 32 : dtype == DType::kInt8 ? kGemmPanel : kGemmPanel / 2;
}

/// The kernels of one path, which must be compiled in; null without kHaveDecode.
const DecodeKernels* FindDecode(Isa isa);

}  // namespace tealight

#endif  // TEALIGHT_KERNELS_DECODE_DECODE_H_
