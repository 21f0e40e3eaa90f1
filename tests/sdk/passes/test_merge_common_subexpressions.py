# SPDX-License-Identifier: Apache-2.0
"""Equal nodes are computed once."""

from graph_builder import Build

from tealight.passes.merge_common_subexpressions import merge_common_subexpressions


def test_merges_equal_nodes_and_equal_constants():
    b = Build()
    x = b.input(3)
    p, q = (b.unary("exp", b.binary("mul", x, 2.0)) for _ in range(2))
    assert b.run(merge_common_subexpressions, outputs=[b.binary("add", p, q)]) == ["binary", "unary", "binary"]


def test_keeps_nodes_that_differ_in_one_attribute():
    b = Build()
    x = b.input(3, 3, 3)
    y = b.binary("add", b.transpose(x, 0, 2, 1), b.transpose(x, 2, 1, 0))
    assert len(b.run(merge_common_subexpressions, outputs=[y])) == 3


def test_keeps_a_scalar_and_a_vector_of_one_apart():
    b = Build()
    x = b.input(3)
    y = b(
        "concat",
        b("gather", x, b.ints(1), axis=0),
        b("reshape", b("gather", x, b.const(1, "int64"), axis=0), b.ints(1)),
        axis=0,
    )
    assert len(b.run(merge_common_subexpressions, outputs=[y])) == 4


def test_keeps_two_outputs_apart():
    b = Build()
    x = b.input(3)
    assert len(b.run(merge_common_subexpressions, outputs=[b.unary("exp", x), b.unary("exp", x)])) == 2
