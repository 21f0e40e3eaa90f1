# SPDX-License-Identifier: Apache-2.0
"""Constant matrices become weights."""

import pytest
from graph_builder import Build

from tealight.passes.matmul_to_fully_connected import matmul_to_fully_connected


@pytest.mark.parametrize("transposed", [True, False])
def test_constant_matrix(transposed):
    b = Build()
    w = b.normal(7, 5) if transposed else b.normal(5, 7)
    y = b("matmul", b.input(2, 3, 5), w, transpose_b=transposed, alpha=0.5)
    assert b.run(matmul_to_fully_connected, outputs=[y]) == ["fully_connected"]
    assert b.graph.nodes[0].inputs[1].shape == (7, 5)


def test_keeps_batches_of_matrices():
    b = Build()
    y = b("matmul", b.input(2, 3, 5), b.normal(2, 5, 7))
    assert b.run(matmul_to_fully_connected, outputs=[y]) == ["matmul"]


def test_integer_weights_stay_integers():
    b = Build()
    x = b.input(2, 5, 8)
    y = b("matmul", x, b.weight8(8, 3, axis=1))
    z = b("matmul", x, b.weight8(3, 8, axis=0), transpose_b=True)
    ops = b.run(matmul_to_fully_connected, outputs=[y, z])
    assert ops.count("fully_connected") == 2
    layers = [n for n in b.graph.nodes if n.op == "fully_connected"]
    assert all(n.inputs[1].producer.inputs[0].const.dtype == "int8" for n in layers)
