# SPDX-License-Identifier: Apache-2.0
"""Sums go into the layer that runs last."""

from graph_builder import Build

from tealight.passes.fuse_residual import fuse_residual


def test_sum_with_an_earlier_value():
    b = Build()
    x = b.unary("relu", b.input(1, 4, 4, 3))
    assert b.run(fuse_residual, outputs=[b.binary("add", b.conv(x, 3), x)]) == ["unary", "conv2d"]
    assert b.graph.nodes[1].inputs[3] is x


def test_later_of_two_layers_takes_it():
    b = Build()
    x = b.input(1, 4, 4, 3)
    first = b.conv(x, 3)
    assert b.run(fuse_residual, outputs=[b.binary("add", b.conv(x, 3, k=1, pad=0), first)]) == ["conv2d", "conv2d"]
    assert b.graph.nodes[1].inputs[3] is first


def test_keeps_sums_that_broadcast_and_results_read_elsewhere():
    b = Build()
    x = b.input(1, 4, 4, 3)
    wide = b.binary("add", b.conv(x, 3), b.input(3, name="small"))
    y = b.conv(x, 3)
    shared = b.binary("add", y, x)
    assert b.run(fuse_residual, outputs=[wide, shared, y]).count("binary") == 2
