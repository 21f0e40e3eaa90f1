// SPDX-License-Identifier: Apache-2.0
// Regions straight from the system, blocks that are used again, and the budget that both count against. Pages are
// never touched here, so memory that nobody writes costs nothing. Not thread-safe.
#ifndef TEALIGHT_BASE_MEMORY_H_
#define TEALIGHT_BASE_MEMORY_H_

#include <stddef.h>
#include <stdint.h>

namespace tealight {

constexpr size_t kMemoryAlignment = 64;

// Bytes in use against a limit; shared by all executors of a session.
struct MemoryBudget {
  uint64_t limit = 0;  // 0 = none
  uint64_t used = 0;

  bool Take(uint64_t bytes) {
    if (limit != 0 && (bytes > limit || used > limit - bytes)) return false;
    used += bytes;
    return true;
  }
  void Give(uint64_t bytes) { used -= bytes; }
};

// One zeroed, page-aligned region; grows by being replaced.
class Region {
 public:
  Region() = default;
  ~Region() { Release(); }
  Region(const Region&) = delete;
  Region& operator=(const Region&) = delete;

  /// Makes the region at least `bytes` large; its contents are lost when it was smaller.
  [[nodiscard]] bool Reserve(size_t bytes, MemoryBudget* budget);
  void Release();
  char* data() const { return data_; }
  size_t size() const { return size_; }

 private:
  char* data_ = nullptr;
  size_t size_ = 0;
  MemoryBudget* budget_ = nullptr;
};

// Blocks of memory for tensors whose sizes are known only while running. A block given back is used again for the
// request that it fits best; when none fits, the largest free one grows. So the number of blocks is the largest
// number ever in use at once, and runs of the same shapes soon allocate nothing.
class BlockPool {
 public:
  BlockPool() = default;
  ~BlockPool();
  BlockPool(const BlockPool&) = delete;
  BlockPool& operator=(const BlockPool&) = delete;

  /// Blocks count against *budget, which outlives the pool.
  void SetBudget(MemoryBudget* budget) { budget_ = budget; }
  /// Returns the number of a free block of at least `bytes`, now in use; -1 when there is no memory.
  int Take(size_t bytes);
  /// Makes a block in use at least `bytes` large and keeps its contents; may move it.
  [[nodiscard]] bool Grow(int block, size_t bytes);
  void Give(int block) { blocks_[block].in_use = false; }
  char* data(int block) const { return blocks_[block].data; }
  uint64_t total_bytes() const { return total_bytes_; }

 private:
  struct Block {
    char* data;
    size_t size;
    bool in_use;
  };
  int AddBlock();
  bool Replace(Block* block, size_t bytes, bool keep);

  Block* blocks_ = nullptr;
  int count_ = 0;
  int capacity_ = 0;
  uint64_t total_bytes_ = 0;
  MemoryBudget* budget_ = nullptr;
};

}  // namespace tealight

#endif  // TEALIGHT_BASE_MEMORY_H_
