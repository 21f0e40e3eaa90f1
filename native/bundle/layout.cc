// SPDX-License-Identifier: Apache-2.0
#include "bundle/layout.h"

namespace tealight {
namespace {

constexpr uint64_t kLanes = 16;
// Where size_t has 32 bits, bytes of a tensor fit in it too.
constexpr uint64_t kMaxElements = uint64_t{1} << (sizeof(size_t) >= 8 ? 58 : 27);

// *n *= factor; false when it leaves the range in which bytes cannot overflow.
bool Multiply(uint64_t* n, uint64_t factor) { return !__builtin_mul_overflow(*n, factor, n) && *n <= kMaxElements; }

uint64_t ElementsToBytes(DType dtype, uint64_t elements) {
  const size_t size = DTypeSize(dtype);
  return size == 0 ? (elements + 1) / 2 : elements * size;
}

// A zero dim must not hide that the others overflow: ops multiply parts of a shape too.
bool Elements(const Shape& shape, uint64_t* elements) {
  uint64_t nonzero = 1;
  bool empty = false;
  for (int i = 0; i < shape.rank; ++i) {
    if (shape[i] < 0) return false;
    if (shape[i] == 0) {
      empty = true;
    } else if (!Multiply(&nonzero, static_cast<uint64_t>(shape[i]))) {
      return false;
    }
  }
  *elements = empty ? 0 : nonzero;
  return true;
}

}  // namespace

bool PlainBytes(DType dtype, const Shape& shape, uint64_t* bytes) {
  uint64_t elements = 0;
  if (!Elements(shape, &elements)) return false;
  *bytes = ElementsToBytes(dtype, elements);
  return true;
}

bool LayoutBytes(DType dtype, Layout layout, uint32_t groups, const Shape& shape, uint64_t* bytes) {
  if (layout == Layout::kPlain) return groups == 1 && PlainBytes(dtype, shape, bytes);
  uint64_t elements = 0;
  if (layout == Layout::kWinogradN16 || shape.rank == 0 || !Elements(shape, &elements)) return false;
  if (layout == Layout::kDwconvC16 && groups != 1) return false;
  if (layout == Layout::kPadN16 && shape.rank != 1) return false;
  if (layout == Layout::kConvTransposeN16 && shape.rank != 4) return false;
  const uint64_t n = static_cast<uint64_t>(shape[0]);
  if (groups == 0 || n % groups != 0) return false;
  uint64_t packed = (n / groups + kLanes - 1) / kLanes * kLanes;
  if (!Multiply(&packed, groups)) return false;
  for (int i = 1; i < shape.rank; ++i) {
    if (!Multiply(&packed, static_cast<uint64_t>(shape[i]))) return false;
  }
  *bytes = ElementsToBytes(dtype, packed);
  return true;
}

bool WinogradBytes(DType dtype, int tile, const Shape& shape, uint64_t* bytes) {
  uint64_t elements = 0;
  if (shape.rank != 4 || shape[1] != 3 || shape[2] != 3 || tile < 1 || tile > 8) return false;
  if (!Elements(shape, &elements)) return false;
  uint64_t packed = (static_cast<uint64_t>(shape[0]) + kLanes - 1) / kLanes * kLanes;
  if (!Multiply(&packed, static_cast<uint64_t>(shape[3]))) return false;
  if (!Multiply(&packed, static_cast<uint64_t>((tile + 2) * (tile + 2)))) return false;
  *bytes = ElementsToBytes(dtype, packed);
  return true;
}

const char* LayoutName(Layout layout) {
  static constexpr const char* kNames[] = {"plain",       "pad_n16", "gemm_n16", "dwconv_c16", "conv_transpose_n16",
                                           "winograd_n16"};
  return layout <= Layout::kWinogradN16 ? kNames[static_cast<size_t>(layout)] : "unknown";
}

}  // namespace tealight
