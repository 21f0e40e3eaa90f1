// SPDX-License-Identifier: Apache-2.0
#include "runtime/registry.h"

namespace tealight {

#define TL_OP(name) OpKernel Cpu_##name();
#define TL_NO_OP(name)
#include "registry.inc"
#undef TL_OP
#undef TL_NO_OP

namespace {

using MakeKernel = OpKernel (*)();
struct Row {
  const char* name;
  MakeKernel make;
};

constexpr Row kOps[] = {
    {nullptr, nullptr},
#define TL_OP(name) {#name, Cpu_##name},
#define TL_NO_OP(name) {#name, nullptr},
#include "registry.inc"
#undef TL_OP
#undef TL_NO_OP
};
constexpr size_t kOpCount = sizeof(kOps) / sizeof(kOps[0]);
static_assert(kOpCount == static_cast<size_t>(schema::OpAttributes::MAX) + 1, "registry.inc is out of date");

}  // namespace

const char* OpName(size_t id) { return id < kOpCount ? kOps[id].name : nullptr; }

bool FindOp(size_t id, OpKernel* kernel) {
  if (id >= kOpCount || kOps[id].make == nullptr) return false;
  *kernel = kOps[id].make();
  return true;
}

const char* BuiltOpName(size_t i) {
  for (const Row& row : kOps) {
    if (row.make != nullptr && i-- == 0) return row.name;
  }
  return nullptr;
}

}  // namespace tealight
