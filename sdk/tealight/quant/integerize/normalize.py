# SPDX-License-Identifier: Apache-2.0
"""Softmax, layer_norm and group_norm: integer in and out, float32 inside (each op's docstring has its steps)."""

from __future__ import annotations

import numpy as np

from tealight.ir.graph import Node, Value
from tealight.quant import numerics
from tealight.quant.integerize._context import Context, NotConverted, Quantized, annotate

#: The steps of q_softmax where the quantize node behind it does not say others that it can have.
SOFTMAX_SCALE = 1.0 / 256
SOFTMAX_ZERO_POINT = -128
_MOST_STEPS = 65536


def softmax(context: Context, node: Node) -> None:
    """Turns dequantize -> softmax -> quantize into q_softmax with a table of exp(-scale * i), i = 0 .. 255.

    Its steps are those of the quantize node where that can be (zero point -128), else 1/256 and a table behind it.
    """
    if node.attrs["is_log"]:
        raise NotConverted("there is no integer form of the logarithm of softmax")
    x, target = context.operand(node, 0), context.target(node)
    if (target.lo, target.hi) != (-128, 127):
        raise NotConverted("a softmax with a clamp behind it")
    fits = target.zero_point == SOFTMAX_ZERO_POINT and 1 / _MOST_STEPS <= target.scale <= 1
    scale = target.scale if fits else SOFTMAX_SCALE
    entries = np.exp(-np.arange(256, dtype=np.float64) * x.scale).astype(np.float32)
    attrs = {"axis": node.attrs["axis"], "steps": float(np.float32(1 / scale))}
    y = context.emit("q_softmax", [x.value, context.const(entries, "exp_table")], attrs, node)
    annotate(y, scale, SOFTMAX_ZERO_POINT)
    result = Quantized(y, scale, SOFTMAX_ZERO_POINT)
    context.finish(target, context.requantized(result, target.scale, target.zero_point, target.node))


def layer_norm(context: Context, node: Node) -> None:
    """Turns dequantize -> layer_norm -> quantize into q_layer_norm; scale and bias in steps of the result."""
    x, target = context.operand(node, 0), context.target(node)
    size = [d for d in x.value.shape[int(node.attrs["axis"]) % len(x.value.shape) :]]
    if any(isinstance(d, str) for d in size):
        raise NotConverted("its normalised dims are open")
    scale, bias = _affine(context, node, int(np.prod([int(d) for d in size])), target.scale)
    attrs = {
        "axis": node.attrs["axis"], "epsilon": node.attrs["epsilon"], "rms": node.attrs["rms"],
        "x_zero_point": x.zero_point, "x_scale": x.scale, "output": target.requantization(),
    }  # fmt: skip
    context.emit("q_layer_norm", [x.value, scale, bias], attrs, node, target)


def group_norm(context: Context, node: Node) -> None:
    """Turns dequantize -> group_norm -> quantize into q_group_norm; scale and bias in steps of the result."""
    x, target = context.operand(node, 0), context.target(node)
    channels = x.value.shape[-1]
    if isinstance(channels, str):
        raise NotConverted("its channels are open")
    scale, bias = _affine(context, node, channels, target.scale)
    attrs = {
        "num_groups": node.attrs["num_groups"], "epsilon": node.attrs["epsilon"], "x_zero_point": x.zero_point,
        "x_scale": x.scale, "output": target.requantization(),
    }  # fmt: skip
    context.emit("q_group_norm", [x.value, scale, bias], attrs, node, target)


def _affine(context: Context, node: Node, size: int, step: float) -> tuple[Value, Value | None]:
    """Returns scale and bias of a norm divided by the result's step, float32 [size] each."""
    arrays = []
    for i, name in ((1, "scale"), (2, "bias")):
        value = node.input(i)
        if value is None:
            arrays.append(np.ones(size) if i == 1 else None)
            continue
        constant = constant_of(value)
        if constant is None:
            raise NotConverted(f"its {name} is computed at run time")
        arrays.append(np.broadcast_to(constant.astype(np.float64).reshape(-1), (size,)))
    scale, bias = arrays
    assert scale is not None
    made = context.const((scale / step).astype(np.float32), "norm/scale")
    return made, None if bias is None else context.const((bias / step).astype(np.float32), "norm/bias")


def constant_of(value: Value) -> np.ndarray | None:
    """Returns the elements of a constant, dequantized where it is stored as integers."""
    if value.const is not None:
        return np.asarray(value.const)
    node = value.producer
    if node is None or node.op != "dequantize" or any(v is not None and v.const is None for v in node.inputs):
        return None
    x, scale, zero_point = (*(None if v is None else v.const for v in node.inputs), None)[:3]
    if x is None or scale is None or scale.size != 1:
        return None
    zero = 0 if zero_point is None else int(zero_point.reshape(-1)[0])
    return numerics.dequantize(x, scale.reshape(()), zero)
