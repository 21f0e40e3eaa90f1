# SPDX-License-Identifier: Apache-2.0
"""Neighbouring elementwise nodes become one loop."""

from graph_builder import Build, attrs_of

from tealight.passes.fuse_activation import fuse_activation
from tealight.passes.fuse_elementwise import MAX_STEPS, fuse_elementwise


def test_chain_with_broadcasts():
    b = Build()
    x = b.input(2, 3, 4)
    y = b.binary("add", b.unary("exp", b.binary("mul", x, b.normal(4))), b.input(3, 1, name="s"))
    assert b.run(fuse_elementwise, outputs=[b.binary("sub", y, x)]) == ["elementwise"]


def test_diamond():
    b = Build()
    x = b.unary("tanh", b.input(9))
    y = b.binary("mul", b.unary("exp", x), b.unary("neg", x))
    assert b.run(fuse_elementwise, outputs=[y]) == ["elementwise"]


def test_activation_becomes_a_step():
    b = Build()
    y = b.unary("relu", b.binary("add", b.input(9), b.input(9, name="z")))
    assert b.run(fuse_activation, fuse_elementwise, outputs=[b.unary("exp", y)]) == ["elementwise"]
    assert len(attrs_of(b.graph, "elementwise")[0]["steps"]) == 3


def test_keeps_values_read_elsewhere_and_smaller_results():
    b = Build()
    x = b.input(9)
    y = b.unary("exp", x)
    small = b.unary("neg", b.input(1, name="small"))
    assert b.run(fuse_elementwise, outputs=[b.binary("add", y, small), y]) == ["unary", "unary", "binary"]


def test_long_chains_are_cut():
    b = Build()
    x = b.input(9)
    for _ in range(MAX_STEPS + 4):
        x = b.unary("tanh", x)
    assert b.run(fuse_elementwise, outputs=[x]) == ["elementwise", "elementwise"]


def test_can_be_switched_off():
    b = Build()
    y = b.unary("exp", b.unary("neg", b.input(9)))
    assert b.run(fuse_elementwise, outputs=[y], fuse_elementwise=False) == ["unary", "unary"]
