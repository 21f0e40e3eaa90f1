// SPDX-License-Identifier: Apache-2.0
// Status: success, or a code of tealight.h and a message of the form
// "<object>: <found>, <expected>[; <what to do>]". Copyable, holds no heap memory, not thread-safe.
#ifndef TEALIGHT_BASE_STATUS_H_
#define TEALIGHT_BASE_STATUS_H_

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "include/tealight.h"

namespace tealight {

class [[nodiscard]] Status {
 public:
  Status() = default;
  static Status Ok() { return Status(); }
  /// Formats the message as printf does; it is made one line of UTF-8 and cut to the size of tl_error::message.
  static Status Error(tl_status code, const char* format, ...) __attribute__((format(printf, 2, 3)));
  bool ok() const { return error_.code == TL_OK; }
  tl_status code() const { return error_.code; }
  const char* message() const { return error_.message; }
  /// Copies code and message to *error when it is not null, and returns the code.
  tl_status ToC(tl_error* error) const {
    if (error != nullptr) *error = error_;
    return error_.code;
  }

 private:
  tl_error error_ = {TL_OK, {0}};
};

/// The number in an enum of the C API, where a caller may have put any.
template <typename E>
unsigned NumberOf(const E& value) {
  unsigned number = 0;
  static_assert(sizeof(number) == sizeof(value), "");
  memcpy(&number, &value, sizeof(number));
  return number;
}

#define RETURN_IF_ERROR(expression)                         \
  do {                                                      \
    ::tealight::Status status_ = (expression);              \
    if (__builtin_expect(!status_.ok(), 0)) return status_; \
  } while (0)

}  // namespace tealight

#endif  // TEALIGHT_BASE_STATUS_H_
