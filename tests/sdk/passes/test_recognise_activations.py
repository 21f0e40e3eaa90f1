# SPDX-License-Identifier: Apache-2.0
"""Activation functions spelled in arithmetic."""

import math

import numpy as np
import pytest
from graph_builder import Build

from tealight.passes.recognise_activations import recognise_activations
from tealight.passes.simplify_arithmetic import simplify_arithmetic


def gelu_erf(b, x):
    gate = b.binary("add", b.unary("erf", b.binary("div", x, math.sqrt(2))), 1.0)
    return b.binary("mul", x, b.binary("mul", gate, 0.5))


def gelu_erf_half_first(b, x):
    gate = b.binary("add", 1.0, b.unary("erf", b.binary("mul", x, math.sqrt(0.5))))
    return b.binary("mul", b.binary("mul", 0.5, x), gate)


def gelu_tanh(b, x):
    cube = b.binary("mul", b.binary("pow", x, 3.0), 0.044715)
    gate = b.unary("tanh", b.binary("mul", b.binary("add", x, cube), math.sqrt(2 / math.pi)))
    return b.binary("mul", b.binary("mul", x, 0.5), b.binary("add", gate, 1.0))


def hard_swish(b, x):
    gate = b.unary("clip", b.binary("add", x, 3.0), alpha=0.0, beta=6.0)
    return b.binary("div", b.binary("mul", x, gate), 6.0)


def hard_swish_of_gate(b, x):
    gate = b.binary("mul", b.unary("clip", b.binary("add", x, 3.0), alpha=0.0, beta=6.0), 1 / 6)
    return b.binary("mul", gate, x)


FORMS = {
    "gelu": gelu_erf,
    "gelu ": gelu_erf_half_first,
    "gelu_tanh": gelu_tanh,
    "silu": lambda b, x: b.binary("mul", b.unary("sigmoid", x), x),
    "mish": lambda b, x: b.binary("mul", x, b.unary("tanh", b.unary("softplus", x))),
    "softplus": lambda b, x: b.unary("log", b.binary("add", b.unary("exp", x), 1.0)),
    "hard_sigmoid": lambda b, x: b.unary("clip", b.binary("add", b.binary("mul", x, 0.2), 0.5), alpha=0.0, beta=1.0),
    "hard_swish": hard_swish,
    "hard_swish ": hard_swish_of_gate,
    "sigmoid": lambda b, x: b.binary("div", 1.0, b.binary("add", b.unary("exp", b.unary("neg", x)), 1.0)),
    "leaky_relu": lambda b, x: b.binary("max", x, b.binary("mul", x, 0.1)),
}


@pytest.mark.parametrize("name", FORMS)
def test_becomes_one_unary(name):
    b = Build()
    y = FORMS[name](b, b.input(4, 33))
    b.run(simplify_arithmetic, recognise_activations, recognise_activations, outputs=[y])
    assert [n.attrs["kind"] for n in b.graph.nodes] == [name.strip()]


def test_keeps_the_arithmetic_when_a_part_is_read_elsewhere():
    b = Build()
    x = b.input(5)
    gate = b.unary("sigmoid", x)
    assert len(b.run(recognise_activations, outputs=[b.binary("mul", x, gate), gate])) == 2


def test_keeps_other_numbers():
    b = Build()
    x = b.input(5)
    gate = b.binary("add", b.unary("erf", b.binary("div", x, 1.5)), 1.0)
    y = b.binary("mul", x, b.binary("mul", gate, 0.5))
    assert len(b.run(recognise_activations, outputs=[y])) == 5


def test_keeps_a_slope_of_zero():
    """Infinity times zero is NaN, which the function of that slope would not give."""
    b = Build()
    x = b.input(5)
    b.feeds["x"][:2] = [np.inf, -np.inf]
    y = b.binary("max", x, b.binary("mul", x, 0.0))
    assert len(b.run(recognise_activations, outputs=[y])) == 2
