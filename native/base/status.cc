// SPDX-License-Identifier: Apache-2.0
#include "base/status.h"

#include <string.h>

#include "base/utf8.h"

namespace tealight {
namespace {

// Names are cut anywhere by %.60s and come from files: what is left is made one line of whole characters.
void MakeOneLine(char* message) {
  uint8_t* text = reinterpret_cast<uint8_t*>(message);
  const size_t size = strlen(message);
  size_t kept = 0;
  for (size_t i = 0; i < size;) {
    const size_t length = Utf8Length(text + i, size - i);
    if (length == 0) {
      ++i;  // part of a character
      continue;
    }
    for (size_t j = 0; j < length; ++j) text[kept + j] = text[i + j];
    if (text[kept] < 0x20 || text[kept] == 0x7f) text[kept] = '?';
    kept += length;
    i += length;
  }
  text[kept] = 0;
}

}  // namespace

Status Status::Error(tl_status code, const char* format, ...) {
  Status status;
  status.error_.code = code;
  va_list args;
  va_start(args, format);
  vsnprintf(status.error_.message, sizeof(status.error_.message), format, args);
  va_end(args);
  MakeOneLine(status.error_.message);
  return status;
}

}  // namespace tealight
