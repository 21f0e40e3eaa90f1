// SPDX-License-Identifier: Apache-2.0
// Checks a bundle's metadata once at load, so that everything after it can index without looking. What an op needs of
// its attributes and operands is the op's own Prepare.
#ifndef TEALIGHT_BUNDLE_VALIDATE_H_
#define TEALIGHT_BUNDLE_VALIDATE_H_

#include "base/status.h"
#include "base/tensor.h"
#include "bundle/file.h"
#include "bundle/schema.h"

namespace tealight {

constexpr int kMaxProgramDepth = 8;
constexpr uint64_t kMaxArenaBytes = uint64_t{64} << 30;

/// Verifies the flatbuffer in data[metadata] and returns its root, valid as long as data.
Status ReadMetadata(const uint8_t* data, const FileHeader& header, const schema::Bundle** bundle);

/// Checks every index, offset, size and order in the bundle. After it succeeds: the tables and vectors that are
/// required are not null; every tensor is defined once and before its uses; constants have the bytes of their tensors.
Status Validate(const schema::Bundle& bundle, const FileHeader& header);

/// How an instruction's result may share memory; used by CheckStorage.
using MayRunInPlace = bool (*)(schema::OpAttributes op);
/// Checks that in a static program no result lies on memory that its instruction still reads or writes otherwise.
Status CheckStorage(const schema::Program& program, MayRunInPlace may_run_in_place);

// ---- reading what Validate has checked ----

/// Returns the tensor's shape; a dim that is a symbol stays negative (-1 - symbol).
Shape ShapeOf(const schema::Tensor& tensor);
/// Bytes of a tensor of fixed shape.
uint64_t BytesOf(const schema::Tensor& tensor);
/// Name for messages; "" when absent.
inline const char* NameOf(const flatbuffers::String* name) { return name == nullptr ? "" : name->c_str(); }
inline uint32_t SizeOf(const flatbuffers::Vector<int32_t>* indices) { return indices == nullptr ? 0 : indices->size(); }

}  // namespace tealight

#endif  // TEALIGHT_BUNDLE_VALIDATE_H_
