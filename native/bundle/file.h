// SPDX-License-Identifier: Apache-2.0
// The bytes of a .tea file and its fixed header. FileBytes owns a mapping or borrows memory; ReadHeader checks every
// rule of the header (sdk/tealight/bundle/FORMAT.md) but the digest, which would touch all pages.
#ifndef TEALIGHT_BUNDLE_FILE_H_
#define TEALIGHT_BUNDLE_FILE_H_

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

namespace tealight {

constexpr uint32_t kFormatVersion = 1;
constexpr uint64_t kKnownFeatures = 0;
constexpr size_t kHeaderBytes = 128;
constexpr size_t kDataAlignment = 64;
constexpr size_t kPageAlignment = 16384;  // of anything larger than this

class FileBytes {
 public:
  FileBytes() = default;
  ~FileBytes();
  FileBytes(const FileBytes&) = delete;
  FileBytes& operator=(const FileBytes&) = delete;

  Status OpenPath(const char* path);
  /// size 0 = to the end. Copies instead of mapping when offset is not 64-byte aligned.
  Status OpenFd(int fd, uint64_t offset, uint64_t size, const char* name);
  Status OpenMemory(const void* data, size_t size);

  const uint8_t* data() const { return data_; }
  size_t size() const { return size_; }

 private:
  const uint8_t* data_ = nullptr;
  size_t size_ = 0;
  void* mapping_ = nullptr;
  size_t mapping_bytes_ = 0;
};

struct FileHeader {
  uint64_t metadata_offset;
  uint64_t metadata_size;
  uint64_t data_offset;
  uint64_t data_size;
};

Status ReadHeader(const uint8_t* data, size_t size, FileHeader* header);

}  // namespace tealight

#endif  // TEALIGHT_BUNDLE_FILE_H_
