// SPDX-License-Identifier: Apache-2.0
// What q_layer_norm and q_group_norm share: their attributes and operands.
#ifndef TEALIGHT_BACKENDS_CPU_QUANTIZED_NORM_H_
#define TEALIGHT_BACKENDS_CPU_QUANTIZED_NORM_H_

#include "backends/cpu/norm_operands.h"
#include "backends/cpu/quantized.h"
#include "kernels/qnormalize/qnormalize.h"

namespace tealight {

/// Reads the attributes of a norm over n elements and checks scale and bias, `channels` float32 each or absent.
template <typename Attributes>
Status ReadNorm(const OpContext& context, const Attributes& attributes, bool rms, int64_t n, int64_t channels,
                QLayerNormArgs* args) {
  if (n > kMaxNormalized) {
    return context.Error(TL_ERROR_WRONG_SHAPE, "x: %lld elements normalised together, expected at most %lld",
                         static_cast<long long>(n), static_cast<long long>(kMaxNormalized));
  }
  RETURN_IF_ERROR(CheckNormOperands(context, channels));
  Requantization output;
  RETURN_IF_ERROR(ReadRequantization(context, attributes.output(), &output));
  RETURN_IF_ERROR(CheckInt8(context, "x_zero_point", attributes.x_zero_point()));
  RETURN_IF_ERROR(CheckFinite(context, "x_scale", attributes.x_scale()));
  RETURN_IF_ERROR(CheckFinite(context, "epsilon", attributes.epsilon()));
  *args = {attributes.x_zero_point(),
           attributes.x_scale(),
           attributes.epsilon(),
           rms,
           output.zero_point,
           output.lo,
           output.hi};
  return Status::Ok();
}

}  // namespace tealight

#endif  // TEALIGHT_BACKENDS_CPU_QUANTIZED_NORM_H_
