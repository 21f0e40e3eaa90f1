# SPDX-License-Identifier: Apache-2.0
"""Shape and Size: dims as data (ONNX Shape-24, Size-24)."""

from __future__ import annotations

from typing import Any

import numpy as np

from tealight.ir.types import DType, TensorType
from tealight.ops._registry import Case, OpDef, register

_EXACT: dict[str, Any] = {"rtol": 0.0, "atol": 0.0, "why": "nothing is computed"}


@register
class Shape(OpDef):
    """y = the dims of x in [start, end); negative bounds count from the rank, then both are clamped."""

    name = "shape"
    inputs = ("x",)
    defaults = {"start": 0, "end": 2147483647}

    def infer(self, x: TensorType, *, start: int, end: int) -> TensorType:
        """Returns int64 [n], with its elements where the dims are fixed."""
        dims = x.shape[start:end]
        fixed = [d for d in dims if isinstance(d, int)]
        const = np.array(fixed, np.int64) if len(fixed) == len(dims) else None
        return TensorType(DType.INT64, (len(dims),), const)

    def reference(self, x: np.ndarray, *, start: int, end: int) -> np.ndarray:
        """A slice of the shape."""
        return np.array(x.shape[start:end], np.int64)

    def cases(self) -> list[Case]:
        """All dims, parts from both ends, none, a scalar."""
        parts: list[dict[str, int]] = [
            {}, {"start": 1}, {"start": -2}, {"end": -1}, {"start": 1, "end": 3}, {"start": -9, "end": 2},
            {"start": 3, "end": 1}, {"start": 9},
        ]  # fmt: skip
        return [*(Case([(2, 3, 0, 7)], p, **_EXACT) for p in parts), Case([()], **_EXACT)]


@register
class Size(OpDef):
    """y = the number of elements of x, an int64 scalar."""

    name = "size"
    inputs = ("x",)

    def infer(self, x: TensorType) -> TensorType:
        """Returns an int64 scalar, with its element where the dims are fixed."""
        return TensorType(DType.INT64, (), np.array(x.elements, np.int64) if x.is_static else None)

    def reference(self, x: np.ndarray) -> np.ndarray:
        """numpy.size."""
        return np.array(x.size, np.int64)

    def cases(self) -> list[Case]:
        """Some, none, a scalar."""
        return [Case([shape], **_EXACT) for shape in ((2, 3, 7), (4, 0), ())]
