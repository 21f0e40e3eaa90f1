// SPDX-License-Identifier: Apache-2.0
// The ops of this build, by id: the discriminant of schema::OpAttributes. The list is made from the names of the files
// in backends/cpu/ops by native/cmake/registry.cmake. Immutable; thread-safe.
#ifndef TEALIGHT_RUNTIME_REGISTRY_H_
#define TEALIGHT_RUNTIME_REGISTRY_H_

#include "runtime/op.h"

namespace tealight {

/// The op's name ("max_pool2d"); null when id is 0 or past the last.
const char* OpName(size_t id);
/// Fills *kernel and returns true when this build has the op.
bool FindOp(size_t id, OpKernel* kernel);
/// Name of the i-th op that this build has; null past the last.
const char* BuiltOpName(size_t i);
/// Name of the i-th optional part that this build has; null past the last.
const char* FeatureName(size_t i);
/// The text of tl_build_info.
const char* BuildInfo();

}  // namespace tealight

#endif  // TEALIGHT_RUNTIME_REGISTRY_H_
