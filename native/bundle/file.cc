// SPDX-License-Identifier: Apache-2.0
#include "bundle/file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

namespace tealight {
namespace {

constexpr size_t kMaxFileBytes = SIZE_MAX / 4;

// Little-endian at any alignment, on any host.
uint64_t ReadU64(const uint8_t* p) {
  uint64_t value = 0;
  for (int i = 7; i >= 0; --i) value = value << 8 | p[i];
  return value;
}

uint32_t ReadU32(const uint8_t* p) { return static_cast<uint32_t>(ReadU64(p) & 0xffffffffu); }

Status IoError(const char* name, const char* what) {
  char reason[80];
  snprintf(reason, sizeof(reason), "%.79s", strerror(errno));
  return Status::Error(TL_ERROR_IO, "bundle '%.100s': %s gave '%s', expected a readable file", name, what, reason);
}

Status Invalid(const char* field, uint64_t found, const char* expected) {
  return Status::Error(TL_ERROR_INVALID_BUNDLE, "bundle header: %s is %llu, expected %s", field,
                       static_cast<unsigned long long>(found), expected);
}

}  // namespace

FileBytes::~FileBytes() {
  if (mapping_ != nullptr) munmap(mapping_, mapping_bytes_);
}

Status FileBytes::OpenPath(const char* path) {
  const int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return IoError(path, "open");
  Status status = OpenFd(fd, 0, 0, path);
  close(fd);
  return status;
}

Status FileBytes::OpenFd(int fd, uint64_t offset, uint64_t size, const char* name) {
  struct stat info;
  if (fstat(fd, &info) != 0) return IoError(name, "fstat");
  if (!S_ISREG(info.st_mode))
    return Status::Error(TL_ERROR_IO, "bundle '%.100s': not a regular file, expected one", name);
  const uint64_t file_size = static_cast<uint64_t>(info.st_size);
  if (offset > file_size || size > file_size - offset) {
    return Status::Error(TL_ERROR_IO, "bundle '%.100s': %llu bytes, expected at least %llu", name,
                         static_cast<unsigned long long>(file_size), static_cast<unsigned long long>(offset + size));
  }
  if (size == 0) size = file_size - offset;
  if (size < kHeaderBytes || size > kMaxFileBytes) {
    return Status::Error(TL_ERROR_INVALID_BUNDLE, "bundle '%.100s': %llu bytes, expected at least %zu", name,
                         static_cast<unsigned long long>(size), kHeaderBytes);
  }
  size_ = static_cast<size_t>(size);
  if (offset % kDataAlignment != 0) {
    void* copy = mmap(nullptr, size_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (copy == MAP_FAILED) return IoError(name, "mmap");
    mapping_ = copy;
    mapping_bytes_ = size_;
    data_ = static_cast<uint8_t*>(copy);
    for (size_t done = 0; done < size_;) {
      const ssize_t got = pread(fd, static_cast<char*>(copy) + done, size_ - done, static_cast<off_t>(offset + done));
      if (got <= 0) return IoError(name, "read");
      done += static_cast<size_t>(got);
    }
    return Status::Ok();
  }
  const size_t before = static_cast<size_t>(offset % static_cast<uint64_t>(sysconf(_SC_PAGESIZE)));
  void* mapping = mmap(nullptr, size_ + before, PROT_READ, MAP_PRIVATE, fd, static_cast<off_t>(offset - before));
  if (mapping == MAP_FAILED) return IoError(name, "mmap");
  mapping_ = mapping;
  mapping_bytes_ = size_ + before;
  data_ = static_cast<uint8_t*>(mapping) + before;
  return Status::Ok();
}

Status FileBytes::OpenMemory(const void* data, size_t size) {
  if (reinterpret_cast<uintptr_t>(data) % kDataAlignment != 0) {
    return Status::Error(TL_ERROR_INVALID_ARGUMENT, "bundle memory: address not aligned, expected a multiple of %zu",
                         kDataAlignment);
  }
  if (data == nullptr || size < kHeaderBytes || size > kMaxFileBytes) {
    return Status::Error(TL_ERROR_INVALID_BUNDLE, "bundle memory: %zu bytes, expected at least %zu", size,
                         kHeaderBytes);
  }
  data_ = static_cast<const uint8_t*>(data);
  size_ = size;
  return Status::Ok();
}

Status ReadHeader(const uint8_t* data, size_t size, FileHeader* header) {
  if (size < kHeaderBytes) return Invalid("file size", size, "at least 128");
  if (memcmp(data, "TEAL", 4) != 0) {
    return Status::Error(TL_ERROR_INVALID_BUNDLE, "bundle header: magic is not 'TEAL', expected a .tea file");
  }
  const uint32_t version = ReadU32(data + 4);
  if (version == 0 || version > kFormatVersion) {
    return Status::Error(TL_ERROR_UNSUPPORTED_VERSION,
                         "bundle header: format version %u, expected 1 to %u; build the bundle with an older tool or "
                         "update the runtime",
                         version, kFormatVersion);
  }
  const uint64_t features = ReadU64(data + 8);
  if ((features & ~kKnownFeatures) != 0) {
    return Status::Error(TL_ERROR_UNSUPPORTED_VERSION,
                         "bundle header: required features 0x%llx, expected only bits of 0x%llx; update the runtime",
                         static_cast<unsigned long long>(features), static_cast<unsigned long long>(kKnownFeatures));
  }
  const uint64_t file_size = ReadU64(data + 16);
  header->metadata_offset = ReadU64(data + 24);
  header->metadata_size = ReadU64(data + 32);
  header->data_offset = ReadU64(data + 40);
  header->data_size = ReadU64(data + 48);
  if (file_size != size) return Invalid("file size", file_size, "the size of the file (truncated?)");
  for (size_t i = 88; i < kHeaderBytes; ++i) {
    if (data[i] != 0) return Invalid("reserved byte", data[i], "0");
  }
  if (header->metadata_offset != kHeaderBytes) return Invalid("metadata offset", header->metadata_offset, "128");
  if (header->metadata_size > size - kHeaderBytes) {
    return Invalid("metadata size", header->metadata_size, "no more than the file holds");
  }
  const uint64_t alignment = header->data_size > kPageAlignment ? kPageAlignment : kDataAlignment;
  if (header->data_offset % alignment != 0) {
    return Invalid("data offset", header->data_offset, "a multiple of 64, or 16384 for more than 16 KiB of data");
  }
  if (header->data_offset < kHeaderBytes + header->metadata_size || header->data_offset > size) {
    return Invalid("data offset", header->data_offset, "an offset after the metadata and in the file");
  }
  if (header->data_size != size - header->data_offset) {
    return Invalid("data size", header->data_size, "all bytes from the data offset to the end of the file");
  }
  return Status::Ok();
}

}  // namespace tealight
