# SPDX-License-Identifier: Apache-2.0
"""Decides which nodes of a float graph compute in integers, and at which values their tensors are quantized."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping

import numpy as np

from tealight.ir.graph import Graph, Node, Value
from tealight.ir.types import DType
from tealight.passes._editor import Editor, out
from tealight.quant.integerize._context import CLAMPS
from tealight.quant.integerize.movement import MOVES
from tealight.quant.recipe import FLOAT32, STATIC, Settings

#: Ops that multiply by constants: what the rest of the plan is made for.
LAYERS = ("conv2d", "depthwise_conv2d", "conv_transpose2d", "fully_connected")
_SUMS = ("average_pool2d", "reduce")
_OTHERS = ("softmax", "layer_norm", "group_norm", "resize", "concat", "binary")
_KINDS = {"binary": ("add", "sub", "mul", "max", "min", "prelu"), "reduce": ("mean", "sum", "max", "min")}


@dataclasses.dataclass
class Plan:
    """What becomes integer.

    Attributes:
        nodes: Nodes that get integer forms, data movement not included.
        points: Values at which a tensor is quantized, in order; each serves all that only moves it.
        inside: Of these, those that integer nodes compute: every reader gets the quantized tensor.
        paths: Nodes that move a quantized tensor to an integer node.
        stream: Nodes that stay float because settings keep residual streams so.
    """

    nodes: set[Node]
    points: list[Value]
    inside: set[Value]
    paths: set[Node]
    stream: list[Node] = dataclasses.field(default_factory=list)


def kept_float(graph: Graph, plan: Plan) -> set[Node]:
    """Returns the nodes that a plan leaves in float, though their neighbours may be integer."""
    return {n for n in graph.nodes if n not in plan.nodes and n.op not in MOVES}


def make_plan(
    graph: Graph,
    settings: Mapping[Node, Settings],
    broken: Collection[Value] = (),
    observed: Collection[str] | None = None,
) -> Plan:
    """Returns the plan for a graph without fused activations and residuals.

    Integer are: layers and products of two tensors; what reads their results (sums, pools, norms, functions by table);
    not what only leads to outputs: boxes beside scores, probabilities and the like would share steps there, and no
    layer gains.

    Args:
        graph: Float.
        settings: Of each node.
        broken: Values that cannot be quantized.
        observed: Names of the values whose statistics are known; others are broken too, until none is left. None = all.
    """
    unfit = set(broken)
    while True:
        plan = _Planner(graph, settings, unfit).plan()
        unknown = set() if observed is None else {p for p in plan.points if p.name not in observed}
        if not unknown:
            return plan
        unfit |= unknown  # what was broken moved a boundary to values that were not observed


class _Planner:
    def __init__(self, graph: Graph, settings: Mapping[Node, Settings], broken: set[Value]) -> None:
        self.graph = graph
        self.editor = Editor(graph)
        self.settings = settings
        self.broken = broken
        self.stream: dict[Node, bool] = {}
        self.kept_float: set[Node] = set()
        self.integer: set[Value] = set()  # results of integer nodes, and what only moves them

    def plan(self) -> Plan:
        tail = self._tail()
        nodes: set[Node] = set()
        for node in self.graph.nodes:
            if self._moves(node) and node.inputs[0] in self.integer:
                self.integer.update(v for v in node.outputs if v is not None and v.dtype is DType.FLOAT32)
            elif node not in tail and self._fits(node):
                nodes.add(node)
                self.integer.update(v for v in node.outputs if v is not None)
        plan = Plan(nodes, [], set(), set())
        found: dict[Value, None] = {}
        for node in self.graph.nodes:
            if node not in nodes:
                continue
            for v in self._operands(node):
                if v not in plan.inside and not self._is_hidden(v, nodes):
                    found.setdefault(self._root(v, plan.paths, nodes))
            result = out(node)
            if not self._is_hidden(result, nodes):
                found.setdefault(result)
                plan.inside.add(result)
        plan.points = list(found)
        plan.stream = [n for n in self.graph.nodes if n in self.kept_float]
        return plan

    # ---- which nodes ----

    def _tail(self) -> set[Node]:
        """Returns the nodes behind the last layers that stay float."""
        tail: set[Node] = set()
        for node in reversed(self.graph.nodes):
            if node.op in LAYERS or node.op in _SUMS or node.op in ("matmul", "max_pool2d"):
                continue
            readers = [u for v in node.outputs if v is not None for u in self.editor.users(v)]
            if all(u in tail for u in readers) and not self._is_clamp_of_a_layer(node):
                tail.add(node)
        return tail

    def _is_clamp_of_a_layer(self, node: Node) -> bool:
        if node.op != "unary" or node.attrs["kind"] not in CLAMPS or node.inputs[0] is None:
            return False
        layer = node.inputs[0].producer
        return layer is not None and (layer.op in LAYERS or layer.op in _SUMS) and self._alone(node.inputs[0])

    def _alone(self, v: Value) -> bool:
        return self.editor.only_user(v) is not None

    def _fits(self, node: Node) -> bool:
        """Whether a node gets an integer form."""
        settings = self.settings.get(node)
        if settings is None or settings.recipe != STATIC or len([v for v in node.outputs if v is not None]) != 1:
            return False
        result = node.outputs[0]
        if result is None or result.dtype is not DType.FLOAT32 or result in self.broken:
            return False
        operands = self._operands(node)
        if not operands or any(v.dtype is not DType.FLOAT32 or v in self.broken for v in operands):
            return False
        if node.op in LAYERS:
            weights = [v.const for v in node.inputs[1:3] if v is not None]
            return node.input(3) is None and all(w is not None and bool(np.isfinite(w).all()) for w in weights)
        if node.op == "matmul":
            return True
        if not any(v in self.integer for v in operands):
            return False
        if settings.residual_stream == FLOAT32 and self._is_gated(node):
            self.kept_float.add(node)
            return False
        if is_pointwise(node):
            return True
        rotates = node.op == "binary" and self._rotates(node)
        if settings.residual_stream == FLOAT32 and (rotates or self._is_residual_stream(node)):
            self.kept_float.add(node)
            return False
        if node.op == "softmax" and node.attrs["is_log"]:
            return False
        if node.op == "resize":
            return bool(node.attrs["coordinate_mode"] != "tf_crop_and_resize")
        if node.op in ("layer_norm", "group_norm"):
            return all(v is None or v.is_const for v in node.inputs[1:])
        if node.op in _KINDS and node.attrs["kind"] not in _KINDS[node.op]:
            return False
        return node.op in (*_SUMS, *_OTHERS)

    def _is_residual_stream(self, node: Node) -> bool:
        """Whether a node is a layer_norm, or a sum or concat that leads to one.

        A transformer adds small terms to it in each block, and tokens differ in size: one scale for all loses some.
        """
        if node not in self.stream:
            readers = [u for v in node.outputs if v is not None for u in self.editor.users(v)]
            adds = node.op == "concat" or (node.op == "binary" and node.attrs["kind"] == "add")
            through = adds or self._moves(node)
            self.stream[node] = node.op == "layer_norm" or (through and any(map(self._is_residual_stream, readers)))
        return self.stream[node]

    def _rotates(self, node: Node) -> bool:
        """Whether a node is a sum or product that leads to products of two tensors only: rotary positions."""
        if node.op == "matmul":
            return True
        readers = [u for v in node.outputs if v is not None for u in self.editor.users(v)]
        sums = node.op == "concat" or (node.op == "binary" and node.attrs["kind"] in ("add", "sub", "mul"))
        return (sums or self._moves(node)) and bool(readers) and all(map(self._rotates, readers))

    def _is_gated(self, node: Node) -> bool:
        """Whether a node is the product f(a) * b before a dense layer, or its f: both factors have long tails."""
        if node.op == "unary" and node.attrs["kind"] not in CLAMPS:
            reader = self.editor.only_user(out(node))
            return reader is not None and reader.op == "binary" and self._is_gated(reader)
        if node.op != "binary" or node.attrs["kind"] != "mul" or len({v.shape for v in node.inputs if v}) != 1:
            return False
        gates = [v.producer for v in node.inputs if v is not None and v.producer is not None]
        gated = any(g.op == "unary" and g.attrs["kind"] not in CLAMPS for g in gates)
        readers = self.editor.users(out(node))
        return gated and bool(readers) and all(r.op == "fully_connected" for r in readers)

    def _operands(self, node: Node) -> list[Value]:
        """Returns the operands that are activations."""
        if node.op in LAYERS or node.op in ("softmax", "layer_norm", "group_norm", "resize", *_SUMS):
            return [v for v in node.inputs[:1] if v is not None]
        return [v for v in node.inputs if v is not None and not v.is_const]

    # ---- where ----

    def _moves(self, node: Node) -> bool:
        if node.op not in MOVES or node.op in ("where", "trilu") or node.inputs[0] is None or node.inputs[0].is_const:
            return False
        return not (node.op == "resize" and node.attrs["mode"] != "nearest")

    def _root(self, v: Value, paths: set[Node], nodes: set[Node]) -> Value:
        """Returns the value from which data movement leads to v; the nodes between are added to paths."""
        while v.producer is not None and v.producer not in nodes and self._moves(v.producer):
            paths.add(v.producer)
            v = v.producer.inputs[0]  # type: ignore[assignment]
        return v

    def _is_hidden(self, v: Value, nodes: set[Node]) -> bool:
        """Whether a value only lives inside an integer op: before a clamp, or between functions of one table."""
        node = v.producer
        reader = self.editor.only_user(v)
        if node is None or reader is None or node not in nodes or reader not in nodes:
            return False
        if is_pointwise(node):
            return is_pointwise(reader)
        return (
            reader.op == "unary" and reader.attrs["kind"] in CLAMPS and node.op not in ("concat", "resize", "softmax")
        )


def is_pointwise(node: Node) -> bool:
    """Whether a node is a function of one tensor: a table of 256 entries."""
    if node.op == "unary":
        return True
    if node.op != "binary" or any(v is None for v in node.inputs):
        return False
    tensors = {v for v in node.inputs if v is not None and not (v.const is not None and v.const.size == 1)}
    return len(tensors) == 1 and not any(v.is_const for v in tensors)
