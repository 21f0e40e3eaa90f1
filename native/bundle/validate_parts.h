// SPDX-License-Identifier: Apache-2.0
// What the files of Validate share; included by nothing else.
#ifndef TEALIGHT_BUNDLE_VALIDATE_PARTS_H_
#define TEALIGHT_BUNDLE_VALIDATE_PARTS_H_

#include "base/status.h"
#include "base/utf8.h"
#include "bundle/schema.h"

#define INVALID(...) Status::Error(TL_ERROR_INVALID_BUNDLE, __VA_ARGS__)

namespace tealight {

using flatbuffers::Offset;
using flatbuffers::String;
using flatbuffers::Vector;
using ull = unsigned long long;
using ll = long long;

/// True for UTF-8 without NUL, so that a name can be shown and passed on as a C string.
inline bool IsText(const String* text) {
  if (text == nullptr) return true;
  for (size_t i = 0; i < text->size();) {
    const size_t length = Utf8Length(text->Data() + i, text->size() - i);
    if (length == 0 || text->Data()[i] == 0) return false;
    i += length;
  }
  return true;
}

template <typename T>
bool AllPresent(const Vector<Offset<T>>* tables) {
  if (tables == nullptr) return true;
  for (flatbuffers::uoffset_t i = 0; i < tables->size(); ++i) {
    if (reinterpret_cast<const flatbuffers::uoffset_t*>(tables->Data())[i] == 0) return false;
  }
  return true;
}

template <typename T>
uint32_t Count(const Vector<T>* vector) {
  return vector == nullptr ? 0 : vector->size();
}

/// The flatbuffer verifier looks at the alignment of a vector's length only, not of its 8-byte elements.
inline bool IsAligned(const Vector<int64_t>* vector) {
  return Count(vector) == 0 || reinterpret_cast<uintptr_t>(vector->Data()) % sizeof(int64_t) == 0;
}

/// Checks metadata, images and labels.
Status CheckMetadata(const schema::Bundle& bundle);
/// Checks the golden data; the programs have been checked.
Status CheckGolden(const schema::Bundle& bundle);

}  // namespace tealight

#endif  // TEALIGHT_BUNDLE_VALIDATE_PARTS_H_
