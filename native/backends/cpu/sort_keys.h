// SPDX-License-Identifier: Apache-2.0
// Elements of any number type as unsigned keys of the same order: NaN is the largest and equals itself, -0 equals +0.
// One definition for all ops that sort, so that they agree on every machine.
#ifndef TEALIGHT_BACKENDS_CPU_SORT_KEYS_H_
#define TEALIGHT_BACKENDS_CPU_SORT_KEYS_H_

#include <string.h>

#include "base/tensor.h"

namespace tealight {

/// Whether SortKey knows the dtype.
inline bool HasSortKey(DType dtype) { return DTypeSize(dtype) != 0 && dtype != DType::kBfloat16; }

// Of an IEEE number of so many bits; `infinity` is the bits of +infinity.
template <typename T>
inline uint64_t FloatSortKey(T bits, T infinity) {
  const T sign = static_cast<T>(T{1} << (sizeof(T) * 8 - 1));
  const T magnitude = static_cast<T>(bits & static_cast<T>(sign - 1));
  if (magnitude > infinity) return UINT64_MAX;
  if (magnitude == 0) return sign;
  return (bits & sign) != 0 ? static_cast<T>(sign - magnitude) : static_cast<T>(sign + magnitude);
}

template <typename T>
inline T LoadAs(const void* data, int64_t i) {
  T value;
  memcpy(&value, static_cast<const char*>(data) + i * static_cast<int64_t>(sizeof(T)), sizeof(T));
  return value;
}

/// The key of element i of data.
inline uint64_t SortKey(DType dtype, const void* data, int64_t i) {
  switch (dtype) {
    case DType::kFloat32:
      return FloatSortKey<uint32_t>(LoadAs<uint32_t>(data, i), 0x7f800000u);
    case DType::kFloat16:
      return FloatSortKey<uint16_t>(LoadAs<uint16_t>(data, i), 0x7c00);
    case DType::kFloat64:
      return FloatSortKey<uint64_t>(LoadAs<uint64_t>(data, i), 0x7ff0000000000000u);
    case DType::kInt8:
      return static_cast<uint64_t>(LoadAs<int8_t>(data, i) + 128);
    case DType::kInt16:
      return static_cast<uint64_t>(LoadAs<int16_t>(data, i) + 32768);
    case DType::kInt32:
      return LoadAs<uint32_t>(data, i) ^ 0x80000000u;
    case DType::kInt64:
      return LoadAs<uint64_t>(data, i) ^ 0x8000000000000000u;
    case DType::kUint16:
      return LoadAs<uint16_t>(data, i);
    case DType::kUint32:
      return LoadAs<uint32_t>(data, i);
    case DType::kUint64:
      return LoadAs<uint64_t>(data, i);
    case DType::kBool:
      return LoadAs<uint8_t>(data, i) != 0 ? 1 : 0;
    default:
      return LoadAs<uint8_t>(data, i);
  }
}

}  // namespace tealight

#endif  // TEALIGHT_BACKENDS_CPU_SORT_KEYS_H_
