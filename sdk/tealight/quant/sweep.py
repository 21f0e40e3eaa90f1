# SPDX-License-Identifier: Apache-2.0
"""One pass over a float graph with some samples, as float and as if quantized, side by side.

At each layer whose weight will be quantized the methods see its inputs in both worlds and may change its weight or
bias; what follows then sees the changed layer. Quantized values are simulated: activations by rounding to their int8
steps, weights to their grid; sums stay float. Each node runs on the native engine as a program of its own.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np

from tealight.bundle import writer
from tealight.emulator.native import NativeSession
from tealight.ir.graph import Graph, Node, Value
from tealight.ir.types import TensorType
from tealight.lower.emit import emit
from tealight.quant.channels import set_constant

#: Bytes of activations that a sweep may hold; fewer samples are used where they need more.
BUDGET_BYTES = 1 << 30
MAX_SAMPLES = 64
_LEAST_SAMPLES = 4

Arrays = Sequence[np.ndarray | None]


@dataclasses.dataclass(frozen=True)
class Grid:
    """Where the numbers of a weight will lie: (q - zero_point) * scale, q integer in [low, high].

    Attributes:
        scale: float32, broadcasts to the weight.
        low: Least integer.
        high: Greatest.
        zero_point: Broadcasts to the weight.
    """

    scale: np.ndarray
    low: int
    high: int
    zero_point: np.ndarray | int = 0

    def round(self, weight: np.ndarray) -> np.ndarray:
        """Returns the nearest numbers on the grid, float32."""
        q = np.clip(np.rint(weight / self.scale) + self.zero_point, self.low, self.high)
        return np.asarray((q - self.zero_point) * self.scale, np.float32)


@dataclasses.dataclass(frozen=True)
class Simulation:
    """What will be quantized.

    Attributes:
        grid: Returns the grid of a layer's weight (operand 1); None where it stays float.
        activations: (scale, zero point) of the values that become int8, by name.
    """

    grid: Callable[[Node], Grid | None]
    activations: Mapping[str, tuple[float, int]]

    def rounded(self, name: str, array: np.ndarray) -> np.ndarray:
        """Returns a value as its int8 form holds it."""
        if name not in self.activations:
            return array
        scale, zero_point = self.activations[name]
        q = np.clip(np.rint(array / np.float32(scale)) + np.float32(zero_point), -128, 127)
        return np.asarray((q - np.float32(zero_point)) * np.float32(scale), np.float32)


@dataclasses.dataclass
class Layer:
    """A layer in a sweep.

    Attributes:
        graph: The graph.
        node: The layer; methods change its constants through set_weight and set_bias.
        grid: Of its weight.
        original: The node as it was in the float model.
        float_inputs: Its operands in the float model, for each sample (constants included).
        inputs: Its operands as the quantized model will see them.
    """

    graph: Graph
    node: Node
    grid: Grid
    original: Node
    float_inputs: list[Arrays]
    inputs: list[Arrays]

    @property
    def weight(self) -> np.ndarray:
        """The layer's weight now, float32."""
        return _const(self.node, 1)

    def set_weight(self, weight: np.ndarray) -> None:
        """Replaces the weight."""
        set_constant(self.graph, self.node, 1, weight, "weight")

    def add_to_bias(self, change: np.ndarray) -> None:
        """Adds to the bias, which is made where there is none."""
        old = self.node.input(2)
        before = 0.0 if old is None or old.const is None else old.const.astype(np.float64)
        set_constant(self.graph, self.node, 2, before + change, f"{self.node.name or self.node.op}.bias")

    def outputs(self, quantized: bool) -> list[np.ndarray]:
        """Returns the layer's result for each sample before its activation: of the float model, or quantized."""
        node, rows = (self.node, self.inputs) if quantized else (self.original, self.float_inputs)
        plain = _copy(node, {**node.attrs, "activation": None} if "activation" in node.attrs else node.attrs)
        if quantized:
            plain = _with_weight(self.graph, plain, self.grid.round(self.weight))
        return [r[0] for r in run_node(plain, rows)]


Method = Callable[[Layer], None]


def sweep(
    graph: Graph,
    samples: Iterable[Mapping[str, np.ndarray]],
    simulation: Simulation,
    methods: Sequence[Method],
    progress: Callable[[str, int, int], None] | None = None,
) -> int:
    """Applies methods to each quantized layer of a graph, in place, in order of execution.

    Args:
        graph: After the passes; layers have their weight as operand 1 and their bias as operand 2.
        samples: {input: array}; at most MAX_SAMPLES are taken, fewer where they need more than BUDGET_BYTES.
        simulation: What will be quantized, and how.
        methods: Called on each layer in this order.
        progress: Called as progress("correct layers", i, n).

    Returns:
        How many layers the methods saw.
    """
    taken = _take(graph, samples)
    exact: dict[Value, list[np.ndarray]] = {v: [s[v.name] for s in taken] for v in graph.inputs}
    rounded = {v: [simulation.rounded(v.name, a) for a in rows] for v, rows in exact.items()}
    last = {v: i for i, node in enumerate(graph.nodes) for v in node.inputs if v is not None}
    layers = 0
    for i, node in enumerate(graph.nodes):
        if progress is not None:
            progress("correct layers", i, len(graph.nodes))
        before, operands = _copy(node, node.attrs), list(node.inputs)
        wanted = [_operands(node, exact, k) for k in range(len(taken))]
        found = [_operands(node, rounded, k) for k in range(len(taken))]
        grid = simulation.grid(node)
        quantized = node
        if grid is not None:
            layer = Layer(graph, node, grid, before, wanted, found)
            for method in methods:
                method(layer)
            layers += 1
            quantized = _with_weight(graph, node, grid.round(layer.weight))
            found = [_refresh(quantized, row) for row in found]
        for table, step, rows in ((exact, before, wanted), (rounded, quantized, found)):
            _keep(table, node, run_node(step, rows))
        for v in node.outputs:
            if v in rounded and v is not None:
                rounded[v] = [simulation.rounded(v.name, a) for a in rounded[v]]
        for v in operands:
            if v is not None and last[v] == i:
                exact.pop(v, None)
                rounded.pop(v, None)
    return layers


def run_node(node: Node, rows: Sequence[Arrays]) -> list[list[np.ndarray]]:
    """Returns the results of one node for the operands of each sample (constants are those of the node)."""
    variables = [i for i, v in enumerate(node.inputs) if v is not None and not v.is_const]
    program = Graph("node")
    inputs: list[Value | None] = list(node.inputs)
    names: dict[Value, Value] = {}
    for i in variables:
        v = node.inputs[i]
        assert v is not None
        if v not in names:
            names[v] = program.add_input(f"x{i}", TensorType(v.dtype, v.shape))
        inputs[i] = names[v]
    outputs = [f"y{k}" if v is not None else None for k, v in enumerate(node.outputs)]
    program.outputs = program.add(node.op, inputs, node.attrs, outputs=outputs, subgraphs=node.subgraphs)
    session = NativeSession(writer.to_bytes(emit(program).bundle))
    try:
        feeds = [{names[v].name: row[i] for i, v in enumerate(node.inputs) if v in names} for row in rows]
        return [list(session.run(feed).values()) for feed in feeds]
    finally:
        session.close()


def _take(graph: Graph, samples: Iterable[Mapping[str, np.ndarray]]) -> list[Mapping[str, np.ndarray]]:
    """Returns the first samples, as many as the budget allows."""
    sizes = [v.type.nbytes for v in graph.values() if not v.is_const and v.type.is_static]
    live = 2 * sum(sorted(sizes)[-3:]) or 1
    count = int(np.clip(BUDGET_BYTES // live, _LEAST_SAMPLES, MAX_SAMPLES))
    taken = []
    for sample in samples:
        taken.append(sample)
        if len(taken) == count:
            break
    return taken


def _operands(node: Node, table: Mapping[Value, list[np.ndarray]], k: int) -> Arrays:
    return [None if v is None else table[v][k] if v in table else v.const for v in node.inputs]


def _refresh(node: Node, row: Arrays) -> Arrays:
    """Returns operands with the node's constants as they are now."""
    padded = [*row, *[None] * (len(node.inputs) - len(row))]
    return [v.const if v is not None and v.is_const else a for v, a in zip(node.inputs, padded, strict=True)]


def _keep(table: dict[Value, list[np.ndarray]], node: Node, results: list[list[np.ndarray]]) -> None:
    present = [v for v in node.outputs if v is not None]
    for j, v in enumerate(present):
        table[v] = [r[j] for r in results]


def _copy(node: Node, attrs: Mapping[str, object]) -> Node:
    """Returns a node with the same operands and results, which stay those of the original."""
    copy = Node(node.op, node.inputs, [], dict(attrs), node.name, node.subgraphs)
    copy.outputs = list(node.outputs)
    return copy


def _with_weight(graph: Graph, node: Node, weight: np.ndarray) -> Node:
    copy = _copy(node, node.attrs)
    set_constant(graph, copy, 1, weight, "weight")
    return copy


def _const(node: Node, i: int) -> np.ndarray:
    value = node.inputs[i]
    assert value is not None and value.const is not None
    return value.const
