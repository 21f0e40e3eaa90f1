# SPDX-License-Identifier: Apache-2.0
"""dynamic_wi8_af32: layers with int8 weights that quantize their inputs while running; between layers all is float32.

fully_connected, conv2d and rnn become dynamic_fully_connected (a range for each row), dynamic_conv2d (for each image)
and dynamic_rnn; no calibration data is needed. Depthwise and transposed convolutions and embeddings only store their
weights as int8: their products are few, or there are none.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from tealight.ir.graph import Graph, Node, Value
from tealight.ir.types import DType
from tealight.passes._manager import graphs_of
from tealight.quant.rounding import round_weights
from tealight.quant.weights import MIN_ELEMENTS, WEIGHTS, WeightFormat, has_weight, store_weights

DYNAMIC = "dynamic_wi8_af32"
_OPS = {"fully_connected": "dynamic_fully_connected", "conv2d": "dynamic_conv2d", "rnn": "dynamic_rnn"}
_LEFT = ("winograd", "block_size")  # attributes of the float ops alone


def make_dynamic(graph: Graph, nodes: Mapping[Node, bool]) -> list[tuple[str, str]]:
    """Turns nodes of a graph and of its bodies into dynamic ones, in place.

    Args:
        graph: After the passes.
        nodes: Those whose recipe this is, and whether to take the scales of the least squared error instead of those
            that cover the range. What has no weights stays as it is.

    Returns:
        (node, text) of layers that stay float32, and a summary.
    """
    notes: list[tuple[str, str]] = []
    made = 0
    rest: dict[Node, WeightFormat] = {}
    for g in graphs_of(graph):
        for node in g.nodes:
            if node not in nodes or not has_weight(node):
                continue
            if node.op not in _OPS:
                rest[node] = WeightFormat(DType.INT8, search=nodes[node])
                continue
            weights = [node.inputs[i].const for i, _ in WEIGHTS[node.op]]  # type: ignore[union-attr]
            if not all(np.isfinite(w).all() for w in weights if w is not None):
                notes.append((node.name, "stays float32: its weights hold NaN or infinity"))
            elif sum(w.size for w in weights if w is not None) >= MIN_ELEMENTS:
                _convert(g, node, nodes[node])
                made += 1
    if made:
        notes.insert(0, ("", f"layers with int8 weights that quantize their inputs: {made}"))
    return notes + store_weights(graph, rest)


def _convert(graph: Graph, node: Node, search: bool) -> None:
    inputs = list(node.inputs)
    if node.op == "rnn":
        inputs += [None] * (8 - len(inputs))
        w, w_scale = _rounded(graph, inputs[1], search)
        r, r_scale = _rounded(graph, inputs[2], search)
        node.inputs = [inputs[0], w, r, w_scale, r_scale, *inputs[3:8]]
    else:
        inputs += [None] * (4 - len(inputs))
        weight, scale = _rounded(graph, inputs[1], search)
        node.inputs = [inputs[0], weight, scale, inputs[2], inputs[3]]
    while node.inputs[-1] is None:
        node.inputs.pop()
    node.attrs = {k: v for k, v in node.attrs.items() if k not in _LEFT}
    if node.op == "fully_connected":
        node.attrs["per_row"] = True
    node.op = _OPS[node.op]


def _rounded(graph: Graph, value: Value | None, search: bool) -> tuple[Value, Value]:
    """Returns the int8 weight and its scales."""
    assert value is not None and value.const is not None
    array = value.const
    rounded = round_weights(array.reshape(array.shape[0], -1), DType.INT8, search=search)
    weight = graph.constant(rounded.q.reshape(array.shape), value.name)
    return weight, graph.constant(rounded.scale, f"{value.name}.scale")
