// SPDX-License-Identifier: Apache-2.0
#include "base/memory.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

namespace tealight {
namespace {

#ifndef MAP_NORESERVE
#define MAP_NORESERVE 0
#endif

constexpr size_t kMaxBytes = SIZE_MAX / 2;

}  // namespace

bool Region::Reserve(size_t bytes, MemoryBudget* budget) {
  if (bytes <= size_) return true;
  Release();
  if (bytes > kMaxBytes || !budget->Take(bytes)) return false;
  void* data = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (data == MAP_FAILED) {
    budget->Give(bytes);
    return false;
  }
  data_ = static_cast<char*>(data);
  size_ = bytes;
  budget_ = budget;
  return true;
}

void Region::Release() {
  if (data_ == nullptr) return;
  munmap(data_, size_);
  budget_->Give(size_);
  data_ = nullptr;
  size_ = 0;
}

BlockPool::~BlockPool() {
  for (int i = 0; i < count_; ++i) {
    free(blocks_[i].data);
    budget_->Give(blocks_[i].size);
  }
  free(blocks_);
}

int BlockPool::AddBlock() {
  if (count_ == capacity_) {
    const int capacity = capacity_ == 0 ? 16 : 2 * capacity_;
    void* grown = realloc(blocks_, static_cast<size_t>(capacity) * sizeof(Block));
    if (grown == nullptr) return -1;
    blocks_ = static_cast<Block*>(grown);
    capacity_ = capacity;
  }
  blocks_[count_] = Block{nullptr, 0, false};
  return count_++;
}

bool BlockPool::Replace(Block* block, size_t bytes, bool keep) {
  if (bytes > kMaxBytes) return false;
  bytes = (bytes + kMemoryAlignment - 1) & ~(kMemoryAlignment - 1);
  if (bytes == 0) bytes = kMemoryAlignment;
  if (!keep) {
    free(block->data);
    budget_->Give(block->size);
    total_bytes_ -= block->size;
    block->data = nullptr;
    block->size = 0;
  }
  if (!budget_->Take(bytes)) return false;
  void* data = nullptr;
  if (posix_memalign(&data, kMemoryAlignment, bytes) != 0) {
    budget_->Give(bytes);
    return false;
  }
  if (keep && block->data != nullptr) {
    memcpy(data, block->data, block->size);
    free(block->data);
    budget_->Give(block->size);
    total_bytes_ -= block->size;
  }
  total_bytes_ += bytes;
  block->data = static_cast<char*>(data);
  block->size = bytes;
  return true;
}

int BlockPool::Take(size_t bytes) {
  int best = -1;
  int largest = -1;
  for (int i = 0; i < count_; ++i) {
    const Block& block = blocks_[i];
    if (block.in_use) continue;
    if (block.size >= bytes && (best < 0 || block.size < blocks_[best].size)) best = i;
    if (largest < 0 || block.size > blocks_[largest].size) largest = i;
  }
  if (best < 0) {
    best = largest >= 0 ? largest : AddBlock();
    if (best < 0 || !Replace(&blocks_[best], bytes, false)) return -1;
  }
  blocks_[best].in_use = true;
  return best;
}

bool BlockPool::Grow(int block, size_t bytes) {
  if (bytes <= blocks_[block].size) return true;
  const size_t doubled = 2 * blocks_[block].size;
  return Replace(&blocks_[block], bytes > doubled ? bytes : doubled, true);
}

}  // namespace tealight
