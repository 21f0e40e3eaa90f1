# SPDX-License-Identifier: Apache-2.0
"""Writes a plan into the graph: quantize and dequantize nodes around float nodes, weights as dequantized int8."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from tealight.ir.graph import Graph, Node, Value
from tealight.ir.interpret import evaluate_node
from tealight.ir.types import DType
from tealight.passes._editor import Editor, is_plain, out
from tealight.quant import numerics, observers
from tealight.quant.observers import Function, Statistics
from tealight.quant.plan import LAYERS, Plan, is_pointwise
from tealight.quant.recipe import Settings

#: (node, weight, settings) -> int8 weight and its float32 scales [n] (or []); None = round to the nearest.
WeightRounding = Callable[[Node, np.ndarray, Settings], tuple[np.ndarray, np.ndarray] | None]

#: A concat's operand takes the steps of the result where they are at most this much coarser than its own.
_SHARE = 1.34
#: Most steps of a bias: int32 with room for the sum and the folded zero point.
_MOST_BIAS = 2.0**29


def split_activations(graph: Graph) -> int:
    """Takes activations out of the nodes that have one.

    Given:
        %y = conv2d(%x, const, const, activation={kind: silu})
    Result:
        %a = conv2d(%x, const, const); %y = unary(%a, kind=silu)
    """
    editor = Editor(graph)
    for node in editor.nodes():
        if "activation" not in node.attrs or is_plain(node):
            continue
        activation = {"alpha": 0.0, "beta": 0.0, **node.attrs["activation"]}
        plain = editor.add(node.op, node.inputs, {**node.attrs, "activation": None}, before=node, name=node.name)
        y = editor.add("unary", [plain], activation, before=node, name=node.name)
        name = out(node).name
        editor.swap(node, y)
        if not editor.is_output(y):
            y.name, plain.name = name, f"{name}/before_activation"
    return editor.rewrites


def insert(
    graph: Graph,
    plan: Plan,
    settings: Mapping[Node, Settings],
    statistics: Mapping[str, Statistics],
    rounding: WeightRounding | None = None,
) -> None:
    """Puts quantize and dequantize nodes at the points of a plan, and around the weights of its layers.

    Args:
        graph: Changed in place.
        plan: For this graph.
        settings: Of each node.
        statistics: Of each point, by name.
        rounding: Chooses the integers of weights.
    """
    parameters = parameters_of(graph, plan, settings, statistics)
    editor = Editor(graph)
    for node in editor.nodes():
        if node in plan.nodes:
            _constants(editor, node, settings[node], parameters, rounding)
    for point in plan.points:
        readers = list(dict.fromkeys(editor.users(point)))
        if point not in plan.inside:
            readers = [r for r in readers if r in plan.nodes or r in plan.paths]
        before = _after(editor, point)
        q, d = _pair(editor, point, *parameters[point], before=before)
        for reader in readers:
            for i, v in enumerate(reader.inputs):
                if v is point:
                    editor.set_input(reader, i, d)
        if point in plan.inside and editor.is_output(point):
            graph.outputs = [d if v is point else v for v in graph.outputs]
            point.name, d.name = graph.unique_name(f"{point.name}/float"), point.name
        assert q.producer is not None


def _after(editor: Editor, value: Value) -> Node | None:
    """Returns the node behind the one that computes a value: new ones go before it; None = at the end."""
    nodes = editor.graph.nodes
    at = 0 if value.producer is None else nodes.index(value.producer) + 1
    return nodes[at] if at < len(nodes) else None


def _pair(editor: Editor, value: Value, scale: np.float32, zero_point: int, before: Node | None) -> tuple[Value, Value]:
    """Adds quantize and dequantize of a value."""
    constants = [
        editor.const(np.array(scale, np.float32), f"{value.name}/scale"),
        editor.const(np.array(zero_point, np.int8), f"{value.name}/zero_point"),
    ]
    if before is None:  # the Editor inserts before a node: a value that ends the graph needs one for a moment
        marker = Node("unary", [], [], {}, "end")
        editor.graph.nodes.append(marker)
        try:
            return _pair(editor, value, scale, zero_point, marker)
        finally:
            editor.graph.nodes.remove(marker)
    axes = {"axis": 0, "block_size": 0}
    name = value.name
    q = editor.add("quantize", [value, *constants], {**axes, "to": DType.INT8.value}, before=before, name=name)
    return q, editor.add("dequantize", [q, *constants], axes, before=before, name=name)


# ---- activations ----


def parameters_of(
    graph: Graph, plan: Plan, settings: Mapping[Node, Settings], statistics: Mapping[str, Statistics]
) -> dict[Value, tuple[np.float32, int]]:
    """Returns scale and zero point of each point."""
    editor = Editor(graph)
    result: dict[Value, tuple[np.float32, int]] = {}
    for point in plan.points:
        own = settings.get(point.producer) if point.producer is not None else None
        if point not in plan.inside or own is None:
            own = next((settings[u] for u in _consumers(editor, point, plan)), Settings())
        low, high = observers.value_range(statistics[point.name], own, _function(editor, plan, point))
        result[point] = observers.parameters(low, high, own.symmetric)
    _share_with_concat(editor, plan, result)
    return result


def _function(editor: Editor, plan: Plan, point: Value) -> Function | None:
    """Returns the function that alone reads a value: that of the table behind it."""
    nodes: list[Node] = []
    value: Value = point
    while (reader := editor.only_user(value)) is not None and reader in plan.nodes and is_pointwise(reader):
        nodes.append(reader)
        value = out(reader)
        if value in plan.points:
            break
    if not nodes:
        return None
    return _Chain(point, nodes)


class _Chain:
    """The function that a chain of pointwise nodes is."""

    def __init__(self, source: Value, nodes: list[Node]) -> None:
        self.source = source
        self.nodes = nodes
        self.key = tuple(out(n).name for n in nodes)  # of equal chains, also in copies of the graph

    def __call__(self, x: np.ndarray) -> np.ndarray:
        """Returns the results for each number."""
        known = self.source
        for node in self.nodes:
            arrays = [x if v is known else np.asarray(v.const, np.float64).reshape(()) for v in node.inputs if v]
            (x,) = evaluate_node(node, arrays)
            known = out(node)
        return x


def _consumers(editor: Editor, value: Value, plan: Plan) -> list[Node]:
    """Returns the integer nodes that read a value, directly or moved."""
    found: dict[Node, None] = {}
    for node in editor.users(value):
        if node in plan.nodes:
            found.setdefault(node)
        else:
            for v in node.outputs:
                if v is not None and node in plan.paths:
                    found.update(dict.fromkeys(_consumers(editor, v, plan)))
    return list(found)


def _share_with_concat(editor: Editor, plan: Plan, parameters: dict[Value, tuple[np.float32, int]]) -> None:
    """Gives operands of a concat its quantization where they lose nothing by it: no table is needed then."""
    for node in reversed(editor.graph.nodes):  # a concat of a concat hands its own down
        if node.op != "concat" or node not in plan.nodes or out(node) not in parameters:
            continue
        scale, zero_point = parameters[out(node)]
        for operand in node.inputs:
            v = operand
            while v is not None and v not in parameters and v.producer is not None:
                v = v.producer.inputs[0]
            if v is None or v not in parameters or (v.producer is not None and v.producer.op == "softmax"):
                continue
            alone = all(u is node for u in editor.users(v)) and v is operand and not editor.is_output(v)
            if alone or scale <= parameters[v][0] * _SHARE:
                parameters[v] = scale, zero_point


# ---- constants ----


def _constants(
    editor: Editor,
    node: Node,
    settings: Settings,
    parameters: Mapping[Value, tuple[np.float32, int]],
    rounding: WeightRounding | None,
) -> None:
    if node.op in LAYERS:
        weight = node.inputs[1]
        assert weight is not None and weight.const is not None
        chosen = None if rounding is None else rounding(node, weight.const, settings)
        least = least_scale(node, parameters)
        array, scale = round_weight(weight.const, settings, least) if chosen is None else chosen
        editor.set_input(node, 1, _dequantized(editor, node, array, scale, weight.name))
    elif node.op in ("matmul", "binary", "concat"):
        for i, v in enumerate(node.inputs):
            if v is None or v.const is None or v.const.size <= 1 or v.dtype is not DType.FLOAT32:
                continue
            step, zero_point = numerics.asymmetric_params(float(v.const.min()), float(v.const.max()))
            array = numerics.quantize(v.const, np.asarray(step), zero_point, DType.INT8)
            editor.set_input(node, i, _dequantized(editor, node, array, np.asarray(step), v.name, zero_point))


def least_scale(node: Node, parameters: Mapping[Value, tuple[np.float32, int]]) -> np.ndarray:
    """Returns per channel the least weight scale with which the bias fits int32 (a channel of almost no weights)."""
    v, bias = node.inputs[0], node.input(2)
    while v is not None and v not in parameters and v.producer is not None:
        v = v.producer.inputs[0]
    if v is None or v not in parameters or bias is None or bias.const is None:
        return np.zeros(())
    return np.abs(bias.const.astype(np.float64)) / (float(parameters[v][0]) * _MOST_BIAS)


def round_weight(
    weight: np.ndarray, settings: Settings, least: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Returns a weight as int8 (symmetric, -127 .. 127) and its float32 scales, [n] of dim 0 or [].

    least: The scales are at least this.
    """
    scale = observers.weight_scales(weight, settings)
    if least is not None:
        least = least if scale.ndim or not least.ndim else least.max()
        scale = np.maximum(scale, least).astype(np.float32)
    spread = scale.reshape(-1, *[1] * (weight.ndim - 1)) if scale.ndim else scale
    array = numerics.quantize(weight, spread, 0, DType.INT8)
    return np.maximum(array, np.int8(-127)), scale


def _dequantized(
    editor: Editor, node: Node, array: np.ndarray, scale: np.ndarray, name: str, zero_point: int = 0
) -> Value:
    operands = [
        editor.const(array, f"{name}/int8"),
        editor.const(np.asarray(scale, np.float32), f"{name}/scale"),
        editor.const(np.full(np.shape(scale), zero_point, np.int8), f"{name}/zero_point"),
    ]
    return editor.add("dequantize", operands, {"axis": 0, "block_size": 0}, before=node, name=name)
