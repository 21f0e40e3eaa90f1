# SPDX-License-Identifier: Apache-2.0
"""Graph, Node and Value: the one intermediate representation, from import to emit.

A graph is a list of nodes in execution order over values in SSA form: each value has one producer (a node), or is a
graph input, or is a constant. Images are channels-last everywhere; frontends insert transposes where the source
model is channels-first, and passes remove them. Sub-graphs (If, Loop) see no outer value: what they use comes in as
operands of the node.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from tealight.ir.types import DType, TensorType


class Value:
    """An edge of the graph.

    Attributes:
        name: Unique in its graph; inputs and outputs keep the source model's names.
        type: Dtype and shape; type.const is the elements of a constant.
        producer: The node that computes it; None for graph inputs and constants.
    """

    __slots__ = ("name", "producer", "type")

    def __init__(self, name: str, type: TensorType, producer: Node | None = None) -> None:
        self.name = name
        self.type = type
        self.producer = producer

    @property
    def const(self) -> np.ndarray | None:
        """The elements of a constant (not of a computed value, even when folded knowledge exists)."""
        return self.type.const if self.producer is None else None

    @property
    def is_const(self) -> bool:
        """Whether this is a constant."""
        return self.const is not None

    @property
    def shape(self) -> tuple[int | str, ...]:
        """Shorthand for type.shape."""
        return self.type.shape

    @property
    def dtype(self) -> DType:
        """Shorthand for type.dtype."""
        return self.type.dtype

    def __repr__(self) -> str:
        """Returns %name: type."""
        return f"%{self.name}: {self.type}"


class Node:
    """One operation.

    Attributes:
        op: Name of an op in tealight.ops.
        inputs: Operands; None where an optional one is absent.
        outputs: Results; None where one is not wanted.
        attrs: Attribute values by name (int, float, bool, str, list of them, or dict for a nested table).
        name: Of the source model's node(s), for messages and profiles.
        subgraphs: Bodies of control flow by attribute name ("then", "else", "body").
    """

    __slots__ = ("attrs", "inputs", "name", "op", "outputs", "subgraphs")

    def __init__(
        self,
        op: str,
        inputs: Sequence[Value | None],
        outputs: Sequence[Value | None],
        attrs: dict[str, Any] | None = None,
        name: str = "",
        subgraphs: dict[str, Graph] | None = None,
    ) -> None:
        self.op = op
        self.inputs = list(inputs)
        self.outputs = list(outputs)
        self.attrs = dict(attrs or {})
        self.name = name
        self.subgraphs = dict(subgraphs or {})
        for value in self.outputs:
            if value is not None:
                value.producer = self

    def input(self, i: int) -> Value | None:
        """Returns operand i, or None when it is absent."""
        return self.inputs[i] if i < len(self.inputs) else None

    def __repr__(self) -> str:
        """Returns the node's line of IR text."""
        outs = ", ".join("_" if v is None else f"%{v.name}" for v in self.outputs)
        ins = ", ".join("_" if v is None else f"%{v.name}" for v in self.inputs)
        attrs = ", ".join(f"{k}={v}" for k, v in self.attrs.items())
        return f"{outs} = {self.op}({ins}{', ' if ins and attrs else ''}{attrs})"


@dataclasses.dataclass
class Graph:
    """A program: nodes in execution order, with its inputs and outputs.

    Attributes:
        name: Of the entry point.
        inputs: Graph inputs, in the source model's order.
        outputs: Results, in the source model's order; may be inputs or constants, and may repeat.
        nodes: In execution order.
    """

    name: str
    inputs: list[Value] = dataclasses.field(default_factory=list)
    outputs: list[Value] = dataclasses.field(default_factory=list)
    nodes: list[Node] = dataclasses.field(default_factory=list)
    _names: dict[str, int] = dataclasses.field(default_factory=dict, repr=False)

    # ---- building ----

    def unique_name(self, base: str) -> str:
        """Returns base, or base with the lowest free suffix; deterministic."""
        n = self._names.get(base)
        if n is None:
            self._names[base] = 0
            return base
        while True:
            n += 1
            name = f"{base}.{n}"
            if name not in self._names:
                self._names[base] = n
                self._names[name] = 0
                return name

    def add_input(self, name: str, type: TensorType) -> Value:
        """Appends a graph input."""
        value = Value(self.unique_name(name), type)
        self.inputs.append(value)
        return value

    def constant(self, array: np.ndarray, name: str = "const") -> Value:
        """Returns a constant value. The array is not copied and must not change."""
        array = np.asarray(array)
        return Value(self.unique_name(name), TensorType(DType.of(array.dtype), tuple(array.shape), array))

    def add(
        self,
        op: str,
        inputs: Sequence[Value | None],
        attrs: dict[str, Any] | None = None,
        *,
        name: str = "",
        outputs: Sequence[str | None] | int = 1,
        before: Node | None = None,
        subgraphs: dict[str, Graph] | None = None,
    ) -> list[Value]:
        """Infers the result types, appends the node (or inserts it before another) and returns its results.

        Args:
            op: Name of the op.
            inputs: Operands.
            attrs: Attributes; those left out get the op's defaults.
            name: Source node name.
            outputs: Names of the results (None = not wanted), or how many with made-up names.
            before: Node to insert before; None appends.
            subgraphs: Bodies of control flow.

        Raises:
            TealightError: The operands do not fit the op.
        """
        from tealight.ops import get  # the registry needs these classes

        definition = get(op)
        full = definition.complete(attrs or {})
        node = Node(op, inputs, [], full, name, subgraphs)
        types = definition.infer_node(node)
        names: Sequence[str | None] = [name or op] * outputs if isinstance(outputs, int) else outputs
        node.outputs = [
            None if n is None else Value(self.unique_name(n), t, node) for n, t in zip(names, types, strict=False)
        ]
        self.nodes.insert(len(self.nodes) if before is None else self.nodes.index(before), node)
        return [v for v in node.outputs if v is not None]

    # ---- looking ----

    def values(self) -> Iterator[Value]:
        """Yields every value once: inputs, then each node's new constants and results."""
        seen: set[int] = set()

        def fresh(values: Iterable[Value | None]) -> Iterator[Value]:
            for v in values:
                if v is not None and id(v) not in seen:
                    seen.add(id(v))
                    yield v

        yield from fresh(self.inputs)
        for node in self.nodes:
            yield from fresh(node.inputs)
            yield from fresh(node.outputs)
        yield from fresh(self.outputs)

    def users(self) -> dict[Value, list[Node]]:
        """Returns the nodes that read each value, in order; a node appears once per operand slot."""
        table: dict[Value, list[Node]] = {v: [] for v in self.values()}
        for node in self.nodes:
            for v in node.inputs:
                if v is not None:
                    table[v].append(node)
        return table

    def __str__(self) -> str:
        """Returns the graph as IR text, one node a line."""
        head = f"{self.name}({', '.join(map(repr, self.inputs))}) -> ({', '.join(map(repr, self.outputs))})"
        return "\n".join([head, *(f"  {n}" for n in self.nodes)])
