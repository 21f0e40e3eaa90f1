# SPDX-License-Identifier: Apache-2.0
"""The rules of a graph, checked after import and after every pass."""

from __future__ import annotations

from tealight.errors import TealightError, VerifyError
from tealight.ir.graph import Graph, Node, Value
from tealight.ir.types import TensorType


def verify(graph: Graph, *, types: bool = True) -> None:
    """Checks a graph and the bodies inside it.

    Rules: names are unique; a value is an input, a constant, or the result of one node that names it as its producer;
    operands are computed before they are read; a body reads nothing from outside; every node's op is known, its
    attributes are complete, and its results have the types that inference gives.

    Args:
        graph: To check.
        types: Also infer every type anew.

    Raises:
        VerifyError: The first broken rule.
    """
    names: dict[str, Value] = {}
    defined: set[int] = set()

    def name(v: Value) -> None:
        if names.setdefault(v.name, v) is not v:
            raise VerifyError(f"graph {graph.name!r}: two values are named {v.name!r}, must be unique")

    for v in graph.inputs:
        if v.producer is not None or v.is_const:
            raise VerifyError(f"graph {graph.name!r} input {v.name!r}: computed or constant, must be neither")
        if id(v) in defined:
            raise VerifyError(f"graph {graph.name!r} input {v.name!r}: listed twice, must be listed once")
        name(v)
        defined.add(id(v))
    for node in graph.nodes:
        for operand in node.inputs:
            if operand is not None:
                name(operand)
                _check_read(operand, defined, node)
        _check_node(node, types)
        for body in node.subgraphs.values():
            verify(body, types=types)
        for result in node.outputs:
            if result is None:
                continue
            if result.producer is not node:
                raise _error(node, f"result {result.name!r} has the producer {result.producer}, must have this node")
            if id(result) in defined:
                raise _error(node, f"result {result.name!r} is computed twice, must be computed once")
            name(result)
            defined.add(id(result))
    for v in graph.outputs:
        if not v.is_const and id(v) not in defined:
            raise VerifyError(f"graph {graph.name!r} output {v.name!r}: not computed, must be a result of the graph")


def _error(node: Node, text: str) -> VerifyError:
    return VerifyError(f"{node.op} {node.name!r}: {text}", node=node.name, op=node.op)


def _check_read(v: Value, defined: set[int], node: Node) -> None:
    if v.is_const:
        const = v.const
        assert const is not None
        if tuple(const.shape) != v.shape or const.dtype != v.dtype.numpy:
            raise _error(node, f"constant {v.name!r} holds {const.dtype}{list(const.shape)}, its type says {v.type}")
    elif id(v) not in defined:
        raise _error(node, f"operand {v.name!r} is not computed before, must be an input or an earlier result")


def _check_node(node: Node, types: bool) -> None:
    from tealight import ops  # the registry needs the classes of this package

    try:
        definition = ops.get(node.op)
    except TealightError as e:
        raise _error(node, str(e)) from e
    known = {*definition.defaults, *definition.required}
    if node.attrs.keys() != known:
        raise _error(node, f"attributes {sorted(node.attrs)}, must be {sorted(known)}")
    if not types:
        return
    try:
        inferred = definition.infer_node(node)
    except TealightError as e:
        raise _error(node, str(e)) from e
    for v, t in zip(node.outputs, inferred, strict=False):
        if v is not None and not _compatible(v.type, t):
            raise _error(node, f"result {v.name!r} is {v.type}, inference says {t}")
    if len(node.outputs) > len(inferred):
        raise _error(node, f"{len(node.outputs)} results, inference gives {len(inferred)}")


def _compatible(a: TensorType, b: TensorType) -> bool:
    """Whether two types can describe one value: a dim that is not fixed fits any."""
    if a.dtype != b.dtype or a.rank != b.rank:
        return False
    return all(x == y or isinstance(x, str) or isinstance(y, str) for x, y in zip(a.shape, b.shape, strict=True))
