# SPDX-License-Identifier: Apache-2.0
"""BatchNormalization in all its spellings goes into the weights."""

import pytest
from graph_builder import Build

from tealight.passes.fold_affine import fold_affine


@pytest.mark.parametrize("kind", ["mul", "add", "sub", "div", "from", "chain"])
def test_behind_a_convolution(kind):
    b = Build()
    y = b.conv(b.input(1, 6, 7, 4), 5)
    if kind == "chain":
        y = b.binary("add", b.binary("mul", y, b.normal(5)), b.normal(1, 1, 1, 5))
    elif kind == "from":
        y = b.binary("sub", b.normal(5), y)
    else:
        y = b.binary(kind, y, b.normal(5))
    assert b.run(fold_affine, outputs=[y]) == ["conv2d"]


def test_behind_fully_connected_without_bias():
    b = Build()
    y = b.binary("add", b("fully_connected", b.input(3, 4), b.normal(5, 4)), b.normal(5))
    assert b.run(fold_affine, outputs=[y]) == ["fully_connected"]


def test_before_fully_connected():
    b = Build()
    x = b.unary("relu", b.input(3, 4))
    y = b.dense(b.binary("add", b.binary("mul", x, b.normal(4)), b.normal(4)), 5)
    assert b.run(fold_affine, outputs=[y]) == ["unary", "fully_connected"]


@pytest.mark.parametrize(("pad", "left"), [(0, 0), (1, 1)])
def test_before_a_convolution_the_sum_needs_no_padding(pad, left):
    b = Build()
    x = b.binary("add", b.unary("relu", b.input(1, 6, 6, 4)), b.normal(4))
    assert b.run(fold_affine, outputs=[b.conv(x, 3, pad=pad)]).count("binary") == left


def test_before_a_grouped_convolution():
    b = Build()
    x = b.binary("mul", b.unary("relu", b.input(1, 6, 6, 4)), b.normal(4))
    y = b("conv2d", x, b.normal(6, 3, 3, 2), None, kernel_shape=[3, 3], pads=[1] * 4, group=2)
    assert "binary" not in b.run(fold_affine, outputs=[y])


def test_keeps_constants_that_vary_over_the_picture():
    b = Build()
    y = b.binary("mul", b.conv(b.input(1, 4, 4, 4), 5), b.normal(1, 4, 4, 5))
    assert b.run(fold_affine, outputs=[y]) == ["conv2d", "binary"]


def test_keeps_a_result_that_others_read():
    b = Build()
    y = b.conv(b.input(1, 4, 4, 4), 5)
    assert "binary" in b.run(fold_affine, outputs=[b.binary("mul", y, b.normal(5)), y])
