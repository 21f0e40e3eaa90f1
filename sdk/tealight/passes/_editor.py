# SPDX-License-Identifier: Apache-2.0
"""Editor: changes a graph while it keeps the lists of users up to date."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from tealight.errors import VerifyError
from tealight.ir.graph import Graph, Node, Value
from tealight.ir.types import TensorType
from tealight.ops._dequantized import DequantizedConstant


class Editor:
    """A view of a graph for one pass.

    Changes must go through it as long as it is in use. Nodes are only ever added before an existing node, so that
    the order of execution stays valid.

    Attributes:
        graph: The graph.
        rewrites: How many rewrites the pass has counted.
    """

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.rewrites = 0
        self._users: dict[Value, list[Node]] = {v: [] for v in graph.values()}
        self._removed: set[Node] = set()
        for node in graph.nodes:
            for v in node.inputs:
                if v is not None:
                    self._users[v].append(node)

    # ---- looking ----

    def nodes(self) -> Iterator[Node]:
        """Yields the nodes that the graph has now and still has when their turn comes."""
        for node in list(self.graph.nodes):
            if node not in self._removed:
                yield node

    def users(self, value: Value) -> list[Node]:
        """Returns the readers of a value, once per operand slot."""
        return self._users.get(value, [])

    def is_output(self, value: Value) -> bool:
        """Whether a value is a graph output."""
        return any(v is value for v in self.graph.outputs)

    def is_input(self, value: Value) -> bool:
        """Whether a value is a graph input."""
        return any(v is value for v in self.graph.inputs)

    def only_user(self, value: Value) -> Node | None:
        """Returns the node that is the single reader of a value (in one slot), if nothing else reads it."""
        users = self.users(value)
        return users[0] if len(users) == 1 and not self.is_output(value) else None

    def is_unused(self, value: Value) -> bool:
        """Whether nothing reads a value."""
        return not self.users(value) and not self.is_output(value)

    # ---- changing ----

    def const(self, array: np.ndarray, name: str = "const") -> Value:
        """Returns a new constant."""
        return self.graph.constant(np.ascontiguousarray(array).reshape(np.shape(array)), name)

    def add_all(
        self,
        op: str,
        inputs: Sequence[Value | None],
        attrs: dict[str, Any] | None = None,
        *,
        before: Node,
        name: str = "",
        outputs: int = 1,
    ) -> list[Value]:
        """Inserts a node and returns its results; raises TealightError when the op refuses its operands."""
        inputs = list(inputs)
        while inputs and inputs[-1] is None:
            inputs.pop()
        results = self.graph.add(op, inputs, attrs, before=before, name=name, outputs=outputs)
        node = results[0].producer
        for v in inputs:
            if v is not None:
                self._users.setdefault(v, []).append(node)  # type: ignore[arg-type]
        for r in results:
            self._users[r] = []
        return results

    def add(
        self,
        op: str,
        inputs: Sequence[Value | None],
        attrs: dict[str, Any] | None = None,
        *,
        before: Node,
        name: str = "",
    ) -> Value:
        """Inserts a node with one result and returns the result."""
        return self.add_all(op, inputs, attrs, before=before, name=name)[0]

    def adopt(self, node: Node, inputs: Sequence[Value | None], *, before: Node) -> None:
        """Moves a node of another graph here, with other operands; its results get names that are free here."""
        node.inputs = list(inputs)
        self.graph.nodes.insert(self.graph.nodes.index(before), node)
        for v in node.inputs:
            if v is not None:
                self._users.setdefault(v, []).append(node)
        for v in node.outputs:
            if v is not None:
                v.name = self.graph.unique_name(v.name)
                self._users[v] = []

    def set_input(self, node: Node, index: int, value: Value | None) -> None:
        """Changes one operand."""
        old = node.inputs[index]
        if old is not None:
            self._users[old].remove(node)
        node.inputs[index] = value
        if value is not None:
            self._users.setdefault(value, []).append(node)

    def can_replace(self, old: Value, new: Value) -> bool:
        """Whether replace() keeps the names of graph inputs and outputs."""
        if not self.is_output(old):
            return True
        return not (self.is_output(new) or self.is_input(new) or (new.producer is None and self.users(new)))

    def replace(self, old: Value, new: Value) -> None:
        """Makes every reader of old read new; a graph output keeps its name.

        Raises:
            VerifyError: The types differ, or the name of an output would be lost (see can_replace()).
        """
        check_same_type(old, new)
        if new.producer is not None:
            new.type = _merged(new.type, old.type)
        if not self.can_replace(old, new):
            raise VerifyError(f"output {old.name!r}: replaced by {new.name!r}, expected a value with no name to keep")
        for node in list(dict.fromkeys(self.users(old))):
            node.inputs = [new if v is old else v for v in node.inputs]
        self._users.setdefault(new, []).extend(self.users(old))
        self._users[old] = []
        if self.is_output(old):
            new.name, old.name = old.name, new.name
            self.graph.outputs = [new if v is old else v for v in self.graph.outputs]

    def remove(self, node: Node) -> None:
        """Removes a node whose results nothing reads, and then the nodes that only fed it."""
        pending = [node]
        while pending:
            dead = pending.pop()
            if dead in self._removed or not all(v is None or self.is_unused(v) for v in dead.outputs):
                continue
            self._removed.add(dead)
            self.graph.nodes.remove(dead)
            for v in dead.inputs:
                if v is not None:
                    self._users[v].remove(dead)
                    if v.producer is not None:
                        pending.append(v.producer)

    def swap(self, node: Node, new: Value) -> None:
        """Replaces the only result of a node by a value, removes the node and counts one rewrite."""
        old = node.outputs[0]
        assert old is not None
        self.replace(old, new)
        self.remove(node)
        self.rewrites += 1


def check_same_type(old: Value, new: Value) -> None:
    """Raises VerifyError unless new may stand for old: same dtype and rank, and no fixed dim that differs."""
    same = old.dtype == new.dtype and len(old.shape) == len(new.shape)
    if not same or any(
        isinstance(a, int) and isinstance(b, int) and a != b for a, b in zip(old.shape, new.shape, strict=True)
    ):
        raise VerifyError(f"value {old.name!r}: replaced by {new.type}, expected {old.type}")


def _merged(new: TensorType, old: TensorType) -> TensorType:
    """Returns the type of a value that takes the place of another: what either knows."""
    shape = tuple(
        a if isinstance(a, int) or (isinstance(b, str) and (b.startswith("?") or not a.startswith("?"))) else b
        for a, b in zip(new.shape, old.shape, strict=True)
    )
    const = old.const if new.const is None else new.const
    quantization = old.quantization if new.quantization is None else new.quantization
    return TensorType(new.dtype, shape, const, quantization)


# ---- small questions that many passes ask ----


def producer(value: Value | None, op: str, **attrs: Any) -> Node | None:
    """Returns the node that computes a value, when it has this op and these attributes."""
    node = None if value is None else value.producer
    if node is None or node.op != op or any(node.attrs.get(k) != a for k, a in attrs.items()):
        return None
    return node


def out(node: Node) -> Value:
    """Returns the first result of a node."""
    value = node.outputs[0]
    assert value is not None
    return value


def known(value: Value | None) -> np.ndarray | None:
    """Returns the elements of a constant, or of a computed value that inference knows."""
    return None if value is None else value.type.const


def is_weight(value: Value | None) -> bool:
    """Whether a value is a constant, perhaps one that is kept as integers."""
    return value is not None and (value.is_const or DequantizedConstant.of(value) is not None)


def rearranged(editor: Editor, value: Value, change: Callable[[np.ndarray], np.ndarray], *, before: Node) -> Value:
    """Returns change(value) of a weight, where change permutes, reshapes or repeats; integers stay integers."""
    held = DequantizedConstant.of(value)
    if held is None:
        assert value.const is not None
        return editor.const(change(value.const), value.name)
    moved = held.rearranged(change)
    if moved is None:  # scales of blocks that were torn apart
        return editor.const(change(held.real()), value.name)
    return dequantized(editor, moved, value.name, before=before)


def dequantized(editor: Editor, held: DequantizedConstant, name: str, *, before: Node) -> Value:
    """Adds a dequantize node over constants."""
    arrays = [held.integers, held.scale] + ([] if held.zero_point is None else [held.zero_point])
    return editor.add("dequantize", [editor.const(a, name) for a in arrays], held.attrs, before=before, name=name)


def scalar(value: Value | None) -> float | None:
    """Returns the number when a value is a constant of one element."""
    array = None if value is None else value.const
    return float(array.reshape(-1)[0]) if array is not None and array.size == 1 else None


def same_dims(a: Sequence[int | str], b: Sequence[int | str]) -> bool:
    """Whether two shapes are surely equal: fixed dims, or the same named symbol."""
    return len(a) == len(b) and all(x == y for x, y in zip(a, b, strict=True))


def per_channel(value: Value | None, like: Value) -> np.ndarray | None:
    """Returns a constant as float64 [c] or [1] when, broadcast to a tensor, it varies along the last axis only."""
    array = None if value is None else value.const
    if array is None or array.ndim > len(like.shape) or not like.shape:
        return None
    if array.size != (array.shape[-1] if array.ndim else 1) or array.size not in (1, like.shape[-1]):
        return None
    return array.reshape(-1).astype(np.float64)


def is_plain(node: Node) -> bool:
    """Whether a node has no fused activation."""
    return bool((node.attrs.get("activation") or {}).get("kind", "identity") == "identity")
