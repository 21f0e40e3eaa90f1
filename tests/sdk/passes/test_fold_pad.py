# SPDX-License-Identifier: Apache-2.0
"""Explicit padding goes into the window behind it."""

import numpy as np
from graph_builder import Build

from tealight.ir.types import DType
from tealight.passes.fold_pad import fold_pad


def test_zero_padding_before_a_convolution():
    b = Build()
    x = b("pad", b.input(1, 5, 6, 3), b.ints(0, 1, 0, 0, 0, 2, 1, 0))
    assert b.run(fold_pad, outputs=[b.conv(x, 4)]) == ["conv2d"]
    assert b.graph.nodes[0].attrs["pads"] == [2, 1, 3, 2]


def test_keeps_padding_of_channels_and_of_other_values():
    b = Build()
    x = b.input(1, 5, 6, 3)
    channels = b.conv(b("pad", x, b.ints(0, 0, 0, 1, 0, 0, 0, 0)), 4)
    ones = b.conv(b("pad", x, b.ints(0, 1, 1, 0, 0, 1, 1, 0), b.const(1.0)), 4)
    assert b.run(fold_pad, outputs=[channels, ones]).count("pad") == 2


def test_average_pooling_counts_the_padding():
    b = Build()
    x = b("pad", b.input(1, 6, 6, 3), b.ints(0, 1, 1, 0, 0, 1, 1, 0))
    y = b("average_pool2d", x, kernel_shape=[3, 3], strides=[1, 1], pads=[0] * 4, dilations=[1, 1])
    assert b.run(fold_pad, outputs=[y]) == ["average_pool2d"]


def test_padding_of_integers_with_their_zero_point():
    b = Build()
    amounts, x = b.ints(0, 1, 0, 0, 0, 2, 1, 0), b.input(1, 5, 6, 3, dtype=DType.INT8)
    zero = b.conv(b.dequantize(b("pad", x, amounts, b.const(3, np.int8))), 4)
    other = b.conv(b.dequantize(b("pad", x, amounts, b.const(0, np.int8))), 4)
    assert b.run(fold_pad, outputs=[zero, other]).count("pad") == 1
