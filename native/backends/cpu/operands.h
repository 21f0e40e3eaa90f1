// SPDX-License-Identifier: Apache-2.0
// What the ops that move data share: operand checks, integer operands of either width, and the report of an index that
// is out of range.
#ifndef TEALIGHT_BACKENDS_CPU_OPERANDS_H_
#define TEALIGHT_BACKENDS_CPU_OPERANDS_H_

#include <string.h>

#include <atomic>

#include "base/tensor.h"
#include "runtime/op.h"

namespace tealight {

/// Gives operand i, which must be there, plain and of whole bytes.
inline Status PlainOperand(const OpContext& context, int i, const char* name, const Tensor** tensor) {
  *tensor = context.input(i);
  if (*tensor == nullptr) return context.Error(TL_ERROR_INVALID_BUNDLE, "%s: absent, expected an operand", name);
  if ((*tensor)->layout != Layout::kPlain || DTypeSize((*tensor)->dtype) == 0) {
    return context.Error(TL_ERROR_INVALID_BUNDLE, "%s: %s in layout %d, expected whole bytes in the plain layout", name,
                         DTypeName((*tensor)->dtype), static_cast<int>((*tensor)->layout));
  }
  return Status::Ok();
}

/// The same for an operand of the given dtype.
inline Status TypedOperand(const OpContext& context, int i, const char* name, DType dtype, const Tensor** tensor) {
  RETURN_IF_ERROR(PlainOperand(context, i, name, tensor));
  if ((*tensor)->dtype != dtype) {
    return context.Error(TL_ERROR_INVALID_BUNDLE, "%s: %s, expected %s", name, DTypeName((*tensor)->dtype),
                         DTypeName(dtype));
  }
  return Status::Ok();
}

/// The same for an operand of int32 or int64.
inline Status IndexOperand(const OpContext& context, int i, const char* name, const Tensor** tensor) {
  RETURN_IF_ERROR(PlainOperand(context, i, name, tensor));
  if ((*tensor)->dtype != DType::kInt32 && (*tensor)->dtype != DType::kInt64) {
    return context.Error(TL_ERROR_INVALID_BUNDLE, "%s: %s, expected int32 or int64", name, DTypeName((*tensor)->dtype));
  }
  return Status::Ok();
}

/// The same for an operand of the given dtype with exactly one element.
inline Status ScalarOperand(const OpContext& context, int i, const char* name, DType dtype, const Tensor** tensor) {
  RETURN_IF_ERROR(TypedOperand(context, i, name, dtype, tensor));
  if ((*tensor)->Elements() != 1) {
    return context.Error(TL_ERROR_WRONG_SHAPE, "%s: %lld elements, expected 1", name,
                         static_cast<long long>((*tensor)->Elements()));
  }
  return Status::Ok();
}

/// Brings an axis into [0, rank).
inline Status NormalAxis(const OpContext& context, const char* name, int64_t axis, int rank, int* normal) {
  if (axis < -rank || axis >= rank) {
    return context.Error(TL_ERROR_INVALID_BUNDLE, "%s: %lld, expected one in [%d, %d)", name,
                         static_cast<long long>(axis), -rank, rank);
  }
  *normal = static_cast<int>(axis < 0 ? axis + rank : axis);
  return Status::Ok();
}

/// An error when result i is not wanted, for the data-dependent ops that have only this one.
inline Status WantedResult(const OpContext& context, int i) {
  if (context.output(i) != nullptr) return Status::Ok();
  return context.Error(TL_ERROR_INVALID_BUNDLE, "result %d: not wanted, expected a use of it", i);
}

/// Element i of a tensor of int32 or int64.
inline int64_t IntAt(const Tensor& tensor, int64_t i) {
  return tensor.dtype == DType::kInt64 ? tensor.As<int64_t>()[i] : tensor.As<int32_t>()[i];
}

// The first index out of range that any thread met. Which one it is does not depend on the threads.
class BadIndex {
 public:
  /// Resolves an index that may count from the end. Returns -1 and notes its position when it is out of range.
  int64_t Resolve(int64_t index, int64_t size, int64_t position) {
    const int64_t resolved = index < 0 ? index + size : index;
    if (__builtin_expect(static_cast<uint64_t>(resolved) < static_cast<uint64_t>(size), 1)) return resolved;
    Note(position);
    return -1;
  }
  bool found() const { return first_.load(std::memory_order_relaxed) != INT64_MAX; }
  int64_t position() const { return first_.load(std::memory_order_relaxed); }

  /// Ok, or the error that names the index at position() of `indices` and the range for a dim of `size`.
  Status ToStatus(const OpContext& context, const Tensor& indices, int64_t size) const {
    if (!found()) return Status::Ok();
    return context.Error(TL_ERROR_RUNTIME, "index %lld at element %lld, expected in [%lld, %lld]",
                         static_cast<long long>(IntAt(indices, position())), static_cast<long long>(position()),
                         static_cast<long long>(-size), static_cast<long long>(size - 1));
  }

 private:
  void Note(int64_t position) {
    int64_t seen = first_.load(std::memory_order_relaxed);
    while (position < seen && !first_.compare_exchange_weak(seen, position, std::memory_order_relaxed)) {
    }
  }
  std::atomic<int64_t> first_{INT64_MAX};
};

/// Copies `bytes`; the common small sizes are single moves.
inline void CopyItem(char* to, const char* from, int64_t bytes) {
  switch (bytes) {
    case 1:
      *to = *from;
      return;
    case 2:
      memcpy(to, from, 2);
      return;
    case 4:
      memcpy(to, from, 4);
      return;
    case 8:
      memcpy(to, from, 8);
      return;
    default:
      memcpy(to, from, static_cast<size_t>(bytes));
      return;
  }
}

template <typename T>
inline void FillItems(void* to, const void* item, int64_t count) {
  T value;
  memcpy(&value, item, sizeof(value));
  T* out = static_cast<T*>(to);
  for (int64_t i = 0; i < count; ++i) out[i] = value;
}

/// Writes an item of 1, 2, 4 or 8 bytes count times.
inline void FillBytes(void* to, const void* item, size_t item_bytes, int64_t count) {
  switch (item_bytes) {
    case 1:
      return FillItems<uint8_t>(to, item, count);
    case 2:
      return FillItems<uint16_t>(to, item, count);
    case 4:
      return FillItems<uint32_t>(to, item, count);
    default:
      return FillItems<uint64_t>(to, item, count);
  }
}

/// How many items of so many bytes are worth handing to a thread.
inline size_t GrainOf(int64_t item_bytes) { return static_cast<size_t>(32768 / (item_bytes > 0 ? item_bytes : 1)) + 1; }

}  // namespace tealight

#endif  // TEALIGHT_BACKENDS_CPU_OPERANDS_H_
