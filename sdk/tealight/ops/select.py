# SPDX-License-Identifier: Apache-2.0
"""NonZero, Compress and Unique: how many elements they give depends on the data (ONNX opsets 13, 11 and 11)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tealight.ir.types import DType, TensorType
from tealight.ops._registry import Case, OpDef, register
from tealight.ops._window import fresh_dim

_EXACT: dict[str, Any] = {"rtol": 0.0, "atol": 0.0, "why": "nothing is computed"}


@register
class NonZero(OpDef):
    """y [rank, n] = the positions of the elements other than 0 (NaN is one), in row-major order."""

    name = "non_zero"
    inputs = ("x",)
    data_dependent = True

    def infer(self, x: TensorType) -> TensorType:
        """Returns int64 [rank, ?]."""
        return TensorType(DType.INT64, (x.rank, fresh_dim()))

    def reference(self, x: np.ndarray) -> np.ndarray:
        """numpy.nonzero; a scalar has no coordinates."""
        if x.ndim == 0:
            return np.zeros((0, int(bool(x))), np.int64)
        return np.stack(np.nonzero(x)).astype(np.int64)

    def cases(self) -> list[Case]:
        """Some, all, none, many dims, NaN and -0, other dtypes."""
        rng = np.random.default_rng(19)
        special = np.array([[0.0, -0.0, np.nan], [1.0, np.inf, 1e-45]], np.float32)
        return [
            Case([x], **_EXACT)
            for x in (
                rng.integers(0, 2, (5, 7)).astype(np.float32),
                rng.integers(0, 2, (3, 1, 5, 2)).astype(bool),
                rng.integers(0, 3, (41,)),
                rng.integers(0, 2, (4, 9)).astype(np.int8),
                rng.integers(0, 2, (4, 9)).astype(np.float16) * np.float16(-1),
                rng.integers(0, 2, (4, 9)).astype(np.int32) << 20,
                special,
                np.zeros((3, 4), np.float32),
                np.ones((2, 3), np.float32),
                np.zeros((0, 3), np.float32),
                np.array(5.0, np.float32),
                np.array(0, np.int64),
            )
        ]


@register
class Compress(OpDef):
    """y = the slices of x along `axis` (without has_axis: the elements of x) where the condition holds.

    A condition may be shorter than the axis: what it does not cover is left out.
    """

    name = "compress"
    inputs = ("x", "condition")
    defaults = {"has_axis": False, "axis": 0}
    data_dependent = True

    def infer(self, x: TensorType, condition: TensorType, *, has_axis: bool, axis: int) -> TensorType:
        """Returns x with the axis of unknown size."""
        if condition.dtype is not DType.BOOL or condition.rank != 1:
            raise self.error("condition", found=condition, expected="bool [n]")
        if not has_axis:
            return TensorType(x.dtype, (fresh_dim(),))
        axis = self.normal_axis(axis, x.rank)
        n, size = condition.shape[0], x.shape[axis]
        if isinstance(n, int) and isinstance(size, int) and n > size:
            raise self.error("condition", found=condition, expected=f"at most {size} elements")
        return TensorType(x.dtype, (*x.shape[:axis], fresh_dim(), *x.shape[axis + 1 :]))

    def reference(self, x: np.ndarray, condition: np.ndarray, *, has_axis: bool, axis: int) -> np.ndarray:
        """numpy.compress."""
        return np.ascontiguousarray(np.compress(condition, x, axis if has_axis else None))

    def cases(self) -> list[Case]:
        """Every axis and none, short conditions, all and nothing, other dtypes."""
        some = np.array([True, False, False, True, True])
        x = np.arange(70).reshape(2, 5, 7)
        return [
            Case([(5, 7), some], {"has_axis": True, "axis": 0}, **_EXACT),
            Case([(2, 5, 7), some], {"has_axis": True, "axis": -2}, **_EXACT),
            Case([(2, 5, 7), some], {"has_axis": True, "axis": 2}, **_EXACT),
            Case([(2, 5, 7), some], **_EXACT),
            Case([(3, 5), ~some & some], {"has_axis": True, "axis": 1}, **_EXACT),
            Case([(3, 5), some | ~some], {"has_axis": True, "axis": 1}, **_EXACT),
            Case([(3, 5), some[:0]], **_EXACT),
            Case([(0, 5), some], {"has_axis": True, "axis": 1}, **_EXACT),
            *(
                Case([x.astype(t), some], {"has_axis": True, "axis": 1}, **_EXACT)
                for t in (np.int8, np.float16, np.int64, np.bool_)
            ),
            Case([x.astype(np.uint8), np.tile(some, 14)], **_EXACT),
        ]


@register
class Unique(OpDef):
    """The different elements (with has_axis: slices) of x: y, first position, place of each in y, how often.

    Sorted (slices lexicographically), else in order of appearance. NaN equals NaN and is the largest; -0 equals +0;
    y holds the first of equal elements.
    """

    name = "unique"
    inputs = ("x",)
    outputs = ("y?", "indices?", "inverse?", "counts?")
    defaults = {"has_axis": False, "axis": 0, "sorted": True}
    data_dependent = True

    def infer(self, x: TensorType, *, has_axis: bool, axis: int, sorted: bool) -> list[TensorType]:
        """Returns y and three int64 vectors."""
        if x.dtype is DType.BFLOAT16:
            raise self.error("x", found=x, expected="another dtype")
        n = fresh_dim()
        count = TensorType(DType.INT64, (n,))
        if not has_axis:
            places = x.elements if x.is_static else fresh_dim()
            return [TensorType(x.dtype, (n,)), count, TensorType(DType.INT64, (places,)), count]
        axis = self.normal_axis(axis, x.rank)
        shape = (*x.shape[:axis], n, *x.shape[axis + 1 :])
        return [TensorType(x.dtype, shape), count, TensorType(DType.INT64, (x.shape[axis],)), count]

    def reference(self, x: np.ndarray, *, has_axis: bool, axis: int, sorted: bool) -> Sequence[np.ndarray]:
        """numpy.unique over the ranks of the elements, which are integers without special cases."""
        slices = np.moveaxis(x, axis, 0) if has_axis else x.reshape(-1)
        rows = slices.reshape(len(slices), -1) if slices.size else np.zeros((len(slices), 0), x.dtype)
        _, ranks = np.unique(rows, return_inverse=True)
        ranks = np.asarray(ranks).reshape(rows.shape)
        _, first, inverse, counts = np.unique(
            ranks if ranks.size else np.zeros((len(rows), 1)),
            axis=0,
            return_index=True,
            return_inverse=True,
            return_counts=True,
        )
        inverse = np.asarray(inverse).reshape(-1)
        if not sorted:
            order = np.argsort(first, kind="stable")
            place = np.empty_like(order)
            place[order] = np.arange(len(order))
            first, counts, inverse = first[order], counts[order], place[inverse]
        y = np.moveaxis(slices[first], 0, axis) if has_axis else slices[first]
        return [np.ascontiguousarray(y), first.astype(np.int64), inverse.astype(np.int64), counts.astype(np.int64)]

    def cases(self) -> list[Case]:
        """With and without an axis, sorted and not, NaN and zeros, all equal, nothing, other dtypes."""
        rng = np.random.default_rng(20)

        def case(x: Any, outputs: int = 4, **attrs: Any) -> Case:
            return Case([x], attrs, outputs=outputs, **_EXACT)

        few = rng.integers(-3, 3, (7, 11)).astype(np.float32)
        rows = rng.integers(0, 2, (3, 9, 2)).astype(np.int64)
        special = np.array([2, np.nan, -0.0, 0.0, np.nan, -np.inf, np.inf, 2], np.float32)
        return [
            *(case(few, sorted=s) for s in (True, False)),
            *(case(special, sorted=s) for s in (True, False)),
            *(case(rows, has_axis=True, axis=a, sorted=s) for a in (0, 1, -1) for s in (True, False)),
            case(special.reshape(4, 2), has_axis=True, axis=0),
            case(rng.integers(0, 50, (500,)).astype(np.int32)),
            case(np.zeros((5, 3), np.float32), has_axis=True, axis=1),
            case(np.zeros((0,), np.float32)),
            case(np.array(3.0, np.float32)),
            case(few, 1),
            *(
                case(rng.integers(0, 9, (6, 5)).astype(t))
                for t in (np.int8, np.uint8, np.float16, np.uint64, np.float64)
            ),
            case(rng.integers(0, 2, (6, 5)).astype(bool)),
        ]
