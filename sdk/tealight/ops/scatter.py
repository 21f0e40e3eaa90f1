# SPDX-License-Identifier: Apache-2.0
"""ScatterElements and ScatterND: a copy of x with some elements replaced or combined (ONNX opset 18).

Updates act in the order of the operand, so that several ones of the same element give one defined result: the last
wins, and sums and products are chains in that order. Integers wrap around. An index that is out of range is an error
of the run.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tealight.ir.types import DType, TensorType
from tealight.ops._registry import Case, OpDef, register
from tealight.ops.gather import check_indices, same_dim

_EXACT: dict[str, Any] = {"rtol": 0.0, "atol": 0.0, "why": "the same order of the same operations"}
REDUCTIONS = ("none", "add", "mul", "max", "min")
#: Dtypes that reductions know; plain replacement takes every dtype.
REDUCED_TYPES = (
    DType.FLOAT32, DType.FLOAT64, DType.INT8, DType.UINT8, DType.INT16, DType.UINT16, DType.INT32, DType.UINT32,
    DType.INT64, DType.UINT64,
)  # fmt: skip


def _nan_max(a: Any, b: Any) -> Any:
    return b if b > a or b != b else a


def _nan_min(a: Any, b: Any) -> Any:
    return b if b < a or b != b else a


_COMBINE: dict[str, Callable[[Any, Any], Any]] = {
    "none": lambda a, b: b,
    "add": lambda a, b: a + b,
    "mul": lambda a, b: a * b,
    "max": _nan_max,
    "min": _nan_min,
}


def _check(definition: OpDef, x: TensorType, indices: TensorType, updates: TensorType, reduction: str) -> None:
    check_indices(definition, indices)
    if updates.dtype is not x.dtype:
        raise definition.error("updates", found=updates, expected=f"dtype {x.dtype.label}")
    if reduction not in REDUCTIONS:
        raise definition.error("reduction", found=reduction, expected=f"one of {REDUCTIONS}")
    if reduction != "none" and x.dtype not in REDUCED_TYPES:
        raise definition.error("x", found=x, expected=f"numbers for reduction {reduction}")


@register
class ScatterElements(OpDef):
    """y = x; y[indices[i, j, k], j, k] = updates[i, j, k] for axis 0, and so on."""

    name = "scatter_elements"
    inputs = ("x", "indices", "updates")
    required = ("axis",)
    defaults = {"reduction": "none"}

    def infer(
        self, x: TensorType, indices: TensorType, updates: TensorType, *, axis: int, reduction: str
    ) -> TensorType:
        """Returns the type of x."""
        _check(self, x, indices, updates, reduction)
        axis = self.normal_axis(axis, x.rank)
        if indices.rank != x.rank or updates.rank != x.rank:
            raise self.error("indices", found=f"{indices} and updates {updates}", expected=f"rank {x.rank}")
        for i, (a, b, c) in enumerate(zip(indices.shape, x.shape, updates.shape, strict=True)):
            if not same_dim(a, c):
                raise self.error("updates", found=updates, expected=f"the shape of the indices, {indices}")
            if i != axis and isinstance(a, int) and isinstance(b, int) and a > b:
                raise self.error("indices", found=indices, expected=f"dims of at most {x} but on axis {axis}")
        return TensorType(x.dtype, x.shape)

    def reference(
        self, x: np.ndarray, indices: np.ndarray, updates: np.ndarray, *, axis: int, reduction: str
    ) -> np.ndarray:
        """One update after the other."""
        y, combine = x.copy(), _COMBINE[reduction]
        for at in np.ndindex(indices.shape):
            to = list(at)
            to[axis] = int(indices[at])
            y[tuple(to)] = combine(y[tuple(to)], updates[at])
        return y

    def cases(self) -> list[Case]:
        """Every axis and reduction, repeated indices, NaN, empty updates, other dtypes."""
        rng = np.random.default_rng(14)

        def case(x: Any, axis: int, shape: tuple[int, ...], reduction: str = "none", dtype: type = np.int64) -> Case:
            sizes = x if isinstance(x, tuple) else x.shape
            where: np.ndarray = rng.integers(-sizes[axis], sizes[axis], shape).astype(dtype)
            updates = rng.standard_normal(shape).astype(np.float32)
            if not isinstance(x, tuple):
                updates = (updates * 50).astype(x.dtype)
            return Case([x, where, updates], {"axis": axis, "reduction": reduction}, **_EXACT)

        ints = rng.integers(-100, 100, (5, 7))
        special = np.array([[np.nan, 1, -np.inf, 0.0, 2, 3]], np.float32)
        made = [
            case((5, 7), 0, (3, 7)),
            case((5, 7), 1, (5, 4)),
            case((5, 7), -1, (2, 9)),
            case((3, 5, 7), 1, (2, 6, 5), dtype=np.int32),
            case((11,), 0, (5,)),
            case((5, 7), 0, (0, 7)),
            *(case((5, 7), 0, (9, 6), r) for r in REDUCTIONS),
            *(case(ints.astype(t), 1, (4, 13), r) for t in (np.int64, np.int8, np.uint8) for r in ("add", "mul")),
            *(case(ints.astype(t), 0, (9, 7), r) for t in (np.int32, np.uint16, np.float64) for r in ("max", "min")),
            case(ints.astype(np.float16), 0, (3, 7)),
            case(ints > 0, 0, (3, 7)),
        ]
        where = np.array([[0, 1, 1, 2, 5, 5, 3]], np.int64)
        updates = np.array([[1, np.nan, 4, np.inf, 9, -9, -0.0]], np.float32)
        return made + [
            Case([special, where, updates], {"axis": 1, "reduction": r}, **_EXACT) for r in ("max", "min", "add")
        ]


@register
class ScatterNd(OpDef):
    """y = x; y[indices[i...]] = updates[i...], the last axis of the indices holding positions in x."""

    name = "scatter_nd"
    inputs = ("x", "indices", "updates")
    defaults = {"reduction": "none"}

    def infer(self, x: TensorType, indices: TensorType, updates: TensorType, *, reduction: str) -> TensorType:
        """Returns the type of x."""
        _check(self, x, indices, updates, reduction)
        if x.rank < 1 or indices.rank < 1 or not isinstance(indices.shape[-1], int) or indices.shape[-1] > x.rank:
            raise self.error("indices", found=indices, expected=f"a last dim of at most {x.rank}")
        wanted = (*indices.shape[:-1], *x.shape[indices.shape[-1] :])
        if updates.rank != len(wanted) or not all(map(same_dim, updates.shape, wanted)):
            raise self.error("updates", found=updates, expected=f"shape [{', '.join(map(str, wanted))}]")
        return TensorType(x.dtype, x.shape)

    def reference(self, x: np.ndarray, indices: np.ndarray, updates: np.ndarray, *, reduction: str) -> np.ndarray:
        """One update after the other."""
        y, combine = x.copy(), _COMBINE[reduction]
        for at in np.ndindex(indices.shape[:-1]):
            to = tuple(indices[at])
            for inner in np.ndindex(x.shape[len(to) :]):
                y[to + inner] = combine(y[to + inner], updates[at + inner])
        return y

    def cases(self) -> list[Case]:
        """Elements and slices, every reduction, repeated positions, no updates, other dtypes."""
        rng = np.random.default_rng(15)

        def case(x: Any, depth: int, shape: tuple[int, ...], reduction: str = "none", dtype: type = np.int64) -> Case:
            sizes = x if isinstance(x, tuple) else x.shape
            parts = [rng.integers(-s, s, shape) for s in sizes[:depth]]
            where: np.ndarray = np.stack(parts, -1).astype(dtype) if parts else np.zeros((*shape, 0), dtype)
            updates = rng.standard_normal((*shape, *sizes[depth:])).astype(np.float32)
            if not isinstance(x, tuple):
                updates = (updates * 50).astype(x.dtype)
            return Case([x, where, updates], {"reduction": reduction}, **_EXACT)

        ints = rng.integers(-100, 100, (5, 7))
        return [
            case((8,), 1, (4,)),
            case((5, 7), 2, (3, 4)),
            case((5, 7, 3), 1, (3,)),
            case((5, 7, 3), 2, (4,), dtype=np.int32),
            case((5, 7), 1, (0,)),
            case((5, 7), 0, (2,)),
            *(case((5, 7, 3), 1, (11,), r) for r in REDUCTIONS),
            *(case((5, 7), 2, (60,), r) for r in REDUCTIONS),
            *(case(ints.astype(t), 1, (9,), r) for t in (np.int64, np.int8, np.uint32) for r in ("add", "mul", "max")),
            case(ints.astype(np.float64), 2, (40,), "min"),
            case(ints.astype(np.float16), 1, (3,)),
            case(ints > 0, 2, (3,)),
        ]
