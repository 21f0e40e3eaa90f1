# SPDX-License-Identifier: Apache-2.0
"""Stores the weights of a float32 graph as float16, int8 or int4; activations and biases stay float32.

The last step before lowering: layers keep their op and get other constants (native/schema/ops.fbs, Conv2d). Kernels for
Winograd's algorithm are stored as they are and transformed while running: transformed ones are four times the size.

Defaults, each named in the notes where it changes what was asked for:
    float16  all weights of layers and embeddings.
    int8     all of them, a scale per row (output channel, gate row, word).
    int4     layers of which a row has at least one block, in blocks; int8 for embeddings, depthwise and transposed
             convolutions, rows shorter than a block, and the first and the last layers (whose error nothing evens
             out) unless a rule names them. A row that is no multiple of the block has a shorter last block.
    A constant of fewer than MIN_ELEMENTS stays float32, and one with NaN or infinity (or above float16's range).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping

import numpy as np

from tealight.ir.graph import Graph, Node, Value
from tealight.ir.types import DType, TensorType
from tealight.passes._manager import graphs_of
from tealight.quant.gptq import gptq
from tealight.quant.rounding import Rounded, round_weights

#: The recipes that only change how weights are stored.
WEIGHT_RECIPES = ("float16", "weight_only_wi8_af32", "weight_only_wi4_af32")
#: Ops with weights: where each weight is, and its scale (the zero point follows).
WEIGHTS = {
    "conv2d": ((1, 4),), "depthwise_conv2d": ((1, 4),), "conv_transpose2d": ((1, 3),), "fully_connected": ((1, 4),),
    "gather": ((0, 2),), "rnn": ((1, 8), (2, 10)),
}  # fmt: skip
#: Ops that may have blocks.
_BLOCKED = ("conv2d", "fully_connected", "rnn")
_LAYERS = ("conv2d", "depthwise_conv2d", "conv_transpose2d", "fully_connected", "rnn")
#: Below this a constant saves less than the alignment of its scales costs.
MIN_ELEMENTS = 128


@dataclasses.dataclass(frozen=True)
class WeightFormat:
    """How the weights of a node are stored.

    Attributes:
        dtype: FLOAT16, INT8, INT4, or UINT4 (with zero points).
        block_size: Of 4-bit weights; elements of a row that share a scale.
        search: Take the scales of the least squared error instead of those that cover the range.
        edges: Whether 4 bits hold for a first or last layer too.
    """

    dtype: DType
    block_size: int = 0
    search: bool = False
    edges: bool = False

    @classmethod
    def of(
        cls, recipe: str, block_size: int = 32, *, symmetric: bool = True, search: bool = False, edges: bool = False
    ) -> WeightFormat:
        """Returns the format of a recipe; 4-bit weights always search."""
        if recipe == "float16":
            return cls(DType.FLOAT16)
        if recipe == "weight_only_wi8_af32":
            return cls(DType.INT8, search=search)
        return cls(DType.INT4 if symmetric else DType.UINT4, block_size, search=True, edges=edges)


def store_weights(
    graph: Graph, formats: Mapping[Node, WeightFormat], moments: Mapping[Node, np.ndarray] | None = None
) -> list[tuple[str, str]]:
    """Changes the weights of a graph and of its bodies in place.

    Args:
        graph: After the passes.
        formats: Of the nodes to change; other nodes stay as they are.
        moments: Second moments [k, k] of the inputs of nodes with 4-bit weights: these nodes are rounded by GPTQ.

    Returns:
        (node, text): what differs from the format asked for, and a summary.
    """
    notes: list[tuple[str, str]] = []
    counts: dict[str, int] = {}
    for g in graphs_of(graph):
        edge = edge_layers(g)
        for node in list(g.nodes):
            if node not in formats or node.op not in WEIGHTS:
                continue
            is_edge = node in edge and not formats[node].edges
            text = _store_node(g, node, formats[node], is_edge, (moments or {}).get(node), counts)
            if text:
                notes.append((node.name, text))
    if counts:
        listed = ", ".join(f"{n} of {what}" for what, n in sorted(counts.items()))
        notes.insert(0, ("", f"weights stored: {listed}"))
    return notes


def edge_layers(graph: Graph) -> set[Node]:
    """Returns the layers that no layer comes before, and those that none comes after."""
    after: dict[Value, bool] = {}
    first = set()
    for node in graph.nodes:
        seen = any(after.get(v, False) for v in node.inputs if v is not None)
        if node.op in _LAYERS and not seen:
            first.add(node)
        after.update((v, seen or node.op in _LAYERS) for v in node.outputs if v is not None)
    before: set[Value] = set()
    last = set()
    for node in reversed(graph.nodes):
        seen = any(v in before for v in node.outputs if v is not None)
        if node.op in _LAYERS and not seen:
            last.add(node)
        if seen or node.op in _LAYERS:
            before.update(v for v in node.inputs if v is not None)
    return first | last


def int4_layers(graph: Graph, formats: Mapping[Node, WeightFormat]) -> list[Node]:
    """Returns the nodes of a graph whose weights store_weights() stores in 4 bits."""
    edge = edge_layers(graph)
    return [
        n for n in graph.nodes
        if n in formats and formats[n].dtype in (DType.INT4, DType.UINT4) and has_weight(n)
        and takes_int4(n, n in edge and not formats[n].edges, formats[n].block_size)
    ]  # fmt: skip


def has_weight(node: Node) -> bool:
    """Whether a node has constant float32 weights that can be stored."""
    return node.op in WEIGHTS and all(_is_weight(node, i) for i, _ in WEIGHTS[node.op])


def _is_weight(node: Node, i: int) -> bool:
    v = node.input(i)
    if v is None or v.const is None or v.dtype is not DType.FLOAT32 or v.const.ndim < 2:
        return False
    return node.op != "gather" or (v.const.ndim == 2 and node.attrs["axis"] in (0, -2))


def takes_int4(node: Node, is_edge: bool, block_size: int) -> bool:
    """Whether int4 is the node's default where int4 is asked for."""
    if node.op not in _BLOCKED or is_edge:
        return False
    return all(_row(node, i) >= block_size for i, _ in WEIGHTS[node.op])


def _row(node: Node, i: int) -> int:
    v = node.input(i)
    assert v is not None
    return int(np.prod([int(d) for d in v.shape[1:]]))


def _store_node(
    graph: Graph, node: Node, wanted: WeightFormat, is_edge: bool, moments: np.ndarray | None, counts: dict[str, int]
) -> str:
    """Stores the weights of one node; returns why it is not as wanted, or ""."""
    if not has_weight(node):
        return ""
    values = [v for v in (node.input(i) for i, _ in WEIGHTS[node.op]) if v is not None]
    arrays = [v.const for v in values if v.const is not None]
    reason = _unfit(arrays, wanted.dtype)
    if reason:
        counts["float32"] = counts.get("float32", 0) + 1
        return f"weights stay float32: {reason}" if reason != _SMALL else ""
    used, text = wanted, ""
    if wanted.dtype in (DType.INT4, DType.UINT4) and not takes_int4(node, is_edge, wanted.block_size):
        used = WeightFormat(DType.INT8, search=wanted.search)
        text = f"weights are int8, not int4: {_why_not_int4(node, is_edge)}"
    if used.block_size:
        node.attrs["block_size"] = used.block_size
    for i, scale_at in WEIGHTS[node.op]:
        _store_weight(graph, node, i, scale_at, used, moments if used.block_size else None)
    if node.op == "gather" and used.dtype is DType.FLOAT16:
        _cast_result(graph, node)
    name = used.dtype.label + (f" in blocks of {used.block_size}" if used.block_size else "")
    counts[name] = counts.get(name, 0) + 1
    return text


_SMALL = "small"


def _unfit(arrays: Iterable[np.ndarray], dtype: DType) -> str:
    """Returns why weights cannot be stored in a dtype, or ""."""
    arrays = list(arrays)
    if any(not np.isfinite(a).all() for a in arrays):
        return "they hold NaN or infinity"
    if dtype is DType.FLOAT16 and any(np.abs(a).max(initial=0.0) > float(np.finfo(np.float16).max) for a in arrays):
        return "they reach above float16's range"
    return _SMALL if sum(a.size for a in arrays) < MIN_ELEMENTS else ""


def _why_not_int4(node: Node, is_edge: bool) -> str:
    if node.op == "gather":
        return "an embedding"
    if node.op not in _BLOCKED:
        return f"a {node.op}"
    return "first or last layer" if is_edge else "rows shorter than a block"


def _store_weight(
    graph: Graph, node: Node, i: int, scale_at: int, used: WeightFormat, moments: np.ndarray | None
) -> None:
    value = node.inputs[i]
    assert value is not None and value.const is not None
    array = value.const
    if used.dtype is DType.FLOAT16:
        node.inputs[i] = graph.constant(array.astype(np.float16), value.name)
        return
    rows = array.reshape(array.shape[0], -1)
    rounded: Rounded
    if moments is not None:
        rounded = gptq(rows, moments, used.dtype, used.block_size)
    else:
        rounded = round_weights(rows, used.dtype, used.block_size, search=used.search)
    node.inputs += [None] * (scale_at + 2 - len(node.inputs))
    node.inputs[i] = graph.constant(rounded.q.reshape(array.shape), value.name)
    node.inputs[scale_at] = graph.constant(rounded.scale, f"{value.name}.scale")
    if rounded.zero_point is not None:
        node.inputs[scale_at + 1] = graph.constant(rounded.zero_point, f"{value.name}.zero_point")
    while node.inputs[-1] is None:
        node.inputs.pop()


def _cast_result(graph: Graph, node: Node) -> None:
    """Turns the float16 rows that a gather takes into float32."""
    result = node.outputs[0]
    assert result is not None
    node.outputs[0] = Value(graph.unique_name(f"{result.name}.float16"), _as_float16(result), node)
    cast = Node("cast", [node.outputs[0]], [result], {"to": DType.FLOAT32.value, "saturate": True}, node.name)
    graph.nodes.insert(graph.nodes.index(node) + 1, cast)


def _as_float16(v: Value) -> TensorType:
    return TensorType(DType.FLOAT16, v.shape)
