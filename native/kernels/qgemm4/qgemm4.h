// SPDX-License-Identifier: Apache-2.0
// The int8 gemm (qgemm.h) with int4 weights that are unpacked in registers, for few rows: those wait for the weights to
// come from memory, half as many bytes as of int8. Layout gemm_n32k4 of int4: [ceil(n / 32)]{int32 sums [32],
// [k / 8][32][4]}, byte j of a column with k = 8i + j in its low and 8i + 4 + j in its high half.
#ifndef TEALIGHT_KERNELS_QGEMM4_QGEMM4_H_
#define TEALIGHT_KERNELS_QGEMM4_QGEMM4_H_

#include "kernels/qgemm/qgemm.h"

namespace tealight {

/// Bytes of one panel of k rows, a multiple of 8.
constexpr size_t QGemm4PanelBytes(size_t k) { return kQGemmPanel * 4 + k / 8 * kQGemmPanel * 4; }

// Sums are made of weights times 16: they fit int32 up to this k.
constexpr size_t kQGemm4MaxK = 32768;

/// Returns the kernels of a path for m rows in all, or null where unpacking whole panels (kernels/decode) is as fast.
/// As those of qgemm, but rhs_panel_stride is QGemm4PanelBytes, taps is 1, and run a multiple of 8 up to kQGemm4MaxK.
/// Asks the system about the core on arm64: call it in Prepare.
const QGemmKernels* FindQGemm4(Isa isa, size_t m);

}  // namespace tealight

#endif  // TEALIGHT_KERNELS_QGEMM4_QGEMM4_H_
