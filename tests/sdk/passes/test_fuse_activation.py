# SPDX-License-Identifier: Apache-2.0
"""Functions go into the layer before them."""

import pytest
from graph_builder import Build

from tealight.passes.fuse_activation import fuse_activation
from tealight.passes.fuse_residual import fuse_residual


@pytest.mark.parametrize("kind", ["relu", "hard_swish", "silu", "gelu", "tanh"])
def test_into_a_convolution(kind):
    b = Build()
    assert b.run(fuse_activation, outputs=[b.unary(kind, b.conv(b.input(1, 4, 4, 3), 5))]) == ["conv2d"]


def test_clip_keeps_its_bounds():
    b = Build()
    y = b.unary("clip", b.dense(b.input(3, 4), 5), alpha=-0.5, beta=0.25)
    assert b.run(fuse_activation, outputs=[y]) == ["fully_connected"]


def test_behind_the_residual():
    b = Build()
    x = b.unary("relu", b.input(1, 4, 4, 3))
    y = b.unary("relu", b.binary("add", b.conv(x, 3), x))
    assert b.run(fuse_residual, fuse_activation, outputs=[y]) == ["unary", "conv2d"]


def test_into_a_binary():
    b = Build()
    y = b.unary("relu", b.binary("add", b.input(4), b.input(4, name="z")))
    assert b.run(fuse_activation, outputs=[y]) == ["binary"]


def test_keeps_a_second_function_and_shared_results():
    b = Build()
    y = b.conv(b.input(1, 4, 4, 3), 5)
    z = b.unary("tanh", b.unary("relu", y))
    assert b.run(fuse_activation, outputs=[z]) == ["conv2d", "unary"]
    c = Build()
    y = c.conv(c.input(1, 4, 4, 3), 5)
    assert c.run(fuse_activation, outputs=[y, c.unary("relu", y)]) == ["conv2d", "unary"]
