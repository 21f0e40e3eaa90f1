# SPDX-License-Identifier: Apache-2.0
"""Parts of a layer's result are computed separately."""

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
