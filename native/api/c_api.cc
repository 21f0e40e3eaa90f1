// SPDX-License-Identifier: Apache-2.0
// The C API: thin wrappers over Model and Session.
#include "base/cpu_features.h"
#include "include/tealight.h"
#include "runtime/registry.h"

const char* tl_version(void) { return TL_VERSION; }
uint32_t tl_format_version(void) { return 1; }
const char* tl_isa_name(size_t i) {
  tealight::Isa isa;
  return tealight::SupportedIsa(i, &isa) ? tealight::IsaName(isa) : nullptr;
}
const char* tl_op_name(size_t i) { return tealight::BuiltOpName(i); }
