# SPDX-License-Identifier: Apache-2.0
"""Picks Winograd's algorithm for the convolutions where it pays."""

from __future__ import annotations

from tealight.ir.graph import Graph, Node
from tealight.passes._editor import out
from tealight.passes._manager import Options

#: Least channels, in and out, for which F(4x4, 3x3) beats the direct form (measured per kernel release).
MIN_CHANNELS = 32
#: Least result pixels: fewer leave most tiles half empty.
MIN_PIXELS = 64


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
    chosen = [n for n in graph.nodes if n.op == "conv2d" and _pays(n)]
    for node in chosen:
        node.attrs["winograd"] = 4
    return len(chosen)


def _pays(node: Node) -> bool:
    attrs, weight = node.attrs, node.inputs[1]
    if attrs["winograd"] or int(attrs["group"]) != 1 or weight is None or weight.const is None:
        return False
    if weight.const.shape[1:3] != (3, 3) or any(s != 1 for s in [*attrs["strides"], *attrs["dilations"]]):
        return False
    y = out(node)
    if not y.type.is_static or min(weight.const.shape[0], weight.const.shape[3]) < MIN_CHANNELS:
        return False
    return int(y.shape[1]) * int(y.shape[2]) >= MIN_PIXELS
