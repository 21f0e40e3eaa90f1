// SPDX-License-Identifier: Apache-2.0
#include "base/tensor.h"

#include "base/names.h"

namespace tealight {

const char* DTypeName(DType dtype) {
  return NthName(
      "none\0float32\0float16\0float64\0int8\0uint8\0int16\0uint16\0int32\0uint32\0int64\0uint64\0bool\0bfloat16\0"
      "int4\0uint4",
      static_cast<size_t>(dtype) & 15);
}

}  // namespace tealight
