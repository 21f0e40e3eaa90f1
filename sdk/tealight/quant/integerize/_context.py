# SPDX-License-Identifier: Apache-2.0
"""What the rewrites to integers share: operands known as integers, the quantize node ahead, emitting the result."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np

from tealight import ops
from tealight.ir.graph import Graph, Node, Value
from tealight.ir.types import DType, QuantParams
from tealight.passes._editor import Editor, out
from tealight.quant import numerics

#: Unary kinds that only limit the range: they become lo and hi of a requantization.
CLAMPS = ("relu", "clip", "identity")


class NotConverted(Exception):  # noqa: N818 (control flow, never seen by users)
    """A node stays float; the text is the reason in the notes."""


@dataclasses.dataclass(frozen=True)
class Quantized:
    """A float value known as int8.

    Attributes:
        value: int8.
        scale: Of one step.
        zero_point: The integer that stands for 0.
    """

    value: Value
    scale: float
    zero_point: int

    def same(self, other: Quantized | Target) -> bool:
        """Whether equal integers stand for equal numbers."""
        return self.scale == other.scale and self.zero_point == other.zero_point


@dataclasses.dataclass(frozen=True)
class Target:
    """The quantize node that reads a float result, perhaps through clamps.

    Attributes:
        node: The quantize node.
        scale: Of one step.
        zero_point: The integer that stands for 0.
        lo: Least integer after the clamps.
        hi: Greatest integer after the clamps.
    """

    node: Node
    scale: float
    zero_point: int
    lo: int = -128
    hi: int = 127

    def requantization(self, wide: bool = False) -> dict[str, Any]:
        """Returns the attribute `output` of the integer ops."""
        return {"zero_point": self.zero_point, "lo": self.lo, "hi": self.hi, "wide": wide}


@dataclasses.dataclass(frozen=True)
class Weight:
    """A constant operand as int8.

    Attributes:
        array: int8.
        scale: float64 [n], of each slice of dim 0.
        zero_point: The integer that stands for 0; 0 where symmetric.
    """

    array: np.ndarray
    scale: np.ndarray
    zero_point: int


class Context:
    """One graph while its float nodes become integer ops.

    Attributes:
        graph: The graph.
        editor: Its editor.
        keep: Nodes that shall stay float.
        notes: (node, reason) of what stays float.
    """

    def __init__(self, graph: Graph, keep: frozenset[Node] = frozenset()) -> None:
        self.graph = graph
        self.keep = keep
        self.editor = Editor(graph)
        self.notes: list[tuple[str, str]] = []

    # ---- looking ----

    def operand(self, node: Node, i: int) -> Quantized:
        """Returns operand i as int8; raises NotConverted when it is not known so."""
        found = quantized(node.input(i))
        if found is None:
            name = ops.get(node.op).operand_name(i)
            raise NotConverted(f"operand {name} is not quantized as int8 per tensor")
        return found

    def target(self, node: Node) -> Target:
        """Returns the only reader of a node's result, a quantize node, perhaps behind relu or clip."""
        value, low, high = out(node), -math.inf, math.inf
        while True:
            reader = self.editor.only_user(value)
            if reader is None:
                raise NotConverted("its float result is read by several nodes or is an output")
            if reader.op == "quantize":
                break
            limits = clamp_limits(reader) if reader.op == "unary" else None
            if limits is None:
                raise NotConverted(f"its result is read by {reader.op} {reader.name!r} without a quantize between")
            low, high = (min(max(v, limits[0]), limits[1]) for v in (low, high))
            value = out(reader)
        low, high = max(low, clamp_of(node)[0]), min(high, clamp_of(node)[1])
        scale, zero_point = quantize_parameters(reader)
        lo, hi = (
            int(numerics.quantize(np.array(v, np.float32), np.array(scale, np.float32), zero_point, DType.INT8))
            for v in (low, high)
        )
        return Target(reader, scale, zero_point, lo, hi)

    # ---- changing ----

    def emit(
        self, op: str, inputs: list[Value | None], attrs: dict[str, Any], node: Node, target: Target | None = None
    ) -> Value:
        """Adds an integer op in place of a node and, with a target, puts its result where the quantize node's was."""
        require(op)
        before = node if target is None else target.node
        value = self.editor.add(op, inputs, attrs, before=before, name=node.name)
        if target is not None:
            self.finish(target, value)
        return value

    def finish(self, target: Target, value: Value) -> None:
        """Makes an int8 value the result of a target's quantize node; it takes the name of the float value."""
        source, known = target.node.inputs[0], out(target.node).type
        assert source is not None
        self.editor.swap(target.node, value)
        annotate(value, target.scale, target.zero_point)
        if known.dtype is DType.INT8 and known.quantization is not None:  # a frontend knows better
            value.type = dataclasses.replace(value.type, quantization=known.quantization)
        self.take_name(value, source)

    def take_name(self, value: Value, source: Value) -> None:
        """Gives an int8 value the name of the float value that it stands for, where that is gone from the graph."""
        if self.editor.is_output(value) or self.editor.is_output(source) or source.producer is None:
            return
        if self.editor.users(source):
            return
        value.name, source.name = source.name, value.name

    def requantized(self, x: Quantized, scale: float, zero_point: int, before: Node) -> Value:
        """Returns x in another quantization, by a table when that differs."""
        if x.scale == scale and x.zero_point == zero_point:
            return x.value
        real = numerics.dequantize(np.arange(-128, 128), np.array(x.scale, np.float32), x.zero_point)
        table = numerics.quantize(real, np.array(scale, np.float32), zero_point, DType.INT8)
        require("lut")
        y = self.editor.add(
            "lut", [x.value, self.editor.const(table, "table")], {}, before=before, name=x.value.name + "/rescale"
        )
        annotate(y, scale, zero_point)
        return y

    def const(self, array: np.ndarray, name: str) -> Value:
        """Returns a new constant."""
        return self.editor.const(array, name)


def require(op: str) -> None:
    """Raises NotConverted when this version lacks an op."""
    if op not in ops.names():
        raise NotConverted(f"this version has no {op}")


def annotate(value: Value, scale: float, zero_point: int) -> None:
    """Records what the integers of a value stand for."""
    params = QuantParams(np.array(scale, np.float32), np.array(zero_point, np.int32))
    value.type = dataclasses.replace(value.type, quantization=params)


def parameters(node: Node) -> tuple[np.ndarray, np.ndarray] | None:
    """Returns scale (float32) and zero point (int64) of a quantize or dequantize node; None when computed."""
    scale, zero_point = node.input(1), node.input(2)
    if scale is None or scale.const is None:
        return None
    if zero_point is None:
        return np.asarray(scale.const), np.zeros(scale.const.shape, np.int64)
    return None if zero_point.const is None else (np.asarray(scale.const), zero_point.const.astype(np.int64))


def quantized(value: Value | None) -> Quantized | None:
    """Returns a float value as int8 when a dequantize node with one scale made it."""
    node = None if value is None else value.producer
    if node is None or node.op != "dequantize":
        return None
    x, found = node.inputs[0], parameters(node)
    if x is None or found is None or found[0].size != 1 or x.dtype is not DType.INT8:
        return None
    if not numerics.is_usable(found[0]):
        return None
    return Quantized(x, float(found[0].reshape(-1)[0]), int(found[1].reshape(-1)[0]))


def quantize_parameters(node: Node) -> tuple[float, int]:
    """Returns scale and zero point of a quantize node to int8 per tensor; raises NotConverted for others."""
    found = parameters(node)
    if found is None or found[0].size != 1 or out(node).dtype is not DType.INT8:
        raise NotConverted("its result is not quantized as int8 per tensor")
    if not numerics.is_usable(found[0]):
        raise NotConverted(f"its result's scale is {float(found[0].reshape(-1)[0]):g}")
    return float(found[0].reshape(-1)[0]), int(found[1].reshape(-1)[0])


def clamp_limits(node: Node) -> tuple[float, float] | None:
    """Returns the limits when a unary node only clamps."""
    return limits_of(node.attrs)


def limits_of(function: dict[str, Any]) -> tuple[float, float] | None:
    """Returns the limits of a unary function that only clamps; None for others."""
    kind = function["kind"]
    if kind == "relu":
        return 0.0, math.inf
    if kind == "clip":
        return float(function["alpha"]), float(function["beta"])
    return (-math.inf, math.inf) if kind == "identity" else None


def clamp_of(node: Node) -> tuple[float, float]:
    """Returns the limits of the activation inside a node; raises NotConverted when it does more than clamp."""
    activation = node.attrs.get("activation") or {"kind": "identity"}
    limits = limits_of({"alpha": 0.0, "beta": 0.0, **activation})
    if limits is None:
        raise NotConverted(f"its activation {activation['kind']} is fused without a quantize before it")
    return limits


def int8_constant(value: Value | None, axis: int = 0) -> Weight | None:
    """Returns a dequantized constant as int8 with scales along an axis; None when it is something else.

    uint8 is shifted by 128; 4-bit constants are widened.
    """
    node = None if value is None else value.producer
    if node is None or node.op != "dequantize" or node.inputs[0] is None or node.inputs[0].const is None:
        return None
    array, found = node.inputs[0].const, parameters(node)
    if found is None or node.attrs["block_size"] or not numerics.is_usable(found[0]):
        return None
    dtype, (scale, zero_point) = node.inputs[0].dtype, found
    shift = 128 if dtype is DType.UINT8 else 0
    if dtype not in (DType.INT8, DType.UINT8, DType.INT4, DType.UINT4):
        return None
    if scale.size > 1 and int(node.attrs["axis"]) % max(array.ndim, 1) != axis % max(array.ndim, 1):
        return None
    zero_points = np.unique(zero_point)
    if zero_points.size != 1:
        return None
    n = array.shape[axis] if array.ndim else 1
    whole = (array.astype(np.int16) - shift).astype(np.int8)
    scales = np.broadcast_to(scale.reshape(-1).astype(np.float64), (n,))
    return Weight(whole, scales, int(zero_points[0]) - shift)
