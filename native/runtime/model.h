// SPDX-License-Identifier: Apache-2.0
// Model: an open bundle, checked once, immutable and shareable between threads. Owns the mapping.
#ifndef TEALIGHT_RUNTIME_MODEL_H_
#define TEALIGHT_RUNTIME_MODEL_H_

#include "base/status.h"
#include "base/tensor.h"
#include "bundle/file.h"
#include "bundle/schema.h"

namespace tealight {

class Model {
 public:
  Status OpenPath(const char* path);
  Status OpenFd(int fd, uint64_t offset, uint64_t size);
  Status OpenMemory(const void* data, size_t size);

  const schema::Bundle& bundle() const { return *bundle_; }
  const schema::Program& program(uint32_t i) const { return *bundle_->programs()->Get(i); }
  /// The constant's bytes in the mapping; nobody writes to them.
  void* constant_data(int32_t constant) const;
  uint64_t constant_size(int32_t constant) const;
  uint64_t constant_bytes() const { return header_.data_size; }

  size_t entry_point_count() const { return bundle_->entry_points()->size(); }
  const char* entry_point_name(size_t i) const;
  /// Index of the program of an entry point that exists.
  uint32_t entry_program(size_t i) const;
  const char* metadata(const char* key) const;
  /// Key of the i-th metadata row; null past the last.
  const char* metadata_key(size_t i) const;
  /// The i-th description of a picture; null past the last.
  const schema::ImageInput* image(size_t i) const;
  /// Labels of an output; null when it has none.
  const schema::Labels* labels(const char* output) const;

 private:
  Status Load();
  Status CheckOps() const;

  FileBytes file_;
  FileHeader header_ = {};
  const schema::Bundle* bundle_ = nullptr;
};

}  // namespace tealight

#endif  // TEALIGHT_RUNTIME_MODEL_H_
