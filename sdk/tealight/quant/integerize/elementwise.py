# SPDX-License-Identifier: Apache-2.0
"""Elementwise ops: sums and products of two tensors, and every function of one tensor as a table."""

from __future__ import annotations

import numpy as np

from tealight.errors import TealightError
from tealight.ir.graph import Node, Value
from tealight.ir.interpret import evaluate_node
from tealight.ir.types import DType
from tealight.passes._editor import out
from tealight.quant import numerics
from tealight.quant.integerize._context import (
    Context,
    NotConverted,
    Quantized,
    Target,
    quantize_parameters,
    quantized,
)

#: Nodes that a table may stand for; the depth keeps the walk short.
_POINTWISE = ("unary", "binary", "elementwise")
_MOST_NODES = 24


def binary(context: Context, node: Node) -> None:
    """Turns add, sub, mul and prelu of two int8 tensors into q_binary; max and min of equal steps stay as they are.

    Given:
        %a = dequantize(%x, s, z); %b = dequantize(%r, t, u); %y = binary(%a, %b, kind=add); %q = quantize(%y, v, w)
    Result:
        %q = q_binary(%x, %r, kind=add, add={a_scale: s / v, b_scale: t / v, offset, lo, hi})
    """
    kind = node.attrs["kind"]
    if kind not in ("add", "sub", "mul", "max", "min", "prelu"):
        raise NotConverted(f"there is no integer form of {kind} of two tensors")
    a, b, target = context.operand(node, 0), context.operand(node, 1), context.target(node)
    if kind in ("max", "min"):
        a_value = context.requantized(a, target.scale, target.zero_point, target.node)
        b_value = context.requantized(b, target.scale, target.zero_point, target.node)
        if (target.lo, target.hi) != (-128, 127):
            raise NotConverted(f"{kind} with a clamp behind it")
        context.emit("binary", [a_value, b_value], {"kind": kind}, node, target)
    elif kind in ("mul", "prelu"):
        scale, wide = _product_scale(np.float32(a.scale) * np.float32(b.scale) / np.float32(target.scale), 255 * 255)
        attrs = {
            "kind": kind, "add": None, "a_zero_point": a.zero_point, "b_zero_point": b.zero_point,
            "scale": scale, "output": target.requantization(wide), "positive_scale": 0.0,
        }  # fmt: skip
        if kind == "prelu":
            attrs["positive_scale"], too_wide = _product_scale(np.float32(a.scale) / np.float32(target.scale), 255)
            if wide or too_wide:
                raise NotConverted("its result's steps are too small beside those of its operands")
        context.emit("q_binary", [a.value, b.value], attrs, node, target)
    else:
        sign = 1.0 if kind == "add" else -1.0
        a_scale, b_scale, offset = numerics.add_constants(
            a.scale, a.zero_point, sign * b.scale, b.zero_point, target.scale, target.zero_point
        )
        add = {"a_scale": a_scale, "b_scale": b_scale, "offset": offset, "lo": target.lo, "hi": target.hi}
        attrs = {
            "kind": "add", "add": add, "a_zero_point": 0, "b_zero_point": 0, "scale": 0.0, "output": None,
            "positive_scale": 0.0,
        }  # fmt: skip
        context.emit("q_binary", [a.value, b.value], attrs, node, target)


def _product_scale(ratio: np.float32, most: int) -> tuple[float, bool]:
    """Returns the scale for integers up to `most` in size, and whether it is wide."""
    scale = numerics.tie_free_scales(np.array(ratio), np.array(float(most)))
    return float(scale), numerics.is_wide(np.array(float(most)), scale)


def table(context: Context, node: Node) -> bool:
    """Turns dequantize -> functions of that one tensor -> quantize into a table; whether it did. node: the quantize.

    Given:
        %a = dequantize(%x, s, z); %b = unary(%a, kind=sigmoid); %y = binary(%a, %b, kind=mul); %q = quantize(%y, t, u)
    Result:
        %q = lut(%x, const int8 [256])
    """
    last = node.inputs[0]
    if last is None or last.producer is None or last.producer.op not in _POINTWISE:
        return False
    nodes = _expression(last)
    if nodes is None or any(n in context.keep for n in nodes):
        return False
    source = next(v for n in nodes for v in n.inputs if quantized(v) is not None)
    x = quantized(source)
    if x is None or source is None or not _same_shape(x.value, out(node)):
        return False
    scale, zero_point = quantize_parameters(node)
    real = _evaluate(nodes, source, x, last)
    entries = numerics.quantize(real, np.array(scale, np.float32), zero_point, DType.INT8)
    target = Target(node, scale, zero_point)
    context.emit("lut", [x.value, context.const(entries, "table")], {}, last.producer, target)
    return True


def _expression(last: Value) -> list[Node] | None:
    """Returns the pointwise nodes between one dequantized tensor and a value, in order; None when there are others."""
    nodes: dict[Node, None] = {}
    sources: set[Value] = set()

    def visit(v: Value | None) -> bool:
        if v is None or (v.const is not None and v.const.size == 1):
            return v is not None
        if quantized(v) is not None:
            sources.add(v)
            return len(sources) == 1
        node = v.producer
        if node is None or node.op not in _POINTWISE or v.dtype is not DType.FLOAT32 or len(nodes) >= _MOST_NODES:
            return False
        if node in nodes:
            return True
        if not all(visit(i) for i in node.inputs):
            return False
        nodes[node] = None
        return True

    return list(nodes) if visit(last) and len(sources) == 1 else None


def _same_shape(x: Value, y: Value) -> bool:
    return len(x.shape) == len(y.shape) and all(a == b for a, b in zip(x.shape, y.shape, strict=True))


def _evaluate(nodes: list[Node], source: Value, x: Quantized, last: Value) -> np.ndarray:
    """Returns the real value of `last` for each integer of x, float32 [256]."""
    real = numerics.dequantize(np.arange(-128, 128), np.array(x.scale, np.float32), x.zero_point)
    known: dict[Value, np.ndarray] = {source: real}
    for node in nodes:
        arrays = []
        for v in node.inputs:
            constant = None if v is None else v.const
            arrays.append(
                constant.reshape(()) if constant is not None else None if v is None else known[v]
            )  # fmt: skip
        try:
            results = evaluate_node(node, arrays)
        except TealightError as e:
            raise NotConverted(str(e)) from e
        known.update((v, a) for v, a in zip(node.outputs, results, strict=False) if v is not None)
    return np.broadcast_to(known[last], real.shape)
