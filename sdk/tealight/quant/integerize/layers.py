# SPDX-License-Identifier: Apache-2.0
"""Layers with constant weights: conv2d, depthwise_conv2d, conv_transpose2d, fully_connected."""

from __future__ import annotations

from typing import Any

import numpy as np

from tealight.ir.graph import Node, Value
from tealight.quant import numerics
from tealight.quant.integerize._context import (
    Context,
    NotConverted,
    Quantized,
    Target,
    Weight,
    int8_constant,
    parameters,
)

_WINDOW = ("kernel_shape", "strides", "pads", "dilations")
#: Op -> its integer op and the attributes that both have.
LAYERS: dict[str, tuple[str, tuple[str, ...]]] = {
    "conv2d": ("q_conv2d", (*_WINDOW, "group")),
    "depthwise_conv2d": ("q_depthwise_conv2d", _WINDOW),
    "conv_transpose2d": ("q_conv_transpose2d", (*_WINDOW, "output_padding", "group")),
    "fully_connected": ("q_fully_connected", ()),
}


def layer(context: Context, node: Node) -> None:
    """Turns dequantize -> layer -> quantize into the integer layer.

    Given:
        %a = dequantize(%x, s, z); %w = dequantize(const int8, const [oc]); %y = conv2d(%a, %w, %bias)
        %q = quantize(unary(%y, kind=relu), t, u)
    Result:
        %q = q_conv2d(%x, const int8, const int32 [oc], const float32 [oc], x_zero_point=z, output={u, lo, hi, wide})
    """
    x, target = context.operand(node, 0), context.target(node)
    if node.input(3) is not None:
        raise NotConverted("its residual is fused before the sum is quantized")
    weight = int8_constant(node.input(1))
    if weight is None:
        raise NotConverted("its weight is not a constant quantized as int8 per channel")
    # A transposed convolution's pixels meet different weights by their phase: its kernel folds the zero point in.
    folds = node.op != "conv_transpose2d"
    bias, scale, wide = _arithmetic(weight, x, _bias(node, x, weight), target, folds)
    op, kept = LAYERS[node.op]
    attrs: dict[str, Any] = {key: node.attrs[key] for key in kept}
    attrs.update(
        x_zero_point=x.zero_point, weight_zero_point=weight.zero_point, output=target.requantization(wide)
    )  # fmt: skip
    name = node.inputs[1].name if node.inputs[1] is not None else "weight"
    operands: list[Value | None] = [
        x.value,
        context.const(weight.array, name),
        context.const(bias, f"{name}/bias"),
        context.const(scale, f"{name}/scale"),
    ]
    context.emit(op, operands, attrs, node, target)


def _bias(node: Node, x: Quantized, weight: Weight) -> np.ndarray:
    """Returns the bias in steps of x.scale * weight.scale, float64 [n]."""
    value, unit = node.input(2), x.scale * weight.scale
    if value is None:
        return np.zeros(unit.shape)
    if value.const is not None:
        return np.asarray(np.rint(value.const.astype(np.float64) / unit))
    inner = value.producer
    if inner is None or inner.op != "dequantize" or inner.inputs[0] is None or inner.inputs[0].const is None:
        raise NotConverted("its bias is computed at run time")
    found = parameters(inner)
    if found is None:
        raise NotConverted("its bias is computed at run time")
    if not np.all(np.isfinite(found[0])):
        raise NotConverted("its bias has a scale that is no number")
    steps = inner.inputs[0].const.astype(np.float64) - found[1]
    if np.allclose(found[0], unit, rtol=1e-6, atol=0.0):  # the usual case: the integers are already in these steps
        return np.asarray(steps)
    return np.asarray(np.rint(steps * found[0] / unit))


def _arithmetic(
    weight: Weight, x: Quantized, bias: np.ndarray, target: Target, folds: bool
) -> tuple[np.ndarray, np.ndarray, bool]:
    """Returns the int32 bias (folds: x's zero point is in it), the odd scales, and whether sums may be wide."""
    flat = weight.array.reshape(weight.array.shape[0], -1).astype(np.int64)
    steps = flat - weight.zero_point
    positive, negative = np.maximum(steps, 0).sum(axis=1), np.minimum(steps, 0).sum(axis=1)
    least, greatest = -128 - x.zero_point, 127 - x.zero_point
    # Taps in the padding add 0, which every bound below includes (least <= 0 <= greatest).
    high = positive * greatest + negative * least + bias
    low = positive * least + negative * greatest + bias
    most = np.maximum(np.abs(low), np.abs(high))
    ratio = np.float32(x.scale) * weight.scale.astype(np.float32) / np.float32(target.scale)
    scale = numerics.tie_free_scales(ratio, most)
    folded = bias - x.zero_point * flat.sum(axis=1) if folds else bias
    if not np.all(np.abs(folded) < 2**31):
        raise NotConverted("its bias does not fit int32 in steps of the input's and the weight's scales")
    # Kernels count on weights of at least -127 where a layer is not wide.
    wide = numerics.is_wide(most, scale) or int(flat.min(initial=0)) < -127
    limits = np.abs(folded) + np.abs(flat).sum(axis=1) * 128
    if np.any(limits >= 2**31):
        raise NotConverted("its sums do not fit int32")
    return folded.astype(np.int32), scale, wide
