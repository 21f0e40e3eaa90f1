# SPDX-License-Identifier: Apache-2.0
"""Runs an ir.Graph with the ops' NumPy definitions, before any pass or bundle: what the frontends are judged by."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from tealight import ops
from tealight.ir.graph import Graph, Node, Value

Arrays = list[np.ndarray]


def evaluate(graph: Graph, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Returns the outputs of a graph by name."""
    feeds = []
    for value in graph.inputs:
        array = np.asarray(inputs[value.name])
        assert array.dtype == value.dtype.numpy, f"input {value.name}: {array.dtype}, expected {value.dtype.label}"
        _check(value, array, "input")
        feeds.append(array)
    results = call(graph, feeds)
    return {v.name: r for v, r in zip(graph.outputs, results, strict=True)}


def call(graph: Graph, feeds: Sequence[np.ndarray | None]) -> Arrays:
    """Returns the outputs of a graph."""
    env: dict[Value, np.ndarray | None] = dict(zip(graph.inputs, feeds, strict=True))

    def read(v: Value | None) -> np.ndarray | None:
        return None if v is None else v.const if v.const is not None else env[v]

    last = {v: i for i, node in enumerate(graph.nodes) for v in node.inputs if v is not None}
    kept = set(graph.outputs)
    for i, node in enumerate(graph.nodes):
        operands = [read(v) for v in node.inputs]
        with np.errstate(all="ignore"):
            results = _step(node, operands)
        for value, result in zip(node.outputs, results, strict=False):
            if value is not None:
                array = np.asarray(result)
                _check(value, array, f"{node.op} '{node.name}'")
                env[value] = array
        for v in node.inputs:
            if v is not None and last[v] == i and v not in kept:
                env.pop(v, None)
    return [np.asarray(read(v)) for v in graph.outputs]


def _check(value: Value, array: np.ndarray, what: str) -> None:
    assert array.dtype == value.dtype.numpy, f"{what}: {array.dtype}, inferred {value}"
    fits = array.ndim == len(value.shape) and all(
        isinstance(d, str) or d == s for d, s in zip(value.shape, array.shape, strict=True)
    )
    assert fits, f"{what}: shape {array.shape}, inferred {value}"


def _step(node: Node, operands: Sequence[np.ndarray | None]) -> Sequence[np.ndarray]:
    if node.op == "if":
        assert operands[0] is not None
        return call(node.subgraphs["then" if bool(operands[0].reshape(-1)[0]) else "else"], operands[1:])
    if node.op == "loop":
        return _loop(node, operands)
    result = ops.get(node.op).reference(*operands, **node.attrs)
    return [result] if isinstance(result, np.ndarray | np.generic) else list(result)


def _loop(node: Node, operands: Sequence[np.ndarray | None]) -> Arrays:
    body, count = node.subgraphs["body"], node.attrs["carried"]
    trips = None if operands[0] is None else int(operands[0].reshape(-1)[0])
    going = operands[1] is None or bool(operands[1].reshape(-1)[0])
    carried = list(operands[2 : 2 + count])
    scans: list[Arrays] = [[] for _ in body.outputs[1 + count :]]
    i = 0
    while going and (trips is None or i < trips):
        results = call(body, [np.array(i, np.int64), np.array(going), *carried, *operands[2 + count :]])
        going, carried = bool(results[0]), list(results[1 : 1 + count])
        for scan, r in zip(scans, results[1 + count :], strict=True):
            scan.append(r)
        i += 1
    stacked = [
        np.stack(s) if s else np.zeros((0, *(d if isinstance(d, int) else 0 for d in v.shape)), v.dtype.numpy)
        for s, v in zip(scans, body.outputs[1 + count :], strict=True)
    ]
    return [np.asarray(v) for v in carried] + stacked
