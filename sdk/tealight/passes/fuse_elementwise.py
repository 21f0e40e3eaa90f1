# SPDX-License-Identifier: Apache-2.0
"""Fuses neighbouring elementwise nodes into one loop over memory."""

from __future__ import annotations

import dataclasses
from typing import Any

from tealight.errors import TealightError
from tealight.ir.graph import Graph, Node, Value
from tealight.ir.types import DType
from tealight.passes._editor import Editor, out, same_dims
from tealight.passes._manager import Options

MAX_STEPS = 16
MAX_OPERANDS = 8
_BINARY = ("add", "sub", "mul", "div", "pow", "max", "min", "prelu")
_NOT_UNARY = ("not_", "bitwise_not", "is_nan", "is_inf")


def fuse_elementwise(graph: Graph, options: Options) -> int:
    """Joins float32 unary and binary nodes of one result shape, each read only inside the group, into one node.

    Given:
        %a = binary(%x, %s, kind=mul); %b = unary(%a, kind=exp); %y = binary(%b, %x, kind=add)
    Result:
        %y = elementwise(%x, %s, steps=[mul(0, 1), exp(2), add(3, 0)], results=[4])
    Requires:
        Runs late: what a layer or a pattern can take has been taken.
    Keeps:
        At most MAX_STEPS steps and MAX_OPERANDS operands; smaller operands are broadcast inside the loop.
    """
    if not options.fuse_elementwise:
        return 0
    editor = Editor(graph)
    for root in reversed(list(graph.nodes)):
        if root not in graph.nodes or not _fits(root):
            continue
        group = _grow(editor, root)
        if len(group) > 1:
            _fuse(editor, group, root)
    return editor.rewrites


def _fits(node: Node) -> bool:
    if node.op not in ("unary", "binary") or any(v is None or v.dtype != DType.FLOAT32 for v in node.inputs):
        return False
    kind = node.attrs["kind"]
    return out(node).dtype == DType.FLOAT32 and (kind in _BINARY if node.op == "binary" else kind not in _NOT_UNARY)


def _grow(editor: Editor, root: Node) -> list[Node]:
    """Returns the nodes to join, in execution order; all readers of each but the root are among them."""
    group = {root}
    changed = True
    while changed:
        changed = False
        for value in _operands(editor.graph, group):
            node = value.producer
            if node is None or not _fits(node) or editor.is_output(value):
                continue
            if not same_dims(value.shape, out(root).shape) or any(u not in group for u in editor.users(value)):
                continue
            larger = group | {node}
            if _steps(larger) <= MAX_STEPS and len(_operands(editor.graph, larger)) <= MAX_OPERANDS:
                group, changed = larger, True
    return [n for n in editor.graph.nodes if n in group]


def _steps(group: set[Node]) -> int:
    return sum(1 + (_activation(n) is not None) for n in group)


def _operands(graph: Graph, group: set[Node]) -> list[Value]:
    """Values the group reads from outside, in order of first use."""
    found: dict[Value, None] = {}
    for node in graph.nodes:
        if node in group:
            for v in node.inputs:
                if v is not None and v.producer not in group:
                    found.setdefault(v)
    return list(found)


def _activation(node: Node) -> dict[str, Any] | None:
    activation = node.attrs.get("activation") or {}
    return activation if activation.get("kind", "identity") != "identity" else None


@dataclasses.dataclass
class _Program:
    """The steps so far, and the register of each value."""

    registers: dict[Value, int]
    inputs: int
    steps: list[dict[str, Any]] = dataclasses.field(default_factory=list)

    def push(self, **step: Any) -> int:
        """Appends a step and returns its register."""
        base = {"unary": "identity", "binary": "add", "is_binary": False, "b": -1, "alpha": 0.0, "beta": 0.0}
        self.steps.append({**base, **step})
        return self.inputs + len(self.steps) - 1


def _fuse(editor: Editor, group: list[Node], root: Node) -> None:
    operands = _operands(editor.graph, set(group))
    program = _Program({v: i for i, v in enumerate(operands)}, len(operands))
    for node in group:
        at = [program.registers[v] for v in node.inputs if v is not None]
        if node.op == "unary":
            alpha, beta = float(node.attrs["alpha"]), float(node.attrs["beta"])
            register = program.push(unary=node.attrs["kind"], a=at[0], alpha=alpha, beta=beta)
        else:
            register = program.push(binary=node.attrs["kind"], is_binary=True, a=at[0], b=at[1])
        activation = _activation(node)
        if activation is not None:
            alpha, beta = float(activation.get("alpha", 0)), float(activation.get("beta", 0))
            register = program.push(unary=activation["kind"], a=register, alpha=alpha, beta=beta)
        program.registers[out(node)] = register
    attrs = {"steps": program.steps, "results": [program.registers[out(root)]]}
    try:
        new = editor.add("elementwise", operands, attrs, before=root, name=root.name)
    except TealightError:  # a kind the loop does not know: the nodes stay
        return
    editor.swap(root, new)
