# SPDX-License-Identifier: Apache-2.0
"""NumPy broadcasting of dims that may be symbols."""

from __future__ import annotations

from collections.abc import Sequence

from tealight.ir.types import Dim
from tealight.ops._window import derived_dim


def broadcast_dim(a: Dim, b: Dim) -> Dim | None:
    """Returns the size of two broadcast dims; None when they do not fit."""
    if a == b or b == 1:
        return a
    if a == 1:
        return b
    if isinstance(a, int):
        return None if isinstance(b, int) else a  # the symbol is 1 or a, or the run is refused
    if isinstance(b, int):
        return b
    return derived_dim("max", *sorted((a, b)))


def broadcast_shapes(*shapes: Sequence[Dim]) -> tuple[Dim, ...] | None:
    """Returns the broadcast shape; None when the shapes do not fit."""
    rank = max((len(s) for s in shapes), default=0)
    result: list[Dim] = [1] * rank
    for shape in shapes:
        for i, dim in enumerate(shape, rank - len(shape)):
            size = broadcast_dim(result[i], dim)
            if size is None:
                return None
            result[i] = size
    return tuple(result)
