// SPDX-License-Identifier: Apache-2.0
// Array: a fixed number of elements on the heap, for tables made once. Owns them; moves nothing, never grows.
#ifndef TEALIGHT_BASE_ARRAY_H_
#define TEALIGHT_BASE_ARRAY_H_

#include <stddef.h>
#include <stdlib.h>

#include <new>

namespace tealight {

/// Memory for `count` elements; null when there is none. To be freed.
void* AllocateElements(size_t count, size_t element_bytes, size_t alignment);

template <typename T>
class Array {
 public:
  Array() = default;
  ~Array() { Clear(); }
  Array(const Array&) = delete;
  Array& operator=(const Array&) = delete;

  /// Replaces the contents by `size` value-initialised elements. Returns false, empty, when there is no memory.
  [[nodiscard]] bool Allocate(size_t size) {
    Clear();
    if (size == 0) return true;
    data_ = static_cast<T*>(AllocateElements(size, sizeof(T), alignof(T)));
    if (data_ == nullptr) return false;
    for (; size_ < size; ++size_) new (data_ + size_) T();
    return true;
  }
  void Clear() {
    for (size_t i = size_; i > 0; --i) data_[i - 1].~T();
    free(data_);
    data_ = nullptr;
    size_ = 0;
  }

  size_t size() const { return size_; }
  size_t bytes() const { return size_ * sizeof(T); }
  T* data() { return data_; }
  const T* data() const { return data_; }
  T& operator[](size_t i) { return data_[i]; }
  const T& operator[](size_t i) const { return data_[i]; }
  T* begin() { return data_; }
  T* end() { return data_ + size_; }
  const T* begin() const { return data_; }
  const T* end() const { return data_ + size_; }

 private:
  T* data_ = nullptr;
  size_t size_ = 0;
};

}  // namespace tealight

#endif  // TEALIGHT_BASE_ARRAY_H_
