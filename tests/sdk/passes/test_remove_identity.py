# SPDX-License-Identifier: Apache-2.0
"""Nodes that copy their operand disappear; names of inputs and outputs stay."""

import pytest
from graph_builder import Build

from tealight.ir.types import DType
from tealight.passes.remove_identity import remove_identity

COPIES = {
    "identity": lambda b, x: b.unary("identity", x),
    "cast": lambda b, x: b("cast", x, to=DType.FLOAT32.value),
    "reshape": lambda b, x: b.reshape(x, 2, 3, 4),
    "transpose": lambda b, x: b.transpose(x, 0, 1, 2),
    "slice": lambda b, x: b("slice", x, b.ints(0), b.ints(1000), b.ints(1)),
    "pad": lambda b, x: b("pad", x, b.ints(0, 0, 0, 0, 0, 0)),
    "mul one": lambda b, x: b.binary("mul", x, 1.0),
    "add zero": lambda b, x: b.binary("add", 0.0, x),
    "concat": lambda b, x: b("concat", x, axis=0),
    "expand": lambda b, x: b("expand", x, b.ints(2, 3, 4)),
}


@pytest.mark.parametrize("name", COPIES)
def test_removes(name):
    b = Build()
    x = b.unary("exp", b.input(2, 3, 4))
    assert b.run(remove_identity, outputs=[b.unary("neg", COPIES[name](b, x))]) == ["unary", "unary"]


def test_keeps_a_copy_between_two_names():
    b = Build()
    assert b.run(remove_identity, outputs=[b.unary("identity", b.input(2))]) == ["unary"]


def test_keeps_products_that_broadcast():
    b = Build()
    y = b.binary("mul", b.input(3), b.const([[1.0], [1.0]]))
    assert b.run(remove_identity, outputs=[y]) == ["binary"]
