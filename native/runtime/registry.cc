// SPDX-License-Identifier: Apache-2.0
#include "runtime/registry.h"

#include "base/names.h"
#include "bundle/file.h"

namespace tealight {

#define TL_OP(name) OpKernel Cpu_##name();
#define TL_NO_OP(name)
#include "registry.inc"
#undef TL_OP
#undef TL_NO_OP

namespace {

// The ids, in the order of schema::OpAttributes.
enum OpId : size_t {
  kNone,
#define TL_OP(name) k_##name,
#define TL_NO_OP(name) TL_OP(name)
#include "registry.inc"
#undef TL_OP
#undef TL_NO_OP
  kOpCount
};
static_assert(kOpCount == static_cast<size_t>(schema::OpAttributes::MAX) + 1, "registry.inc is out of date");

constexpr char kOpNames[] = "\0"
#define TL_OP(name) #name "\0"
#define TL_NO_OP(name) TL_OP(name)
#include "registry.inc"
#undef TL_OP
#undef TL_NO_OP
    ;
// Names of the build's parts in one literal: the tools read it from the file of a library that they cannot run.
#ifdef TL_NO_WINOGRAD
#define TL_WINOGRAD_NAME ""
#else
#define TL_WINOGRAD_NAME " winograd"
#endif
#ifdef TL_NO_DEPTHWISE_5X5
#define TL_DEPTHWISE_5X5_NAME ""
#else
#define TL_DEPTHWISE_5X5_NAME " depthwise_5x5"
#endif
#ifdef TL_NO_DECODE
#define TL_DECODE_NAME ""
#else
#define TL_DECODE_NAME " stored_weights"
#endif
static_assert(kFormatVersion == 1, "the line 'format' below is out of date");
constexpr char kBuildInfo[] = "tealight-build-info 1\nversion " TL_VERSION
                              "\nformat 1\nops"
#define TL_OP(name) " " #name
#define TL_NO_OP(name)
#include "registry.inc"
#undef TL_OP
#undef TL_NO_OP
                              "\nfeatures" TL_WINOGRAD_NAME TL_DEPTHWISE_5X5_NAME TL_DECODE_NAME "\n";
static_assert(sizeof(kBuildInfo) < 2048, "the build info grows the library; shorten it");

}  // namespace

const char* OpName(size_t id) { return id > 0 && id < kOpCount ? NthName(kOpNames, id) : nullptr; }

// Not a table of functions: that would be filled in at load.
bool FindOp(size_t id, OpKernel* kernel) {
  switch (id) {
#define TL_OP(name)         \
  case k_##name:            \
    *kernel = Cpu_##name(); \
    return true;
#define TL_NO_OP(name)
#include "registry.inc"
#undef TL_OP
#undef TL_NO_OP
    default:
      return false;
  }
}

const char* BuiltOpName(size_t i) {
  OpKernel kernel;
  for (size_t id = 1; id < kOpCount; ++id) {
    if (FindOp(id, &kernel) && i-- == 0) return OpName(id);
  }
  return nullptr;
}

const char* FeatureName(size_t i) {
  const char* const names[] = {TL_WINOGRAD_NAME, TL_DEPTHWISE_5X5_NAME, TL_DECODE_NAME};
  for (const char* name : names) {
    if (name[0] != 0 && i-- == 0) return name + 1;
  }
  return nullptr;
}

const char* BuildInfo() { return kBuildInfo; }

}  // namespace tealight
