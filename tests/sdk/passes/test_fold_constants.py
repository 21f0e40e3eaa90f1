# SPDX-License-Identifier: Apache-2.0
"""Constant folding: known values become constants, large ones do not."""

import numpy as np
from graph_builder import Build

from tealight.passes.fold_constants import fold_constants


def test_folds_what_depends_on_constants_only():
    b = Build()
    x = b.input(2, 3)
    c = b.binary("add", b.const([1, 2, 3]), b.const([4, 5, 6]))
    assert b.run(fold_constants, outputs=[b.binary("mul", x, c)]) == ["binary"]
    np.testing.assert_array_equal(b.graph.nodes[0].inputs[1].const, [5, 7, 9])


def test_folds_the_shape_of_fixed_dims():
    b = Build()
    x = b.input("n", 4, 8)
    shape = b("shape", x, start=1, end=3)
    assert b.run(fold_constants, outputs=[shape]) == []
    assert b.graph.outputs[0].const.tolist() == [4, 8]


def test_keeps_expansions_above_the_limit():
    b = Build()
    big = b("expand", b.const([1.0]), b.ints(1000))
    small = b("expand", b.const([1.0]), b.ints(4))
    assert b.run(fold_constants, outputs=[big, small], fold_limit_bytes=64) == ["expand"]


def test_constants_of_integers_stay_integers_and_are_rearranged():
    b = Build()
    w = b.transpose(b.weight8(8, 3, axis=0), 1, 0)
    y = b("matmul", b.input(2, 8, name="y"), b.reshape(b.weight8(2, 4, 3, axis=2), 8, 3))
    z = b("matmul", b.input(2, 3), w)
    assert b.run(fold_constants, outputs=[y, z]).count("dequantize") == 2
    for node in b.graph.nodes:
        if node.op == "dequantize":
            assert node.inputs[0].const.dtype == np.int8
    assert "transpose" not in [n.op for n in b.graph.nodes]
    assert "reshape" not in [n.op for n in b.graph.nodes]
