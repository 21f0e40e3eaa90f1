# SPDX-License-Identifier: Apache-2.0
"""Unused nodes and results disappear."""

from graph_builder import Build

from tealight.passes.remove_dead_code import remove_dead_code


def test_removes_chains_that_reach_no_output():
    b = Build()
    x = b.input(4)
    b.unary("exp", b.unary("neg", x))
    assert b.run(remove_dead_code, outputs=[b.unary("abs", x)]) == ["unary"]


def test_drops_results_nobody_wants():
    b = Build()
    first, _ = b.many(2, "split", b.input(4, 6), axis=1, sizes=[2, 4])
    b.run(remove_dead_code, outputs=[first])
    assert b.graph.nodes[0].outputs[1] is None
