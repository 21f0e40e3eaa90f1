# SPDX-License-Identifier: Apache-2.0
"""Evaluates a graph with the ops' NumPy references: for tests of passes and for constant folding."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from tealight.errors import TealightError
from tealight.ir.graph import Graph, Node, Value


def evaluate(graph: Graph, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Runs a graph.

    Args:
        graph: The graph.
        inputs: Arrays by the name of the graph input.

    Returns:
        The graph outputs by name.

    Raises:
        TealightError: An input is missing, or an op refuses its operands.
    """
    for v in graph.inputs:
        if v.name not in inputs:
            raise TealightError(f"input {v.name!r}: missing, expected one of shape {list(v.shape)}")
    results = evaluate_values(graph, [inputs[v.name] for v in graph.inputs])
    return {v.name: a for v, a in zip(graph.outputs, results, strict=True)}


def evaluate_values(graph: Graph, inputs: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Runs a graph on arrays in the order of its inputs and returns its outputs in order."""
    table: dict[Value, np.ndarray] = dict(zip(graph.inputs, inputs, strict=True))

    def read(v: Value) -> np.ndarray:
        return table[v] if v in table else _constant(v)

    last = {v: i for i, node in enumerate(graph.nodes) for v in node.inputs if v is not None}
    kept = set(graph.outputs)
    for i, node in enumerate(graph.nodes):
        arrays = [None if v is None else read(v) for v in node.inputs]
        for value, array in zip(node.outputs, evaluate_node(node, arrays), strict=False):
            if value is not None:
                table[value] = array
        for v in node.inputs:  # what nothing reads any more is freed: real models are large
            if v is not None and last[v] == i and v not in kept:
                table.pop(v, None)
    return [read(v) for v in graph.outputs]


def evaluate_node(node: Node, inputs: Sequence[np.ndarray | None]) -> list[np.ndarray]:
    """Runs one node and returns its results."""
    if node.op == "if":
        return _run_if(node, inputs)
    if node.op == "loop":
        return _run_loop(node, inputs)
    from tealight.ops import get  # the registry needs the classes of this package

    with np.errstate(all="ignore"):
        result = get(node.op).reference(*inputs, **node.attrs)
    results = [result] if isinstance(result, np.ndarray | np.generic) else list(result)
    return [np.asarray(r) for r in results]


def _constant(value: Value) -> np.ndarray:
    if value.const is None:
        raise TealightError(f"value {value.name!r}: used before it is computed, expected a node before its use")
    return value.const


def _run_if(node: Node, inputs: Sequence[np.ndarray | None]) -> list[np.ndarray]:
    cond = inputs[0]
    if cond is None:
        raise TealightError(f"if {node.name!r} condition: absent, expected a bool", node=node.name, op="if")
    body = node.subgraphs["then" if bool(np.asarray(cond).reshape(-1)[0]) else "else"]
    return evaluate_values(body, [a for a in inputs[1:] if a is not None])


def _run_loop(node: Node, inputs: Sequence[np.ndarray | None]) -> list[np.ndarray]:
    body, carried = node.subgraphs["body"], int(node.attrs["carried"])
    trips = None if inputs[0] is None else int(inputs[0].reshape(-1)[0])
    go = True if inputs[1] is None else bool(inputs[1].reshape(-1)[0])
    state = [a for a in inputs[2 : 2 + carried] if a is not None]
    captures = [a for a in inputs[2 + carried :] if a is not None]
    scans: list[list[np.ndarray]] = [[] for _ in body.outputs[1 + carried :]]
    i = 0
    while go and (trips is None or i < trips):
        feed = [np.array(i, np.int64), np.array(go), *state, *captures]
        go_array, *rest = evaluate_values(body, feed)
        go, state = bool(np.asarray(go_array).reshape(-1)[0]), rest[:carried]
        for scan, item in zip(scans, rest[carried:], strict=True):
            scan.append(item)
        i += 1
    return [*state, *(_stack(s, v) for s, v in zip(scans, body.outputs[1 + carried :], strict=True))]


def _stack(items: list[np.ndarray], value: Value) -> np.ndarray:
    if items:
        return np.stack(items)
    return np.zeros((0, *(d if isinstance(d, int) else 0 for d in value.shape)), value.dtype.numpy)
