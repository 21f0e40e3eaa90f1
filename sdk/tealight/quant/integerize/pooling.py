# SPDX-License-Identifier: Apache-2.0
"""Sums over windows and axes, and interpolation: average_pool2d, reduce, resize."""

from __future__ import annotations

import math

import numpy as np

from tealight.ir.graph import Node
from tealight.passes._editor import out
from tealight.quant import numerics
from tealight.quant.integerize._context import Context, NotConverted, annotate, quantized

_POOL = ("kernel_shape", "strides", "pads", "dilations", "ceil_mode", "count_include_pad")


def average_pool2d(context: Context, node: Node) -> None:
    """Turns dequantize -> average_pool2d -> quantize into q_average_pool2d; the kernel divides scale by the count."""
    x, target = context.operand(node, 0), context.target(node)
    scale = np.float32(x.scale) / np.float32(target.scale)
    attrs = {key: node.attrs[key] for key in _POOL}
    attrs.update(x_zero_point=x.zero_point, scale=float(scale), output=target.requantization(wide=True))
    context.emit("q_average_pool2d", [x.value], attrs, node, target)


def reduce(context: Context, node: Node) -> None:
    """Turns mean and sum into q_reduce; max and min of equal quantizations stay as they are."""
    kind, axes = node.attrs["kind"], node.input(1)
    x, target = context.operand(node, 0), context.target(node)
    if kind in ("max", "min"):
        if (target.lo, target.hi) != (-128, 127):
            raise NotConverted(f"reduce {kind} with a clamp behind it")
        value = context.requantized(x, target.scale, target.zero_point, target.node)
        context.emit("reduce", [value, axes], dict(node.attrs), node, target)
        return
    if kind not in ("mean", "sum"):
        raise NotConverted(f"there is no integer form of reduce {kind}")
    shape = x.value.shape
    if axes is not None and axes.const is None:
        raise NotConverted("its axes are computed at run time")
    chosen = range(len(shape)) if axes is None or axes.const is None else [int(a) for a in axes.const.reshape(-1)]
    sizes = [shape[a] for a in chosen]
    count = float(math.prod(s for s in sizes if isinstance(s, int)))
    most = np.array(255.0 * count)
    scale = numerics.tie_free_scales(np.array(np.float32(x.scale) / np.float32(target.scale)), most)
    wide = any(isinstance(s, str) for s in sizes) or numerics.is_wide(most, scale)
    if kind == "mean":  # which ties often
        scale, wide = np.array(np.float32(x.scale) / np.float32(target.scale)), True
    attrs = {
        "kind": kind, "keepdims": node.attrs["keepdims"], "x_zero_point": x.zero_point, "scale": float(scale),
        "output": target.requantization(wide),
    }  # fmt: skip
    context.emit("q_reduce", [x.value, axes], attrs, node, target)


def resize(context: Context, node: Node) -> None:
    """Turns linear and cubic resize into q_resize, whose result has the quantization of x, and a table if need be."""
    x = quantized(node.input(0))
    if x is None:
        raise NotConverted("operand x is not quantized as int8 per tensor")
    if node.attrs["coordinate_mode"] == "tf_crop_and_resize":
        raise NotConverted("there is no integer form of tf_crop_and_resize")
    target = context.target(node)
    if (target.lo, target.hi) != (-128, 127):
        raise NotConverted("a resize with a clamp behind it")
    left_out = ("nearest_mode", "extrapolation_value")
    attrs = {key: value for key, value in node.attrs.items() if key not in left_out}
    y = context.emit("q_resize", [x.value, *node.inputs[1:]], attrs, node)
    annotate(y, x.scale, x.zero_point)
    y = context.requantized(type(x)(y, x.scale, x.zero_point), target.scale, target.zero_point, target.node)
    context.finish(target, y)


def is_interpolation(node: Node) -> bool:
    """Whether a resize computes new values (nearest only moves them)."""
    return bool(node.attrs["mode"] != "nearest" and out(node).dtype.is_float)
