# SPDX-License-Identifier: Apache-2.0
"""One spelling for each thing."""

import math

import numpy as np
import pytest
from graph_builder import Build

from tealight.passes.simplify_arithmetic import simplify_arithmetic

FORMS = {
    "pow 2": (lambda b, x: b.binary("pow", x, 2.0), "square"),
    "x * x": (lambda b, x: b.binary("mul", x, x), "square"),
    "max 0": (lambda b, x: b.binary("max", x, 0.0), "relu"),
    "0 max": (lambda b, x: b.binary("max", 0.0, x), "relu"),
    "min 6": (lambda b, x: b.binary("min", x, 6.0), "clip"),
    "1 / x": (lambda b, x: b.binary("div", 1.0, x), "reciprocal"),
    "0 - x": (lambda b, x: b.binary("sub", 0.0, x), "neg"),
}


@pytest.mark.parametrize("name", FORMS)
def test_becomes_unary(name):
    b = Build()
    form, kind = FORMS[name]
    b.run(simplify_arithmetic, outputs=[form(b, b.input(3, 5))])
    assert [n.attrs["kind"] for n in b.graph.nodes] == [kind]


def test_min_of_max_becomes_one_clip():
    b = Build()
    y = b.binary("min", b.binary("max", b.input(9), 0.0), 6.0)
    b.run(simplify_arithmetic, simplify_arithmetic, outputs=[y])
    attrs = b.graph.nodes[-1].attrs
    assert len(b.graph.nodes) == 1 and (attrs["kind"], attrs["alpha"], attrs["beta"]) == ("clip", 0, 6)


def test_crossed_bounds_win_over_the_clip_before():
    b = Build()
    y = b.unary("clip", b.unary("clip", b.input(33), alpha=-1.0, beta=2.0), alpha=3.0, beta=1.0)
    b.run(simplify_arithmetic, outputs=[y])


def test_root_and_reciprocal_become_rsqrt():
    b = Build()
    x = b.unary("exp", b.input(9))
    y = b.binary("div", 1.0, b.binary("pow", x, 0.5))
    b.run(simplify_arithmetic, simplify_arithmetic, outputs=[y])
    assert [n.attrs["kind"] for n in b.graph.nodes] == ["exp", "rsqrt"]


def test_division_becomes_product_only_when_exact():
    b = Build()
    x = b.input(9)
    y, z = b.binary("div", x, 4.0), b.binary("div", x, 3.0)
    b.run(simplify_arithmetic, outputs=[y, z])
    assert [n.attrs["kind"] for n in b.graph.nodes] == ["mul", "div"]
    assert math.isclose(float(b.graph.nodes[0].inputs[1].const), 0.25)


def test_constants_go_right_and_differences_become_sums():
    b = Build()
    c = b.const([1.0, 2.0])
    b.run(simplify_arithmetic, outputs=[b.binary("sub", b.binary("add", c, b.input(2)), c)])
    assert [n.attrs["kind"] for n in b.graph.nodes] == ["add", "add"]
    np.testing.assert_array_equal(b.graph.nodes[1].inputs[1].const, [-1, -2])
