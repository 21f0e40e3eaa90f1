# SPDX-License-Identifier: Apache-2.0
"""Converters of IF, WHILE, CALL and CALL_ONCE, whose bodies are graphs of the file, and of resource variables.

A variable is what was assigned to it last, within one run: it starts at its first value in each.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from tealight.frontends import bodies
from tealight.frontends.problems import RefusedError
from tealight.frontends.tflite.context import Emitter, OperatorContext
from tealight.frontends.tflite.registry import converts
from tealight.frontends.tflite.scope import Scope
from tealight.ir.graph import Graph, Value
from tealight.ir.types import DType, TensorType

#: A loop whose carried shapes still change after this many imports of its body is refused.
_MAX_ROUNDS = 4


@converts("IF")
def if_(c: OperatorContext) -> list[Value]:
    """The results of one of two graphs; a known condition picks it now."""
    condition = _scalar(c.emitter, c.name, c.stored(0))
    operands = [c.stored(i) for i in range(1, len(c.operands))]
    indices = [int(c.option("then_subgraph")), int(c.option("else_subgraph"))]
    if condition.const is not None:
        return c.scope.inline(indices[0 if condition.const.item() else 1], operands)
    scopes = [_body(c, name, index) for name, index in zip(("then", "else"), indices, strict=True)]
    every = [s.run([_formal(s.graph, v) for v in operands]) for s in scopes]
    then, other = ([(v.dtype, v.type.rank) for v in values] for values in every)
    if then != other:
        raise RefusedError("branches of different result types, expected the same dtypes and ranks")
    for scope, values in zip(scopes, every, strict=True):
        scope.graph.outputs = bodies.own_outputs(scope.graph, values)
    outer = [condition, *(v for v in operands if not v.is_const)]
    subgraphs = {"then": scopes[0].graph, "else": scopes[1].graph}
    return c.emitter.graph.add("if", outer, {}, name=c.name, outputs=len(then), subgraphs=subgraphs)


@converts("WHILE")
def while_(c: OperatorContext) -> list[Value]:
    """Runs the body on its own results while the condition holds; what it hands on as it came is no loop value."""
    operands = [c.stored(i) for i in range(len(c.operands))]
    cond, body = int(c.option("cond_subgraph")), int(c.option("body_subgraph"))
    first = _condition(c.scope, c.name, cond, operands)
    if first.const is not None and not first.const.item():
        return operands
    source = Scope(c.scope.shared, body, c.emitter).source
    if not len(source.inputs) == len(source.outputs) == len(operands):
        raise RefusedError(f"{len(operands)} operands of a body with {len(source.outputs)} results, expected as many")
    carried = [i for i in range(len(operands)) if source.inputs[i] != source.outputs[i]]
    types = [TensorType(operands[i].dtype, operands[i].shape) for i in carried]
    for _ in range(_MAX_ROUNDS):
        made = _loop_body(c, cond, body, operands, dict(zip(carried, types, strict=True)))
        wider = [bodies.wider(c.name, t, v) for t, v in zip(types, made.results[1:], strict=True)]
        if wider == types:
            break
        types = wider
    else:
        raise RefusedError("carried values whose shape keeps changing, expected shapes that settle")
    made.graph.outputs = bodies.own_outputs(made.graph, made.results)
    captures = [v for i, v in enumerate(operands) if i not in carried and not v.is_const]
    inputs = [None, first, *(operands[i] for i in carried), *captures]
    attrs, subgraphs = {"carried": len(carried)}, {"body": made.graph}
    values = c.emitter.graph.add("loop", inputs, attrs, name=c.name, outputs=len(carried), subgraphs=subgraphs)
    found = dict(zip(carried, values, strict=True))
    return [found.get(i, v) for i, v in enumerate(operands)]


@converts("CALL")
def call(c: OperatorContext) -> list[Value]:
    """The results of another graph."""
    return c.scope.inline(int(c.option("subgraph")), [c.stored(i) for i in range(len(c.operands))])


# ---- bodies ----


@dataclasses.dataclass
class _LoopBody:
    """An imported body: its graph, and whether it goes on with what it carries."""

    graph: Graph
    results: list[Value]


def _body(c: OperatorContext, name: str, index: int) -> Scope:
    return Scope(c.scope.shared, index, Emitter(Graph(f"{c.name}.{name}")))


def _formal(graph: Graph, value: Value, type: TensorType | None = None) -> Value:
    """Returns what a body sees of an operand: a constant itself, else an input of its own."""
    if value.is_const and type is None:
        return value
    return graph.add_input(value.name, type or TensorType(value.dtype, value.shape))


def _loop_body(
    c: OperatorContext, cond: int, body: int, operands: Sequence[Value], types: dict[int, TensorType]
) -> _LoopBody:
    """Imports a body, and the condition behind it, with types for what it carries."""
    scope = _body(c, "body", body)
    graph, source = scope.graph, scope.source
    graph.add_input("iteration", TensorType(DType.INT64, ()))
    graph.add_input("condition", TensorType(DType.BOOL, ()))
    formals = {i: _formal(graph, operands[i], t) for i, t in types.items()}
    formals |= {i: _formal(graph, v) for i, v in enumerate(operands) if i not in types}
    results = scope.run([formals[i] for i in range(len(operands))])
    for i, type in types.items():
        # The file knows shapes that slices with computed bounds do not tell.
        declared = [source.tensors[index[i]].shape for index in (source.inputs, source.outputs)]
        static = [d for d in type.shape if isinstance(d, int)]
        if declared[0] == declared[1] and len(static) == len(type.shape) and results[i].shape != type.shape:
            shape = graph.constant(np.array(static, np.int64), "shape")
            results[i] = scope.emitter.emit(c.name, "reshape", [results[i], shape], {"allow_zero": True})[0]
    goes_on = _condition(scope, c.name, cond, results)
    return _LoopBody(graph, [goes_on, *(results[i] for i in types)])


def _condition(scope: Scope, name: str, index: int, operands: Sequence[Value]) -> Value:
    """Returns the bool scalar that a condition's graph makes of the operands."""
    results = scope.inline(index, operands)
    if len(results) != 1 or results[0].dtype is not DType.BOOL:
        raise RefusedError(f"a condition of {len(results)} results, expected one bool")
    return _scalar(scope.emitter, name, results[0])


def _scalar(emitter: Emitter, name: str, x: Value) -> Value:
    if x.shape == ():
        return x
    shape = emitter.graph.constant(np.zeros(0, np.int64), f"{name}.const")
    return emitter.emit(name, "reshape", [x, shape], {"allow_zero": True})[0]


# ---- variables ----


@converts("CALL_ONCE")
def call_once(c: OperatorContext) -> list[Value]:
    """Gives variables their first values."""
    c.scope.inline(int(c.option("init_subgraph")), [])
    return []


@converts("VAR_HANDLE")
def var_handle(c: OperatorContext) -> list[Value]:
    """Names a variable."""
    c.scope.resources[c.operator.outputs[0]] = f"{c.option('container', '')}/{c.option('shared_name', '')}"
    return []


@converts("READ_VARIABLE")
def read_variable(c: OperatorContext) -> Value:
    """What was assigned last."""
    name = _variable(c)
    value = c.scope.shared.variables.get(name)
    if value is None:
        raise RefusedError(f"variable '{name}' is read before it is assigned, expected a first value")
    if len(c.scope.shared.active) > 1 and not value.is_const:
        raise RefusedError(f"variable '{name}' is used inside of a body, expected it outside")
    return value


@converts("ASSIGN_VARIABLE")
def assign_variable(c: OperatorContext) -> list[Value]:
    """From here on the variable is operand 1."""
    name, value, variables = _variable(c), c.stored(1), c.scope.shared.variables
    if len(c.scope.shared.active) > 1 and not (value.is_const and name not in variables):
        raise RefusedError(f"variable '{name}' is assigned inside of a body, expected it outside")
    if name in variables:
        label = name.strip("/")
        c.scope.shared.notes.append(f"variable '{label}' keeps its value between runs: it starts anew in each")
    variables[name] = value
    return []


def _variable(c: OperatorContext) -> str:
    name = c.scope.resources.get(c.operator.inputs[0])
    if name is None:
        raise RefusedError("a variable that comes from outside of a body, expected its handle beside its use")
    return name
