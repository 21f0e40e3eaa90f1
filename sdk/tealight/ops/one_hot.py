# SPDX-License-Identifier: Apache-2.0
"""OneHot: a new axis with one element set (ONNX OneHot-11)."""

from __future__ import annotations

from typing import Any

import numpy as np

from tealight.ir.types import Dim, DType, TensorType
from tealight.ops._registry import Case, OpDef, register
from tealight.ops._window import fresh_dim, known

_EXACT: dict[str, Any] = {"rtol": 0.0, "atol": 0.0, "why": "nothing is computed"}
_INDEX_TYPES = (DType.INT32, DType.INT64, DType.UINT8, DType.INT8, DType.FLOAT32)


@register
class OneHot(OpDef):
    """y = values[1] where the position on the new axis is the index, values[0] elsewhere.

    Negative indices count from the end; one outside [-depth, depth) sets nothing. Float indices are truncated.
    """

    name = "one_hot"
    inputs = ("indices", "depth", "values")
    defaults = {"axis": -1}
    host_inputs = ("depth",)

    def infer(self, indices: TensorType, depth: TensorType, values: TensorType, *, axis: int) -> TensorType:
        """Returns the indices' shape with depth inserted at `axis`."""
        if indices.dtype not in _INDEX_TYPES:
            raise self.error("indices", found=indices, expected="int32 or int64")
        if depth.shape not in ((), (1,)) or depth.dtype not in (DType.INT32, DType.INT64):
            raise self.error("depth", found=depth, expected="an int64 scalar")
        if values.shape != (2,):
            raise self.error("values", found=values, expected="2 elements")
        axis = self.normal_axis(axis, indices.rank + 1)
        count = known(depth.const)
        size: Dim = fresh_dim() if count is None else count[0]
        if isinstance(size, int) and size < 0:
            raise self.error("depth", found=size, expected="at least 0")
        return TensorType(values.dtype, (*indices.shape[:axis], size, *indices.shape[axis:]))

    def reference(self, indices: np.ndarray, depth: np.ndarray, values: np.ndarray, *, axis: int) -> np.ndarray:
        """Compares each index with every position."""
        size = int(depth.reshape(-1)[0])
        where = np.expand_dims(indices.astype(np.int64), axis)
        where = np.where(where < 0, where + size, where)
        shape = [1] * where.ndim
        shape[axis] = size
        y = np.where(where == np.arange(size).reshape(shape), values[1], values[0])
        return np.asarray(y).astype(values.dtype)

    def cases(self) -> list[Case]:
        """New last, first and middle axes, indices out of range, scalar indices, other dtypes."""
        rng = np.random.default_rng(17)
        off_on = np.array([-0.5, 2.5], np.float32)

        def case(
            indices: np.ndarray, depth: int, values: np.ndarray = off_on, constant: bool = True, **attrs: int
        ) -> Case:
            return Case([indices, np.array(depth, np.int64), values], attrs, (1,) if constant else (), **_EXACT)

        return [
            case(rng.integers(-12, 12, (3, 5)), 10),
            case(rng.integers(-12, 12, (3, 5)), 10, axis=0),
            case(rng.integers(-12, 12, (3, 5)).astype(np.int32), 7, axis=1),
            case(rng.integers(-3, 3, (2, 3, 4)), 3, axis=-2),
            case(np.array(2, np.int64), 5),
            case(np.array([1.9, -1.0, 0.0], np.float32), 4),
            case(rng.integers(0, 5, (4,)), 5, np.array([0, 1], np.int64), constant=False),
            case(rng.integers(0, 5, (4,)), 5, np.array([False, True])),
            case(rng.integers(0, 5, (4,)).astype(np.uint8), 5, np.array([3, 9], np.int8)),
            case(rng.integers(0, 5, (4,)), 0),
            case(np.zeros((0, 2), np.int64), 3),
        ]
