# SPDX-License-Identifier: Apache-2.0
"""What branches and loops of all foreign formats share."""

from __future__ import annotations

from collections.abc import Sequence

from tealight.frontends.problems import RefusedError
from tealight.ir.graph import Graph, Value
from tealight.ir.types import Dim, TensorType


def wider(loop: str, type: TensorType, result: Value) -> TensorType:
    """Returns a type that holds a carried value both before and after an iteration.

    Args:
        loop: Name of the loop, for the symbols of dims that change.
        type: Before.
        result: After.

    Raises:
        RefusedError: They differ in dtype or rank.
    """
    if result.dtype is not type.dtype or len(result.shape) != len(type.shape):
        raise RefusedError(f"a carried value of {type} that becomes {result.type}, expected the same dtype and rank")
    shape: list[Dim] = [
        a if a == b or (isinstance(a, str) and a.startswith("?loop")) else f"?loop.{loop}.{result.name}.{i}"
        for i, (a, b) in enumerate(zip(type.shape, result.shape, strict=True))
    ]
    return TensorType(type.dtype, tuple(shape))


def own_outputs(graph: Graph, values: Sequence[Value]) -> list[Value]:
    """Returns results that are computed in the graph: copies of those that are inputs, constants or repeated."""
    outputs: list[Value] = []
    for v in values:
        if v.producer is None or any(v is o for o in outputs):
            v = graph.add("unary", [v], {"kind": "identity"}, name=f"{v.name}.copy")[0]
        outputs.append(v)
    return outputs
