// SPDX-License-Identifier: Apache-2.0
// Prepares computed int8 operands for the int8 gemm: packs columns into panels, sums rows. Fast forms of QGemmPackRhs
// and QGemmRowSums, which define the results.
#ifndef TEALIGHT_KERNELS_QPACK_QPACK_H_
#define TEALIGHT_KERNELS_QPACK_QPACK_H_

#include <stddef.h>
#include <stdint.h>

#include "base/cpu_features.h"

namespace tealight {

struct QPackKernels {
  /// Packs n <= 32 columns of k rows into one panel of gemm_n32k4 with its sums (QGemmPanelBytes(k)), zeros past n and
  /// k. b is [k, n] with row stride `stride`, or [n, k] when transposed; each byte is xored with flip first (0x80 makes
  /// uint8 int8). dst is 4-byte aligned.
  void (*panel)(const int8_t* b, size_t stride, bool transposed, uint8_t flip, size_t k, size_t n, void* dst);
  /// The sum of n int8.
  int32_t (*sum)(const int8_t* x, size_t n);
};

/// The kernels of one path, which must be compiled in.
const QPackKernels* FindQPack(Isa isa);

}  // namespace tealight

#endif  // TEALIGHT_KERNELS_QPACK_QPACK_H_
