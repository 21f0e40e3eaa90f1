# SPDX-License-Identifier: Apache-2.0
"""Transposes cancel through whatever lies between."""

import pytest
from graph_builder import Build

from tealight.ir.types import DType
from tealight.passes.move_transposes import move_transposes


def nchw(b, x):
    return b.transpose(x, 0, 3, 1, 2)


def nhwc(b, x):
    return b.transpose(x, 0, 2, 3, 1)


MIDDLES = {
    "unary": lambda b, x: b.unary("relu", x),
    "scale": lambda b, x: b.binary("mul", x, b.normal(6, 1, 1)),
    "residual": lambda b, x: b.binary("add", b.unary("relu", x), x),
    "concat": lambda b, x: b("concat", x, b.unary("exp", x), axis=1),
    "split": lambda b, x: b("concat", *b.many(2, "split", x, axis=1, sizes=[2, 4])[::-1], axis=1),
    "slice": lambda b, x: b("slice", x, b.ints(1), b.ints(5), b.ints(1)),
    "slice without axes": lambda b, x: b("slice", x, b.ints(0, 1), b.ints(1, 4)),
    "pad": lambda b, x: b("pad", x, b.ints(0, 1, 2, 3, 0, 0, 1, 1)),
    "mean": lambda b, x: b.binary("mul", x, b("reduce", x, b.ints(2, 3), kind="mean", keepdims=True)),
    "softmax": lambda b, x: b("softmax", x, axis=1),
    "gather": lambda b, x: b("gather", x, b.ints(3, 1), axis=1),
    "expand": lambda b, x: b.binary("add", x, b("expand", b("reduce", x, kind="max"), b.ints(1, 6, 4, 5))),
    "where": lambda b, x: b("where", b.binary("less", x, 0.0), b.binary("mul", x, 3.0), x),
    "quantize": lambda b, x: b.dequantize(b.quantize(x)),
    "quantize channels": lambda b, x: b.dequantize(b.quantize(x, [0.1] * 6), [0.1] * 6),
    "integer constant": lambda b, x: b.binary("mul", x, b.weight8(6, 1, 1)),
    "cast": lambda b, x: b.binary("add", b("cast", x, to=1), 1.0),
}


@pytest.mark.parametrize("name", MIDDLES)
def test_pair_cancels(name):
    b = Build()
    y = MIDDLES[name](b, nchw(b, b.input(1, 4, 5, 6)))
    assert "transpose" not in b.run(move_transposes, outputs=[nhwc(b, y)])


def test_branches_meet_in_one_order():
    b = Build()
    x = b.input(1, 4, 5, 6)
    left, right = nchw(b, b.conv(x, 6)), nchw(b, b.conv(x, 6))
    y = b.unary("relu", b.binary("add", left, right))
    z = nchw(b, b.conv(nhwc(b, y), 6))
    y = b.binary("add", z, y)
    assert b.run(move_transposes, outputs=[nhwc(b, y)]).count("transpose") == 0


def test_output_in_the_source_order_keeps_one_transpose():
    b = Build()
    y = nchw(b, b.conv(nhwc(b, b.unary("neg", nchw(b, b.input(1, 4, 5, 6)))), 7))
    assert b.run(move_transposes, outputs=[b.unary("relu", y)]).count("transpose") == 1


def test_bytes_never_grow():
    b = Build()
    x = b.input(1, 4, 5, 6)  # a small tensor broadcast to a large one: the transpose stays on the small one
    y = b.binary("add", nchw(b, x), b.input(50, 6, 4, 5, name="large"))
    assert b.run(move_transposes, outputs=[y]) == ["transpose", "binary"]


def test_flatten_permutes_the_weights():
    b = Build()
    y = b.dense(b.unary("relu", b.reshape(nchw(b, b.conv(b.input(2, 4, 5, 6), 3)), 2, 60)), 7)
    assert "transpose" not in b.run(move_transposes, outputs=[y])


def test_flatten_of_integers_permutes_integer_weights():
    b = Build()
    flat = b.dequantize(b.quantize(b.reshape(nchw(b, b.conv(b.input(2, 4, 5, 6), 3)), 2, 60)))
    y = b("fully_connected", flat, b.weight8(7, 60), b.normal(7))
    assert "transpose" not in b.run(move_transposes, outputs=[y])
    assert b.graph.nodes[-1].inputs[1].producer.inputs[0].const.dtype == "int8"


def test_integers_are_transposed_not_floats():
    b = Build()
    y = b.conv(nhwc(b, b.dequantize(b.input(1, 6, 4, 5, dtype=DType.INT8))), 3)
    assert b.run(move_transposes, outputs=[y]) == ["transpose", "dequantize", "conv2d"]


def test_shuffle_with_halves_becomes_slices():
    b = Build()
    x = b.reshape(nchw(b, b.input(1, 4, 5, 6)), 3, 2, 20)
    x = b.reshape(b.transpose(x, 1, 0, 2), 2, 1, 3, 4, 5)
    halves = [b.reshape(b("slice", x, b.ints(i), b.ints(i + 1), b.ints(0)), 1, 3, 4, 5) for i in (0, 1)]
    assert "transpose" not in b.run(move_transposes, outputs=[nhwc(b, h) for h in halves])


def test_mean_over_the_picture_drops_its_transpose():
    b = Build()
    y = b("reduce", nchw(b, b.conv(b.input(1, 4, 5, 6), 7)), b.ints(2, 3), kind="mean", keepdims=False)
    assert b.run(move_transposes, outputs=[b.dense(y, 3)]) == ["conv2d", "reduce", "fully_connected"]


def test_symbolic_batch():
    b = Build()
    y = nhwc(b, b.unary("relu", nchw(b, b.input("n", 4, 5, 6))))
    assert b.run(move_transposes, outputs=[y]) == ["unary"]
