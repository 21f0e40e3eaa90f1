// SPDX-License-Identifier: Apache-2.0
#include "bundle/layout.h"

#include "base/names.h"

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

// gemm_n32k4: panels of 32 columns, each with its int32 sums before the weights.
bool Int8GemmBytes(DType dtype, uint32_t groups, const Shape& shape, uint64_t* bytes) {
  if (dtype != DType::kInt8 && dtype != DType::kInt4) return false;
  uint64_t k = 1, total = (static_cast<uint64_t>(shape[0]) / groups + 31) / 32 * groups;
  for (int i = 1; i < shape.rank; ++i) {
    if (!Multiply(&k, static_cast<uint64_t>(shape[i]))) return false;
  }
  const uint64_t panel = 32 * 4 + (dtype == DType::kInt8 ? (k + 3) / 4 : (k + 7) / 8) * 32 * 4;
  if (!Multiply(&total, panel)) return false;
  *bytes = total;
  return true;
}

// dwconv_c16r4: [ceil(c/16)]{sums [16], int8 [kw][ceil(kh/4)][16][4]}.
bool Int8DepthwiseBytes(DType dtype, const Shape& shape, uint64_t* bytes) {
  if (dtype != DType::kInt8 || shape.rank != 3) return false;
  uint64_t panel = static_cast<uint64_t>(shape[2]), total = (static_cast<uint64_t>(shape[0]) + 15) / 16;
  if (!Multiply(&panel, (static_cast<uint64_t>(shape[1]) + 3) / 4) || !Multiply(&panel, 64)) return false;
  if (!Multiply(&total, panel + 64)) return false;
  *bytes = total;
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
  if ((layout == Layout::kDwconvC16 || layout == Layout::kDwconvC16R4) && groups != 1) return false;
  if ((layout == Layout::kPadN16 || layout == Layout::kPadN32) && shape.rank != 1) return false;
  if (layout == Layout::kConvTransposeN16 && shape.rank != 4) return false;
  const uint64_t n = static_cast<uint64_t>(shape[0]);
  if (groups == 0 || n % groups != 0) return false;
  if (layout == Layout::kGemmN32K4) return Int8GemmBytes(dtype, groups, shape, bytes);
  if (layout == Layout::kDwconvC16R4) return Int8DepthwiseBytes(dtype, shape, bytes);
  if (layout == Layout::kConvTransposeN32K4) return false;
  const uint64_t lanes = layout == Layout::kPadN32 ? 2 * kLanes : kLanes;
  uint64_t packed = (n / groups + lanes - 1) / lanes * lanes;
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
  if (layout > Layout::kConvTransposeN32K4) return "unknown";
  return NthName(
      "plain\0pad_n16\0gemm_n16\0dwconv_c16\0conv_transpose_n16\0winograd_n16\0pad_n32\0gemm_n32k4\0dwconv_c16r4\0"
      "conv_transpose_n32k4",
      static_cast<size_t>(layout));
}

}  // namespace tealight
