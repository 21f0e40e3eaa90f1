// SPDX-License-Identifier: Apache-2.0
// Text of shapes for messages. Owns its characters; allocates nothing.
#ifndef TEALIGHT_BASE_FORMAT_H_
#define TEALIGHT_BASE_FORMAT_H_

#include <stdio.h>

#include "base/tensor.h"

namespace tealight {

/// "[1, 224, 224, 3]"; a dim that is not fixed (negative) reads "?".
class ShapeText {
 public:
  explicit ShapeText(const Shape& shape) {
    Add("[");
    for (int i = 0; i < shape.rank; ++i) {
      char dim[24];
      snprintf(dim, sizeof(dim), shape[i] < 0 ? "%s?" : "%s%lld", i == 0 ? "" : ", ", static_cast<long long>(shape[i]));
      Add(dim);
    }
    Add("]");
  }
  const char* c_str() const { return text_; }

 private:
  void Add(const char* part) {
    for (; *part != 0 && size_ + 1 < sizeof(text_); ++part) text_[size_++] = *part;
    text_[size_] = 0;
  }
  char text_[80] = {};
  size_t size_ = 0;
};

}  // namespace tealight

#endif  // TEALIGHT_BASE_FORMAT_H_
