# SPDX-License-Identifier: Apache-2.0
"""Constant shapes, slices for gathers, reshapes below elementwise nodes."""

from graph_builder import Build

from tealight.passes._manager import Options
from tealight.passes.remove_dead_code import remove_dead_code
from tealight.passes.simplify_shapes import simplify_shapes


def test_computed_shape_with_known_result_becomes_constant():
    b = Build()
    x = b.input("n", 3, 4)
    shape = b("concat", b("shape", x, end=1), b.ints(12), axis=0)
    y = b("reshape", x, shape)
    if y.shape != ("n", 12):
        y.type = type(y.type)(y.dtype, ("n", 12))
    assert b.run(simplify_shapes, remove_dead_code, outputs=[y]) == ["reshape"]


def test_gather_of_one_index_becomes_a_slice():
    b = Build()
    y = b("gather", b.input(4, 5, 6), b.const(-2, "int64"), axis=1)
    assert b.run(simplify_shapes, outputs=[y]) == ["slice", "reshape"]


def test_gather_of_an_index_out_of_range_stays():
    b = Build()
    b.graph.outputs = [b("gather", b.input(4, 5, 6), b.const(5, "int64"), axis=1)]
    assert simplify_shapes(b.graph, Options()) == 0


def test_gather_of_a_list_from_an_open_dim_stays():
    b = Build()
    b.graph.outputs = [b("gather", b.input(4, "n", 6), b.const([5], "int64"), axis=1)]
    assert simplify_shapes(b.graph, Options()) == 0


def test_expand_before_a_broadcast_disappears():
    b = Build()
    y = b.binary("add", b("expand", b.input(1, 5), b.ints(4, 5)), b.input(4, 5, name="z"))
    assert b.run(simplify_shapes, outputs=[y]) == ["binary"]


def test_reshapes_sink_below_elementwise_nodes():
    b = Build()
    x = b.reshape(b.input(2, 6, 4), 12, 4)
    y = b.binary("add", b.unary("relu", x), b.normal(1, 4))
    assert b.run(simplify_shapes, outputs=[y]) == ["unary", "binary", "reshape"]


def test_reshapes_of_both_operands_sink():
    b = Build()
    p, q = b.input(2, 6), b.input(2, 6, name="q")
    assert b.run(simplify_shapes, outputs=[b.binary("add", b.reshape(p, 12), b.reshape(q, 12))]) == [
        "binary",
        "reshape",
    ]


def test_transposes_sink_below_quantize_with_one_scale():
    b = Build()
    y = b.quantize(b.transpose(b.input(2, 6, 4), 0, 2, 1))
    assert b.run(simplify_shapes, outputs=[y]) == ["quantize", "transpose"]


def test_reshapes_sink_below_quantize_with_one_scale():
    b = Build()
    x = b.reshape(b.input(2, 6, 4), 12, 4)
    assert b.run(simplify_shapes, outputs=[b.quantize(x), b.quantize(x, [0.1] * 4)]).count("quantize") == 2
    b = Build()
    y = b.quantize(b.reshape(b.input(2, 6, 4), 12, 4))
    assert b.run(simplify_shapes, outputs=[y]) == ["quantize", "reshape"]
    b = Build()
    y = b.quantize(b.reshape(b.input(2, 6, 4), 12, 4), [0.1] * 4)
    assert b.run(simplify_shapes, outputs=[y]) == ["reshape", "quantize"]
