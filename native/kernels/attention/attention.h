// SPDX-License-Identifier: Apache-2.0
// What attention does to a row of scores between its two matrix products.
#ifndef TEALIGHT_KERNELS_ATTENTION_ATTENTION_H_
#define TEALIGHT_KERNELS_ATTENTION_ATTENTION_H_

#include <stddef.h>

#include "base/cpu_features.h"

namespace tealight {

struct AttentionKernels {
  /// In place over n scores: s = scale * x, then + mask[i * mask_step] when mask is not null; e = exp(s - max(s));
  /// the sum of e over 16 virtual lanes and their pairwise tree; result e * (1 / sum).
  void (*softmax)(float* scores, size_t n, float scale, const float* mask, size_t mask_step);
};

/// Returns the kernels of a path that is compiled in.
const AttentionKernels* FindAttention(Isa isa);

}  // namespace tealight

#endif  // TEALIGHT_KERNELS_ATTENTION_ATTENTION_H_
