// SPDX-License-Identifier: Apache-2.0
// Lists of names in one literal. A table of pointers would be filled in at load and cost 32 bytes a name.
#ifndef TEALIGHT_BASE_NAMES_H_
#define TEALIGHT_BASE_NAMES_H_

#include <stddef.h>
#include <string.h>

namespace tealight {

/// The i-th of names that lie one after another, each with a NUL.
inline const char* NthName(const char* names, size_t i) {
  for (; i > 0; --i) names += strlen(names) + 1;
  return names;
}

}  // namespace tealight

#endif  // TEALIGHT_BASE_NAMES_H_
