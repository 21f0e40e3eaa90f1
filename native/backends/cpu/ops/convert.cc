// SPDX-License-Identifier: Apache-2.0
#include "backends/cpu/ops/convert.h"

#include <string.h>

namespace tealight {
namespace {

template <typename From, typename To>
void Copy(const void* x, size_t n, void* y) {
  const From* from = static_cast<const From*>(x);
  To* to = static_cast<To*>(y);
  for (size_t i = 0; i < n; ++i) to[i] = static_cast<To>(from[i]);
}

void FromBfloat16(const void* x, size_t n, void* y) {
  for (size_t i = 0; i < n; ++i) {
    const uint32_t bits = static_cast<uint32_t>(static_cast<const uint16_t*>(x)[i]) << 16;
    memcpy(static_cast<float*>(y) + i, &bits, sizeof(bits));
  }
}
void ToBfloat16(const void* x, size_t n, void* y) {
  for (size_t i = 0; i < n; ++i) {
    uint32_t bits;
    memcpy(&bits, static_cast<const float*>(x) + i, sizeof(bits));
    const bool nan = (bits & 0x7fffffffu) > 0x7f800000u;
    bits = nan ? bits | 0x00400000u : bits + 0x7fffu + ((bits >> 16) & 1u);
    static_cast<uint16_t*>(y)[i] = static_cast<uint16_t>(bits >> 16);
  }
}

}  // namespace

Wide WideOf(DType dtype) {
  switch (dtype) {
    case DType::kFloat32:
    case DType::kFloat16:
    case DType::kBfloat16:
      return Wide::kFloat;
    case DType::kFloat64:
      return Wide::kDouble;
    case DType::kInt8:
    case DType::kInt16:
    case DType::kInt32:
    case DType::kInt64:
    case DType::kBool:
      return Wide::kInt;
    case DType::kUint8:
    case DType::kUint16:
    case DType::kUint32:
    case DType::kUint64:
      return Wide::kUint;
    default:
      return Wide::kNone;
  }
}

const void* Widen(const ElementwiseKernels& kernels, DType dtype, const void* x, size_t n, void* tile) {
  switch (dtype) {
    case DType::kFloat16:
      kernels.from_half(n, static_cast<const uint16_t*>(x), static_cast<float*>(tile));
      break;
    case DType::kBfloat16:
      FromBfloat16(x, n, tile);
      break;
    case DType::kInt8:
      Copy<int8_t, int64_t>(x, n, tile);
      break;
    case DType::kInt16:
      Copy<int16_t, int64_t>(x, n, tile);
      break;
    case DType::kInt32:
      Copy<int32_t, int64_t>(x, n, tile);
      break;
    case DType::kUint8:
      Copy<uint8_t, uint64_t>(x, n, tile);
      break;
    case DType::kUint16:
      Copy<uint16_t, uint64_t>(x, n, tile);
      break;
    case DType::kUint32:
      Copy<uint32_t, uint64_t>(x, n, tile);
      break;
    case DType::kBool:
      for (size_t i = 0; i < n; ++i) static_cast<int64_t*>(tile)[i] = static_cast<const uint8_t*>(x)[i] != 0;
      break;
    default:
      return x;
  }
  return tile;
}

void Narrow(const ElementwiseKernels& kernels, DType dtype, const void* tile, size_t n, void* y) {
  switch (dtype) {
    case DType::kFloat16:
      return kernels.to_half(n, static_cast<const float*>(tile), static_cast<uint16_t*>(y));
    case DType::kBfloat16:
      return ToBfloat16(tile, n, y);
    // The low bits are the same for signed and unsigned.
    case DType::kInt8:
    case DType::kUint8:
      return Copy<uint64_t, uint8_t>(tile, n, y);
    case DType::kInt16:
    case DType::kUint16:
      return Copy<uint64_t, uint16_t>(tile, n, y);
    case DType::kInt32:
    case DType::kUint32:
      return Copy<uint64_t, uint32_t>(tile, n, y);
    case DType::kBool:
      for (size_t i = 0; i < n; ++i) static_cast<uint8_t*>(y)[i] = static_cast<const int64_t*>(tile)[i] != 0;
      return;
    default:
      memmove(y, tile, n * DTypeSize(dtype));
      return;
  }
}

}  // namespace tealight
