# SPDX-License-Identifier: Apache-2.0
"""Normalizations spelled in arithmetic."""

import pytest
from graph_builder import Build

from tealight.passes.recognise_norms import recognise_norms
from tealight.passes.simplify_arithmetic import simplify_arithmetic


def mean(b, x, *axes):
    return b("reduce", x, b.ints(*axes), kind="mean", keepdims=True)


@pytest.mark.parametrize("square", ["pow", "mul"])
@pytest.mark.parametrize("root", ["div", "reciprocal"])
def test_layer_norm_with_scale_and_bias(square, root):
    b = Build()
    x = b.input(2, 5, 8)
    d = b.binary("sub", x, mean(b, x, -1))
    v = mean(b, b.binary("pow", d, 2.0) if square == "pow" else b.binary("mul", d, d), 2)
    s = b.unary("sqrt", b.binary("add", v, 1e-5))
    y = b.binary("div", d, s) if root == "div" else b.binary("mul", d, b.unary("reciprocal", s))
    y = b.binary("add", b.binary("mul", y, b.normal(8)), b.normal(8))
    assert b.run(simplify_arithmetic, recognise_norms, outputs=[y]) == ["layer_norm"]
    assert len(b.graph.nodes[0].inputs) == 3


def test_rms_norm():
    b = Build()
    x = b.input(2, 5, 8)
    r = b.unary("reciprocal", b.unary("sqrt", b.binary("add", mean(b, b.binary("mul", x, x), -1), 1e-5)))
    y = b.binary("mul", b.normal(8), b.binary("mul", x, r))
    assert b.run(simplify_arithmetic, recognise_norms, outputs=[y]) == ["layer_norm"]
    assert b.graph.nodes[0].attrs["rms"]


@pytest.mark.parametrize("shifted", [True, False])
def test_softmax(shifted):
    b = Build()
    x = b.input(2, 5, 8)
    z = b.binary("sub", x, b("reduce", x, b.ints(1), kind="max", keepdims=True)) if shifted else x
    e = b.unary("exp", z)
    y = b.binary("div", e, b("reduce", e, b.ints(1), kind="sum", keepdims=True))
    assert b.run(recognise_norms, outputs=[y]) == ["softmax"]
    assert b.graph.nodes[0].attrs["axis"] == 1


@pytest.mark.parametrize("rms", [True, False])
def test_keeps_a_result_of_higher_rank_than_its_operand(rms):
    b = Build()
    x = b.input(2, 8)
    d = x if rms else b.binary("sub", x, mean(b, x, -1))
    total = b.binary("add", mean(b, b.unary("square", d), -1), b.const([[[1e-3]]]))
    y = b.binary("div", d, b.unary("sqrt", total))
    assert "layer_norm" not in b.run(recognise_norms, outputs=[y])


def test_keeps_a_mean_over_the_leading_dims():
    b = Build()
    x = b.input(2, 5, 8)
    d = b.binary("sub", x, mean(b, x, 1))
    y = b.binary("div", d, b.unary("sqrt", b.binary("add", mean(b, b.unary("square", d), 1), 1e-5)))
    assert "layer_norm" not in b.run(recognise_norms, outputs=[y])


@pytest.mark.parametrize("parameters", [True, False])
def test_group_norm_takes_the_scale_and_bias_after_it(parameters):
    b = Build()
    operands = [b.normal(6), b.normal(6)] if parameters else []
    y = b("group_norm", b.input(2, 4, 5, 6), *operands, num_groups=3)
    y = b.binary("add", b.binary("mul", b.normal(1, 1, 1, 6), y), b.const([[0.5]]))
    assert b.run(recognise_norms, outputs=[y]) == ["group_norm"]


def test_group_norm_keeps_a_scale_of_something_else_than_channels():
    b = Build()
    y = b("group_norm", b.input(2, 6, 6, 6), num_groups=3)
    y = b.binary("mul", y, b.normal(6, 1))
    assert b.run(recognise_norms, outputs=[y]) == ["group_norm", "binary"]
