# SPDX-License-Identifier: Apache-2.0
"""Converters of If, Loop and Scan.

A branch whose condition is known is inlined. Bodies become graphs of their own: what they use from outside (other
than constants) becomes an operand of the node and an input of the body.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np
from onnx import GraphProto

from tealight.frontends import bodies
from tealight.frontends.onnx.context import AlreadyReportedError, NodeContext, RefusedError
from tealight.frontends.onnx.importer import Found, Scope
from tealight.frontends.onnx.registry import converts
from tealight.ir.graph import Graph, Value
from tealight.ir.types import DType, TensorType

#: A loop whose carried shapes still change after this many imports of its body is refused.
_MAX_ROUNDS = 4


def _values(results: Sequence[Found]) -> list[Value]:
    """Returns the results of a body; problems in it are reported already."""
    found = [r for r in results if isinstance(r, Value)]
    if len(found) != len(results):
        raise AlreadyReportedError
    return found


@converts("If")
def if_(c: NodeContext) -> Sequence[Value | None]:
    """If: a known condition picks its branch now."""
    condition = c.input(0)
    branches = [c.subgraph("then_branch"), c.subgraph("else_branch")]
    known = c.known_array(condition)
    if known is not None:
        return _inline_branch(c, branches[0 if bool(known.reshape(-1)[0]) else 1])
    scopes = [_child(c, name) for name in ("then", "else")]
    results = [_branch_results(s, b) for s, b in zip(scopes, branches, strict=True)]
    if not _alike(results):
        picked = _squeezing(branches)
        if picked is None:
            raise RefusedError(
                f"branches give {_types(results[0])} and {_types(results[1])}, expected the same dtypes and ranks",
                "fix the input shapes with shapes={input: [..]}",
            )
        c.scope.importer.note(f"If '{c.name}': the dim is taken to be 1 and squeezed; give shapes when it is not")
        return _inline_branch(c, branches[picked])
    outer = _unite_captures(scopes)
    for scope, values in zip(scopes, results, strict=True):
        scope.graph.outputs = bodies.own_outputs(scope.graph, values)
    subgraphs = {"then": scopes[0].graph, "else": scopes[1].graph}
    condition = _as_scalar(c, condition)
    return c.emit("if", [condition, *outer], {}, outputs=len(results[0]), subgraphs=subgraphs)


def _inline_branch(c: NodeContext, branch: GraphProto) -> list[Value | None]:
    scope = Scope(
        c.scope.importer, c.graph, c.scope, prefix=f"{c.name}/", opsets=c.scope.opsets, knowledge=c.scope.knowledge
    )
    scope.add_initializers(branch)
    scope.convert_all(branch.node)
    return list(_values(scope.results(branch.output)))


def _child(c: NodeContext, what: str) -> Scope:
    return Scope(c.scope.importer, Graph(f"{c.name}.{what}"), c.scope, opsets=c.scope.opsets)


def _branch_results(scope: Scope, branch: GraphProto) -> list[Value]:
    scope.reserve(branch)
    scope.add_initializers(branch)
    scope.convert_all(branch.node)
    return _values(scope.results(branch.output))


def _unite_captures(scopes: Sequence[Scope]) -> list[Value]:
    """Gives all bodies the same captured inputs in the same order; returns their outer values."""
    outer: list[Value] = []
    for scope in scopes:
        outer += [o for o, _ in scope.captures if not any(o is v for v in outer)]
    for scope in scopes:
        scope.graph.inputs = [scope.capture(o) for o in outer]
    return outer


def _alike(results: Sequence[list[Value]]) -> bool:
    """Whether both branches give the same number of results of the same dtypes and ranks."""
    a, b = ([(v.dtype, v.type.rank) for v in r] for r in results)
    return a == b


def _types(values: Sequence[Value]) -> str:
    return ", ".join(str(v.type) for v in values)


def _squeezing(branches: Sequence[GraphProto]) -> int | None:
    """Returns the branch that squeezes a value where the other one keeps it, as exporters write squeeze(axis).

    The size is dynamic, but what follows was written for one rank: that of the size for which there is a branch.
    """
    ops = [[n.op_type for n in b.node if n.op_type != "Constant"] for b in branches]
    for i in (0, 1):
        if ops[i] == ["Squeeze"] and ops[1 - i] in ([], ["Identity"]):
            return i
    return None


def _as_scalar(c: NodeContext, x: Value) -> Value:
    return x if x.shape == () else c.reshape(x, [])


# ---- Loop ----


@dataclasses.dataclass
class _Body:
    """An imported loop body."""

    scope: Scope
    results: list[Value]


@converts("Loop")
def loop(c: NodeContext) -> Sequence[Value | None]:
    """Loop: trip count and condition may both be absent."""
    body = c.subgraph("body")
    if any(o.type.WhichOneof("value") not in (None, "tensor_type") for o in (*body.input, *body.output)):
        raise RefusedError("a loop over sequences or optionals, expected tensors only", "export the model without them")
    trip, condition = c.optional(0), c.optional(1)
    carried = [c.input(i) for i in range(2, len(c.inputs))]
    names = [i.name for i in body.input]
    if len(names) != len(carried) + 2:
        raise RefusedError(f"a body of {len(names)} inputs, expected {len(carried) + 2}")

    def begin(scope: Scope, types: list[TensorType]) -> None:
        head = [TensorType(DType.INT64, ()), TensorType(DType.BOOL, ())]
        for info, type in zip(body.input, head + types, strict=True):
            value = scope.graph.add_input(info.name, type)
            if type.rank == 0 and len(info.type.tensor_type.shape.dim) == 1:  # old exporters count in vectors of one
                one = scope.graph.constant(np.ones(1, np.int64))
                value = scope.graph.add("reshape", [value, one], name=info.name)[0]
            scope.env[info.name] = value
        scope.add_initializers(body)
        scope.convert_all(body.node)

    made = _settle(c, body, carried, begin, skip=1)
    operands = [None if trip is None else _as_scalar(c, trip), None if condition is None else _as_scalar(c, condition)]
    return _emit_loop(c, made, operands, carried, len(body.output) - 1)


def _settle(
    c: NodeContext,
    body: GraphProto,
    carried: Sequence[Value],
    begin: Callable[[Scope, list[TensorType]], None],
    *,
    skip: int,
) -> _Body:
    """Imports a body until its carried results have the types of its carried inputs."""
    types = [TensorType(v.dtype, v.shape) for v in carried]  # without the elements of a constant start
    for _ in range(_MAX_ROUNDS):
        scope = _child(c, "body")
        scope.reserve(body)
        begin(scope, types)
        results = _values(scope.results(body.output))
        wider = [bodies.wider(c.name, t, r) for t, r in zip(types, results[skip : skip + len(types)], strict=True)]
        if all(w.shape == t.shape for w, t in zip(wider, types, strict=True)):
            return _Body(scope, results)
        types = wider
    raise RefusedError("carried values whose shape keeps changing, expected shapes that settle")


def _emit_loop(
    c: NodeContext, made: _Body, head: list[Value | None], carried: list[Value], count: int
) -> list[Value | None]:
    scope = made.scope
    graph = scope.graph
    results = list(made.results)
    if results[0].shape != ():
        results[0] = graph.add("reshape", [results[0], graph.constant(np.zeros(0, np.int64))], name="cond")[0]
    graph.outputs = bodies.own_outputs(graph, results)
    outer = [o for o, _ in scope.captures]
    values = c.emit(
        "loop", [*head, *carried, *outer], {"carried": len(carried)}, outputs=count, subgraphs={"body": graph}
    )
    return list(values)


# ---- Scan ----


@converts("Scan")
def scan_v8(c: NodeContext) -> Sequence[Value | None]:
    """Scan-8 has a batch dim of its own."""
    raise RefusedError("Scan of opset 8, expected opset 9 or newer", "export the model with a newer opset")


@converts("Scan", since=9)
def scan(c: NodeContext) -> Sequence[Value | None]:
    """Scan, as a Loop that gathers a slice of each scanned operand."""
    body = c.subgraph("body")
    scanned = c.integer("num_scan_inputs")
    states = [c.input(i) for i in range(len(c.inputs) - scanned)]
    sources = [c.input(i) for i in range(len(states), len(c.inputs))]
    axes = c.integers("scan_input_axes", [0] * scanned)
    backward = c.integers("scan_input_directions", [0] * scanned)
    sources = [
        c.slice(s, a % len(s.shape), -1, -(2**31), -1) if back else s
        for s, a, back in zip(sources, axes, backward, strict=True)
    ]
    names = [i.name for i in body.input]

    def begin(scope: Scope, types: list[TensorType]) -> None:
        step = scope.graph.add_input("scan.step", TensorType(DType.INT64, ()))
        scope.graph.add_input("scan.cond", TensorType(DType.BOOL, ()))
        for name, type in zip(names, types, strict=False):
            scope.env[name] = scope.graph.add_input(name, type)
        for name, source, axis in zip(names[len(types) :], sources, axes, strict=True):
            item = scope.graph.add("gather", [scope.capture(source), step], {"axis": axis}, name=name)[0]
            scope.env[name] = item
        scope.add_initializers(body)
        scope.convert_all(body.node)

    made = _settle(c, body, states, begin, skip=0)
    made.results.insert(0, made.scope.graph.constant(np.array(True), "go_on"))
    trip = c.dim(sources[0], axes[0])
    steps = c.constant(np.array(trip, np.int64)) if isinstance(trip, int) else c.reshape(c.shape_vector([trip]), [])
    values = _emit_loop(c, made, [steps, None], states, len(body.output))
    return [*values[: len(states)], *_scanned(c, values[len(states) :])]


def _scanned(c: NodeContext, values: Sequence[Value | None]) -> list[Value | None]:
    """Turns stacked results to the wanted axis and direction."""
    axes = c.integers("scan_output_axes", [0] * len(values))
    backward = c.integers("scan_output_directions", [0] * len(values))
    results: list[Value | None] = []
    for v, axis, back in zip(values, axes, backward, strict=True):
        if v is not None:
            rank = len(v.shape)
            if back:
                v = c.slice(v, 0, -1, -(2**31), -1)
            if axis % rank:
                order = list(range(1, rank))
                order.insert(axis % rank, 0)
                v = c.transpose(v, order)
        results.append(v)
    return results
