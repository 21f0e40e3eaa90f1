# SPDX-License-Identifier: Apache-2.0
"""Picks Winograd's algorithm for the convolutions where it pays."""

from __future__ import annotations

from tealight.ir.graph import Graph, Node
from tealight.passes._editor import out
from tealight.passes._manager import Options

#: Least channels, in and out: below, the transforms cost more than they save.
MIN_CHANNELS = 16
#: Least tiles of the result: fewer leave the matrix products too few rows.
MIN_TILES = 4
#: Most weights (c * oc) for each tile, the larger first. The transformed kernels are (m + 2)^2 / 9 times the size of
#: the plain ones: larger layers, which have few pixels, would read them from memory for longer than they compute, or,
#: where weights are stored in fewer bits and transformed while running, transform for longer.
MAX_WEIGHTS = {4: 128 * 128, 2: 256 * 256}
#: Most bytes of transformed kernels per byte of the layer's input and result, for the larger tile: where the image is
#: small it saves little time over the smaller tile and costs memory.
MAX_WEIGHTS_PER_PIXEL = 4


def choose_winograd(graph: Graph, options: Options) -> int:
    """Sets the `winograd` attribute of dense 3x3 convolutions of stride 1.

    Given:
        %y = conv2d(%x: float32[1, 56, 56, 64], const [64, 3, 3, 64], strides=[1, 1])
    Result:
        %y = conv2d(…, winograd=4)
    Requires:
        The option `winograd`: results differ from the direct form by rounding (about 1e-5 of their range).
    """
    if not options.winograd:
        return 0
    chosen = 0
    for node in graph.nodes:
        tile = tile_of(node) if node.op == "conv2d" else 0
        if tile:
            node.attrs["winograd"] = tile
            chosen += 1
    return chosen


def tile_of(node: Node) -> int:
    """Returns the tile that a conv2d takes: 4 or 2; 0 where the direct form is better, or is asked for."""
    attrs, weight = node.attrs, node.inputs[1]
    if attrs["winograd"] or int(attrs["group"]) != 1 or weight is None or weight.const is None:
        return 0
    if weight.const.shape[1:3] != (3, 3) or any(s != 1 for s in [*attrs["strides"], *attrs["dilations"]]):
        return 0
    y = out(node)
    oc, _, _, c = weight.const.shape
    if not y.type.is_static or min(oc, c) < MIN_CHANNELS:
        return 0
    h, w = int(y.shape[1]), int(y.shape[2])
    for m, most in MAX_WEIGHTS.items():
        small = m == 4 and (m + 2) ** 2 * c * oc > MAX_WEIGHTS_PER_PIXEL * h * w * (c + oc)
        if c * oc <= most and not small and -(-h // m) * -(-w // m) >= MIN_TILES:
            return m
    return 0
