# SPDX-License-Identifier: Apache-2.0
"""If and Loop: programs inside programs (ONNX If-25, Loop-25).

A subgraph sees no outer value: what it uses comes in as operands after the op's own ones. The engines run them
themselves, so there is no reference() here; tests/sdk/ops and tests/parity have whole graphs as cases.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tealight.ir.graph import Graph, Node
from tealight.ir.types import Dim, DType, TensorType
from tealight.ops._registry import Case, OpDef, register
from tealight.ops._window import fresh_dim


def _outer(shape: Sequence[Dim], visible: set[Dim]) -> tuple[Dim, ...]:
    """Returns a subgraph's dims as the outer graph may see them: symbols it does not have get new names."""
    return tuple(d if isinstance(d, int) or d in visible else fresh_dim() for d in shape)


def _merged(a: Sequence[Dim], b: Sequence[Dim]) -> tuple[Dim, ...]:
    """Returns the dims that two shapes agree on, new symbols for the others."""
    return tuple(p if p == q else fresh_dim() for p, q in zip(a, b, strict=True))


class _ControlFlow(OpDef):
    data_dependent = True

    def extras(self, node: Node) -> dict[str, Any]:
        """Adds the subgraphs to what infer() gets."""
        return {**node.attrs, "subgraphs": node.subgraphs}

    def check_operands(self, graph: Graph, operands: Sequence[TensorType | None], what: str) -> None:
        """Raises when the inputs of a subgraph do not take the operands."""
        if len(graph.inputs) != len(operands):
            raise self.error(what, found=f"{len(graph.inputs)} inputs", expected=len(operands))
        for value, operand in zip(graph.inputs, operands, strict=True):
            if operand is None or value.dtype is not operand.dtype or value.type.rank != operand.rank:
                raise self.error(f"{what} input {value.name!r}", found=operand, expected=value.type)
            for own, given in zip(value.shape, operand.shape, strict=True):
                if isinstance(own, int) and isinstance(given, int) and own != given:
                    raise self.error(f"{what} input {value.name!r}", found=operand, expected=value.type)

    def cases(self) -> list[Case]:
        """None: a case has no subgraphs."""
        return []

    def reference(self, *inputs: Any, **attrs: Any) -> np.ndarray:
        """The engine runs the subgraphs."""
        raise NotImplementedError(f"{self.name}: the engine runs the subgraphs")


@register
class If(_ControlFlow):
    """Runs subgraph "then" when cond holds, else "else"; both take the captures and give results of like type."""

    name = "if"
    inputs = ("cond", "captures*")
    outputs = ("y*",)

    def infer(self, cond: TensorType, *captures: TensorType, subgraphs: dict[str, Graph]) -> list[TensorType]:
        """Returns the types that both branches agree on."""
        if cond.dtype is not DType.BOOL or (cond.is_static and cond.elements != 1):
            raise self.error("cond", found=cond, expected="a bool scalar")
        then, other = subgraphs["then"], subgraphs["else"]
        self.check_operands(then, captures, "then branch")
        self.check_operands(other, captures, "else branch")
        if len(then.outputs) != len(other.outputs):
            raise self.error(
                "branches", found=f"{len(then.outputs)} and {len(other.outputs)} results", expected="as many"
            )
        visible: set[Dim] = {d for c in captures for d in c.shape}
        types = []
        for a, b in zip(then.outputs, other.outputs, strict=True):
            if a.dtype is not b.dtype or a.type.rank != b.type.rank:
                raise self.error("branches", found=f"{a.type} and {b.type}", expected="one dtype and rank")
            types.append(TensorType(a.dtype, _merged(_outer(a.shape, visible), _outer(b.shape, visible))))
        return types


@register
class Loop(_ControlFlow):
    """Runs subgraph "body" while its cond holds and at most trip_count times; either operand may be absent.

    Results: the carried values after the last iteration (the operands when there was none), then each scan output
    stacked along a new first axis; all its iterations give the same shape.
    """

    name = "loop"
    inputs = ("trip_count?", "cond?", "carried_and_captures*")
    outputs = ("y*",)
    required = ("carried",)

    def infer(
        self,
        trip_count: TensorType | None,
        cond: TensorType | None,
        *operands: TensorType,
        carried: int,
        subgraphs: dict[str, Graph],
    ) -> list[TensorType]:
        """Returns the carried types (dims that change are unknown) and the stacked scan types."""
        body = subgraphs["body"]
        for name, operand, dtype in (("trip_count", trip_count, DType.INT64), ("cond", cond, DType.BOOL)):
            if operand is not None and (operand.dtype is not dtype or (operand.is_static and operand.elements != 1)):
                raise self.error(name, found=operand, expected=f"a scalar of dtype {dtype.label}")
        if not 0 <= carried <= len(operands):
            raise self.error("carried", found=carried, expected=f"one in [0, {len(operands)}]")
        own = [TensorType(DType.INT64, ()), TensorType(DType.BOOL, ())]
        self.check_operands(body, [*own, *operands], "body")
        if len(body.outputs) < 1 + carried:
            raise self.error("body", found=f"{len(body.outputs)} outputs", expected=f"cond and {carried} carried")
        visible: set[Dim] = {d for c in operands for d in c.shape}
        types = []
        for start, end in zip(operands[:carried], body.outputs[1 : 1 + carried], strict=True):
            if start.dtype is not end.dtype or start.rank != end.type.rank:
                raise self.error(f"carried value {end.name!r}", found=end.type, expected=start)
            types.append(TensorType(start.dtype, _merged(start.shape, _outer(end.shape, visible))))
        steps = fresh_dim()
        types += [TensorType(v.dtype, (steps, *_outer(v.shape, visible))) for v in body.outputs[1 + carried :]]
        return types
