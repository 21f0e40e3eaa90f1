// SPDX-License-Identifier: Apache-2.0
#include "base/array.h"

namespace tealight {

void* AllocateElements(size_t count, size_t element_bytes, size_t alignment) {
  size_t bytes = 0;
  void* memory = nullptr;
  if (__builtin_mul_overflow(count, element_bytes, &bytes)) return nullptr;
  if (posix_memalign(&memory, alignment < sizeof(void*) ? sizeof(void*) : alignment, bytes) != 0) return nullptr;
  return memory;
}

}  // namespace tealight
