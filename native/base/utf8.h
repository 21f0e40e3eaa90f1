// SPDX-License-Identifier: Apache-2.0
// One UTF-8 character at a time.
#ifndef TEALIGHT_BASE_UTF8_H_
#define TEALIGHT_BASE_UTF8_H_

#include <stddef.h>
#include <stdint.h>

namespace tealight {

/// Bytes of the UTF-8 character at text (1 to 4); 0 when there is none in text[0 .. size) or it is damaged.
inline size_t Utf8Length(const uint8_t* text, size_t size) {
  if (size == 0) return 0;
  const uint8_t first = text[0];
  if (first < 0x80) return 1;
  if (first < 0xc2 || first > 0xf4) return 0;
  const size_t length = first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
  if (length > size) return 0;
  for (size_t i = 1; i < length; ++i) {
    if ((text[i] & 0xc0) != 0x80) return 0;
  }
  // Overlong forms, surrogates, past U+10FFFF.
  const uint8_t second = text[1];
  if ((first == 0xe0 && second < 0xa0) || (first == 0xed && second > 0x9f)) return 0;
  if ((first == 0xf0 && second < 0x90) || (first == 0xf4 && second > 0x8f)) return 0;
  return length;
}

}  // namespace tealight

#endif  // TEALIGHT_BASE_UTF8_H_
