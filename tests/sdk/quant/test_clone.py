# SPDX-License-Identifier: Apache-2.0
"""Copies of a graph compute the same, and changes to them stay theirs."""

from __future__ import annotations

import numpy as np
from graph_builder import Build

from tealight.ir.interpret import evaluate
from tealight.quant.clone import clone


def test_copy_computes_the_same_and_stands_alone() -> None:
    b = Build()
    b.graph.outputs = [b.dense(b.unary("relu", b.dense(b.input(1, 24), 24)), 8)]
    graph, feeds = b.graph, {"x": np.random.default_rng(0).standard_normal((1, 24)).astype(np.float32)}
    copy, nodes, values = clone(graph)
    (wanted,), (found,) = evaluate(graph, feeds).values(), evaluate(copy, feeds).values()
    np.testing.assert_array_equal(found, wanted)
    count = len(graph.nodes)
    copy.add("unary", [copy.outputs[0]], {"kind": "relu"})
    assert len(graph.nodes) == count and all(a is not b for a, b in nodes.items())
    assert all(a is not b for a, b in values.items())
