# SPDX-License-Identifier: Apache-2.0
"""Parts of a layer's result are computed separately."""

import pytest
from graph_builder import Build

from tealight.passes.split_layers import split_layers


def test_packed_projection():
    b = Build()
    parts = b.many(3, "split", b.dense(b.input(2, 5), 96), axis=-1, sizes=[32, 32, 32])
    assert b.run(split_layers, outputs=parts) == ["fully_connected"] * 3


def test_pointwise_convolution():
    b = Build()
    parts = b.many(2, "split", b.conv(b.input(1, 4, 4, 3), 80, k=1, pad=0), axis=3, sizes=[32, 48])
    assert b.run(split_layers, outputs=parts) == ["conv2d"] * 2


def test_keeps_narrow_parts_and_larger_windows():
    b = Build()
    x = b.input(1, 4, 4, 3)
    narrow = b.many(2, "split", b.conv(x, 40, k=1, pad=0), axis=3, sizes=[8, 32])
    wide = b.many(2, "split", b.conv(x, 64), axis=3, sizes=[32, 32])
    assert b.run(split_layers, outputs=[*narrow, *wide]).count("split") == 2


@pytest.mark.parametrize("moved", [True, False])
def test_heads_set_apart_by_a_reshape(moved):
    b = Build()
    y = b.reshape(b.dense(b.input(2, 7, 5), 96), 2, 7, 3, 4, 8)
    y = b.transpose(y, 2, 0, 3, 1, 4) if moved else y
    axis = 0 if moved else 2
    parts = [b.unary("exp", b("slice", y, b.ints(i), b.ints(i + 1), b.ints(axis))) for i in range(3)]
    ops = b.run(split_layers, outputs=parts)
    assert ops.count("fully_connected") == 3 and "slice" not in ops
