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
