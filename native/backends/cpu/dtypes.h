// SPDX-License-Identifier: Apache-2.0
// The element types of an op, listed once: what its operand may be, and which instance of a template runs.
//
//   using Taken = Types<float, int8_t>;
//   if (!Has(Taken(), x->dtype)) return context.Error(...);
//   Visit(Taken(), x->dtype, [&](auto element) { Scan<decltype(element)>(context, s); });
#ifndef TEALIGHT_BACKENDS_CPU_DTYPES_H_
#define TEALIGHT_BACKENDS_CPU_DTYPES_H_

#include <stdint.h>

#include <type_traits>

#include "base/tensor.h"

namespace tealight {

template <typename... T>
struct Types {};

/// The dtype of elements of type T; bool tensors hold uint8_t and have none here.
template <typename T>
constexpr DType DTypeOf() {
  if (std::is_same<T, float>::value) return DType::kFloat32;
  if (std::is_same<T, int8_t>::value) return DType::kInt8;
  if (std::is_same<T, uint8_t>::value) return DType::kUint8;
  if (std::is_same<T, int32_t>::value) return DType::kInt32;
  if (std::is_same<T, uint32_t>::value) return DType::kUint32;
  if (std::is_same<T, int64_t>::value) return DType::kInt64;
  if (std::is_same<T, uint64_t>::value) return DType::kUint64;
  return DType::kNone;
}

/// Whether dtype is in the list.
template <typename... T>
constexpr bool Has(Types<T...>, DType dtype) {
  return ((DTypeOf<T>() == dtype) || ...);
}

/// Calls f(T()) for the type of dtype; does nothing for one that is not in the list.
template <typename... T, typename F>
void Visit(Types<T...>, DType dtype, const F& f) {
  (void)((DTypeOf<T>() == dtype && (f(T()), true)) || ...);
}

}  // namespace tealight

#endif  // TEALIGHT_BACKENDS_CPU_DTYPES_H_
