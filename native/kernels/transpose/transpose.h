// SPDX-License-Identifier: Apache-2.0
// 2-d transposes of elements of 1, 2, 4 or 8 bytes: dst[j][i] = src[i][j], strides in bytes, any alignment.
#ifndef TEALIGHT_KERNELS_TRANSPOSE_TRANSPOSE_H_
#define TEALIGHT_KERNELS_TRANSPOSE_TRANSPOSE_H_

#include <stddef.h>
#include <stdint.h>

#include "base/cpu_features.h"

namespace tealight {

/// src: rows of `cols` adjacent elements, src_stride_bytes apart (may be negative). dst: `cols` rows of `rows`
/// adjacent elements, dst_stride_bytes apart. They do not overlap.
using Transpose2d = void (*)(const void* src, ptrdiff_t src_stride_bytes, void* dst, ptrdiff_t dst_stride_bytes,
                             size_t rows, size_t cols);

struct TransposeKernels {
  Transpose2d by_log2_bytes[4];  // for elements of 1, 2, 4 and 8 bytes
};

/// Never null.
const TransposeKernels* FindTranspose(Isa isa);

const TransposeKernels* TransposeKernels_scalar();
const TransposeKernels* TransposeKernels_arm_neon();
const TransposeKernels* TransposeKernels_x86_avx2();
const TransposeKernels* TransposeKernels_x86_avx512();

}  // namespace tealight

#endif  // TEALIGHT_KERNELS_TRANSPOSE_TRANSPOSE_H_
