# SPDX-License-Identifier: Apache-2.0
"""Builds small graphs and checks that a pass keeps what they compute."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tealight.ir.graph import Graph, Value
from tealight.ir.interpret import evaluate
from tealight.ir.types import DType, TensorType
from tealight.ir.verify import verify
from tealight.passes._manager import Options


class Build:
    """Writes a graph one node per call: b.relu = b("unary", b.x, kind="relu")."""

    def __init__(self) -> None:
        self.graph = Graph("main")
        self.rng = np.random.default_rng(7)
        self.spread = 1.0  # of normal()
        self.feeds: dict[str, np.ndarray] = {}

    def input(self, *shape: int | str, dtype: DType = DType.FLOAT32, name: str = "x", dims: int = 2) -> Value:
        """Adds a graph input and a value for it; symbols get the size `dims`."""
        value = self.graph.add_input(name, TensorType(dtype, shape))
        fixed = [d if isinstance(d, int) else dims for d in shape]
        self.feeds[value.name] = self.rng.standard_normal(fixed).astype(dtype.numpy)
        return value

    def const(self, array: Any, dtype: Any = np.float32) -> Value:
        """Adds a constant."""
        return self.graph.constant(np.asarray(array, dtype))

    def ints(self, *values: int) -> Value:
        """Adds an int64 vector."""
        return self.const(list(values), np.int64)

    def normal(self, *shape: int) -> Value:
        """Adds a constant of seeded normal values."""
        return self.const(self.rng.standard_normal(shape) * self.spread)

    def __call__(self, op: str, *operands: Value | float | None, **attrs: Any) -> Value:
        """Adds a node and returns its first result; numbers become float32 scalars."""
        inputs = [self.const(v) if isinstance(v, int | float) else v for v in operands]
        return self.graph.add(op, inputs, attrs)[0]

    def many(self, count: int, op: str, *operands: Value | None, **attrs: Any) -> list[Value]:
        """Adds a node and returns its first results."""
        return self.graph.add(op, list(operands), attrs, outputs=count)

    def unary(self, kind: str, x: Value, **attrs: Any) -> Value:
        """Adds a unary node."""
        return self("unary", x, kind=kind, **attrs)

    def binary(self, kind: str, a: Value | float, b: Value | float) -> Value:
        """Adds a binary node."""
        return self("binary", a, b, kind=kind)

    def reshape(self, x: Value, *shape: int) -> Value:
        """Adds a reshape."""
        return self("reshape", x, self.ints(*shape))

    def transpose(self, x: Value, *perm: int) -> Value:
        """Adds a transpose."""
        return self("transpose", x, perm=list(perm))

    def conv(self, x: Value, channels: int, k: int = 3, pad: int = 1, **attrs: Any) -> Value:
        """Adds a dense conv2d with bias."""
        weight = self.normal(channels, k, k, int(x.shape[-1]))
        bias = self.normal(channels)
        return self("conv2d", x, weight, bias, kernel_shape=[k, k], pads=[pad] * 4, **attrs)

    def dense(self, x: Value, n: int) -> Value:
        """Adds a fully_connected with bias."""
        return self("fully_connected", x, self.normal(n, int(x.shape[-1])), self.normal(n))

    def quantize(self, x: Value, scale: float | list[float] = 0.05, zero: int = 3, axis: int = 1) -> Value:
        """Adds a quantize node to int8; a list of scales goes along an axis."""
        points = np.full(np.shape(scale), zero)
        return self("quantize", x, self.const(scale), self.const(points, np.int8), axis=axis, to=DType.INT8.value)

    def dequantize(self, x: Value, scale: float | list[float] = 0.05, zero: int = 3, axis: int = 1) -> Value:
        """Adds a dequantize node."""
        points = np.full(np.shape(scale), zero)
        return self("dequantize", x, self.const(scale), self.const(points, x.dtype.numpy), axis=axis)

    def weight8(self, *shape: int, axis: int = 0) -> Value:
        """Adds a constant of int8 with seeded scales along an axis, dequantized."""
        integers = self.const(self.rng.integers(-127, 128, shape), np.int8)
        return self.dequantize(integers, self.rng.uniform(0.01, 0.03, shape[axis]).tolist(), 0, axis)

    def run(
        self, *passes: Callable[[Graph, Options], int], outputs: list[Value], scaled: bool = False, **options: Any
    ) -> list[str]:
        """Runs passes; checks the graph, the results and the types, and returns the ops left in order.

        Results may differ by rounding: relative to each number, or (scaled) to the largest of its tensor.
        """
        self.graph.outputs = list(outputs)
        verify(self.graph)
        names, types = [v.name for v in outputs], [v.type for v in outputs]
        before = evaluate(self.graph, self.feeds)
        for step in passes:
            step(self.graph, Options(**options))
            verify(self.graph)
        assert [v.name for v in self.graph.outputs] == names
        for value, old in zip(self.graph.outputs, types, strict=True):
            assert (value.dtype, len(value.shape)) == (old.dtype, len(old.shape))
        after = evaluate(self.graph, self.feeds)
        for name in names:
            largest = float(np.abs(before[name]).max(initial=1)) if scaled and before[name].dtype.kind == "f" else 1.0
            np.testing.assert_allclose(after[name], before[name], rtol=2e-4, atol=2e-5 * largest)
            assert after[name].dtype == before[name].dtype
        return [n.op for n in self.graph.nodes]


def attrs_of(graph: Graph, op: str) -> list[dict[str, Any]]:
    """Returns the attributes of the nodes of one op."""
    return [n.attrs for n in graph.nodes if n.op == op]
