// SPDX-License-Identifier: Apache-2.0
// The big and little cores of a phone, and keeping threads to some of them. Nothing here is an error: where the system
// tells or allows nothing, threads run anywhere.
#ifndef TEALIGHT_BASE_CORES_H_
#define TEALIGHT_BASE_CORES_H_

#include <stddef.h>
#include <stdint.h>

namespace tealight {

constexpr size_t kMaxCores = 256;

// Numbers of cores; none = all of them.
struct CoreSet {
  uint64_t bits[kMaxCores / 64] = {};

  bool empty() const { return Count() == 0; }
  void Add(size_t core) { bits[core / 64] |= uint64_t{1} << core % 64; }
  uint32_t Count() const {
    int count = 0;
    for (const uint64_t part : bits) count += __builtin_popcountll(part);
    return static_cast<uint32_t>(count);
  }
};

struct Cores {
  CoreSet big;      // none where the cores are alike or the system does not tell
  CoreSet little;   // likewise
  uint32_t online;  // at least 1
};

/// Reads what the system tells of each core in `folder`: capacity, or else highest frequency.
Cores FindCores(const char* folder = "/sys/devices/system/cpu");

/// Keeps the calling thread to these cores from now on; does nothing for none. When before is not null, *before is set
/// to the cores until now, so that it can be restored.
void KeepThreadTo(const CoreSet& cores, CoreSet* before = nullptr);

}  // namespace tealight

#endif  // TEALIGHT_BASE_CORES_H_
