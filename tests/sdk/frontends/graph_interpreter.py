# SPDX-License-Identifier: Apache-2.0
"""Runs an imported graph with the ops' NumPy definitions and checks every result against its inferred type."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from tealight.ir.graph import Graph, Value
from tealight.ir.interpret import evaluate_node
from tealight.ir.verify import verify


def evaluate(graph: Graph, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Returns the outputs of a graph by name."""
    verify(graph)
    env: dict[Value, np.ndarray] = {}
    for value in graph.inputs:
        env[value] = np.asarray(inputs[value.name])
        _check(value, env[value], "input")

    def read(v: Value | None) -> np.ndarray | None:
        return None if v is None else v.const if v.const is not None else env[v]

    last = {v: i for i, node in enumerate(graph.nodes) for v in node.inputs if v is not None}
    kept = set(graph.outputs)
    for i, node in enumerate(graph.nodes):
        for value, array in zip(node.outputs, evaluate_node(node, [read(v) for v in node.inputs]), strict=False):
            if value is not None:
                _check(value, array, f"{node.op} '{node.name}'")
                env[value] = array
        for v in node.inputs:  # what nobody reads any more is freed: real models are large
            if v is not None and last[v] == i and v not in kept:
                env.pop(v, None)
    return {v.name: np.asarray(read(v)) for v in graph.outputs}


def _check(value: Value, array: np.ndarray, what: str) -> None:
    assert array.dtype == value.dtype.numpy, f"{what}: {array.dtype}, inferred {value}"
    fits = array.ndim == len(value.shape) and all(
        isinstance(d, str) or d == s for d, s in zip(value.shape, array.shape, strict=True)
    )
    assert fits, f"{what}: shape {array.shape}, inferred {value}"
