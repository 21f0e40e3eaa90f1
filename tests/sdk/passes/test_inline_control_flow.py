# SPDX-License-Identifier: Apache-2.0
"""Decided branches are inlined; constants move into bodies."""

import numpy as np
import pytest
from graph_builder import Build

from tealight.ir.graph import Graph
from tealight.ir.types import DType, TensorType
from tealight.passes.inline_control_flow import inline_control_flow
from tealight.passes.remove_dead_code import remove_dead_code


def body(name: str, kind: str) -> Graph:
    """kind(a, b) of two captures."""
    g = Graph(name)
    a, c = (g.add_input(n, TensorType(DType.FLOAT32, (3,))) for n in "ab")
    g.outputs = g.add("binary", [a, c], {"kind": kind})
    return g


def branch(b: Build, cond):
    start = b.unary("exp", b.graph.inputs[0])
    subgraphs = {"then": body("t", "add"), "else": body("e", "mul")}
    return b.graph.add("if", [cond, start, b.const([1, 2, 3])], {}, subgraphs=subgraphs)[0]


@pytest.mark.parametrize(("value", "kind"), [(True, "add"), (False, "mul")])
def test_known_condition(value, kind):
    b = Build()
    b.input(3)
    y = branch(b, b.const(value, np.bool_))
    b.run(inline_control_flow, remove_dead_code, outputs=[y])
    assert [n.attrs.get("kind") for n in b.graph.nodes] == ["exp", kind]


def test_constant_captures_move_into_the_bodies():
    b = Build()
    x = b.input(3)
    y = branch(b, b.binary("less", b("reduce", x, kind="sum", keepdims=False), 0.0))
    b.run(inline_control_flow, outputs=[y])
    node = b.graph.nodes[-1]
    assert len(node.inputs) == 2 and all(len(g.inputs) == 1 for g in node.subgraphs.values())
