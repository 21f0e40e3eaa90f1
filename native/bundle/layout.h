// SPDX-License-Identifier: Apache-2.0
// How many bytes a constant has to have for its dtype, shape and layout.
#ifndef TEALIGHT_BUNDLE_LAYOUT_H_
#define TEALIGHT_BUNDLE_LAYOUT_H_

#include "base/tensor.h"

namespace tealight {

/// Product of the dims as elements, and their bytes in the plain layout (4-bit: ceil(n / 2)). Returns false when a dim
/// is negative or a product does not fit: 2^58 elements, 2^27 where size_t has 32 bits.
bool PlainBytes(DType dtype, const Shape& shape, uint64_t* bytes);

/// Bytes in any layout but winograd_n16. Returns false when the shape or groups do not fit the layout.
bool LayoutBytes(DType dtype, Layout layout, uint32_t groups, const Shape& shape, uint64_t* bytes);

/// Bytes of [(tile+2)*(tile+2)][ceil(n/16)][c][16] for a weight [n, 3, 3, c]; false when the shape is another.
bool WinogradBytes(DType dtype, int tile, const Shape& shape, uint64_t* bytes);

/// "plain", "gemm_n16", ...
const char* LayoutName(Layout layout);

}  // namespace tealight

#endif  // TEALIGHT_BUNDLE_LAYOUT_H_
