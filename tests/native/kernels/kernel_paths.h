// SPDX-License-Identifier: Apache-2.0
// What the kernel tests share: every path of this CPU, repeatable values and comparison of bits.
#ifndef TEALIGHT_TESTS_NATIVE_KERNELS_KERNEL_PATHS_H_
#define TEALIGHT_TESTS_NATIVE_KERNELS_KERNEL_PATHS_H_

#include <math.h>
#include <stdint.h>
#include <string.h>

#include <vector>

#include "base/cpu_features.h"

namespace tealight {

inline std::vector<Isa> AllPaths() {
  std::vector<Isa> paths;
  Isa isa;
  for (size_t i = 0; SupportedIsa(i, &isa); ++i) paths.push_back(isa);
  return paths;
}

/// A linear congruential generator: the same values everywhere.
class Values {
 public:
  explicit Values(uint32_t seed) : state_(seed) {}
  uint32_t Next() { return state_ = state_ * 1664525u + 1013904223u; }
  float Float() { return static_cast<float>(static_cast<int32_t>(Next() >> 8) - (1 << 23)) * 0x1p-21f; }
  std::vector<float> Floats(size_t n) {
    std::vector<float> values(n);
    for (float& v : values) v = Float();
    return values;
  }

 private:
  uint32_t state_;
};

/// The index of the first element with other bits (any NaN equals any NaN), or -1.
inline ptrdiff_t FirstDifference(const std::vector<float>& a, const std::vector<float>& b) {
  for (size_t i = 0; i < a.size(); ++i) {
    if (memcmp(&a[i], &b[i], 4) != 0 && !(a[i] != a[i] && b[i] != b[i])) return static_cast<ptrdiff_t>(i);
  }
  return -1;
}

}  // namespace tealight

#endif  // TEALIGHT_TESTS_NATIVE_KERNELS_KERNEL_PATHS_H_
