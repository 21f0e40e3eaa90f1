// SPDX-License-Identifier: Apache-2.0
// Elements of any dtype, a tile at a time, in the few types that arithmetic is written for: floats of 16 and 32 bits
// as float, float64 as double, signed integers and bool as int64, unsigned ones as uint64.
#ifndef TEALIGHT_BACKENDS_CPU_OPS_CONVERT_H_
#define TEALIGHT_BACKENDS_CPU_OPS_CONVERT_H_

#include "base/tensor.h"
#include "kernels/elementwise/elementwise.h"

namespace tealight {

enum class Wide : uint8_t { kNone = 0, kFloat, kDouble, kInt, kUint };

// Elements of a tile; one tile of the widest type is kTileBytes.
constexpr size_t kTile = 512;
constexpr size_t kTileBytes = kTile * 8;

/// The type for elements of a dtype; kNone for the 4-bit types.
Wide WideOf(DType dtype);
/// x[0 .. n) of a dtype as its wide type, n <= kTile. Returns x itself where it is that already, else `tile`.
const void* Widen(const ElementwiseKernels& kernels, DType dtype, const void* x, size_t n, void* tile);
/// Stores n <= kTile elements of WideOf(dtype): floats round to nearest even, integers wrap around, bool is x != 0.
void Narrow(const ElementwiseKernels& kernels, DType dtype, const void* tile, size_t n, void* y);

}  // namespace tealight

#endif  // TEALIGHT_BACKENDS_CPU_OPS_CONVERT_H_
