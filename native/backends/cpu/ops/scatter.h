// SPDX-License-Identifier: Apache-2.0
// What ScatterElements and ScatterND share: how an update changes an element.
#ifndef TEALIGHT_BACKENDS_CPU_OPS_SCATTER_H_
#define TEALIGHT_BACKENDS_CPU_OPS_SCATTER_H_

#include "base/tensor.h"
#include "bundle/schema.h"
#include "runtime/op.h"

namespace tealight {

/// y[i] = y[i] <reduction> update[i] for n elements that lie side by side.
using ScatterUpdate = void (*)(void* y, const void* update, int64_t n);

/// Returns null where the reduction does not know the dtype (none knows every one of whole bytes).
ScatterUpdate FindScatterUpdate(schema::ScatterReduction reduction, DType dtype);

/// Checks the dtypes of (x, indices, updates) and finds the update.
Status PrepareScatter(const OpContext& context, schema::ScatterReduction reduction, ScatterUpdate* update);

/// Copies x to y on the threads.
void CopyScattered(const OpContext& context, const Tensor& x, const Tensor& y);

}  // namespace tealight

#endif  // TEALIGHT_BACKENDS_CPU_OPS_SCATTER_H_
