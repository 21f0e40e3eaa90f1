# SPDX-License-Identifier: Apache-2.0
"""ArgReduce: the index of the largest or smallest element along an axis (ONNX ArgMax, ArgMin)."""

from __future__ import annotations

from typing import Any

import numpy as np

from tealight.ir.types import DType, TensorType
from tealight.ops._registry import Case, OpDef, register


@register
class ArgReduce(OpDef):
    """y int64: the first (select_last_index: the last) index of the extreme. NaN is never an extreme unless first."""

    name = "arg_reduce"
    inputs = ("x",)
    required = ("axis",)
    defaults = {"is_min": False, "keepdims": True, "select_last_index": False}

    def infer(self, *inputs: TensorType | None, **attrs: Any) -> TensorType:
        """Returns int64 with the axis gone, or 1 with keepdims."""
        (x,) = inputs
        assert x is not None
        axis = attrs["axis"]
        self.normal_axis(axis, x.rank)
        axis %= x.rank
        if x.shape[axis] == 0:
            raise self.error("x", found=x, expected="at least one element along the axis")
        kept = [1] if attrs["keepdims"] else []
        return TensorType(DType.INT64, (*x.shape[:axis], *kept, *x.shape[axis + 1 :]))

    def reference(self, *inputs: np.ndarray | None, **attrs: Any) -> np.ndarray:
        """Scans the axis in order with < or >, as the kernel does."""
        (x,) = inputs
        assert x is not None
        rows = np.moveaxis(x, attrs["axis"], 0)
        best, index = rows[0].copy(), np.zeros(rows.shape[1:], np.int64)
        for i in range(1, len(rows)):
            if attrs["select_last_index"]:
                better = rows[i] <= best if attrs["is_min"] else rows[i] >= best
            else:
                better = rows[i] < best if attrs["is_min"] else rows[i] > best
            best, index = np.where(better, rows[i], best), np.where(better, i, index)
        return np.asarray(np.expand_dims(index, attrs["axis"]) if attrs["keepdims"] else index)

    def cases(self) -> list[Case]:
        """Ties, both directions, any axis, several dtypes."""
        rng = np.random.default_rng(4)
        ties = rng.integers(0, 3, (4, 7, 5))
        flags = [(m, k, s) for m in (False, True) for k in (False, True) for s in (False, True)]
        cases = [
            Case([ties.astype(np.float32)], {"axis": 1, "is_min": m, "keepdims": k, "select_last_index": s})
            for m, k, s in flags
        ]
        cases += [Case([(2, 1001)], {"axis": -1}), Case([(33, 3)], {"axis": 0, "keepdims": False})]
        cases += [Case([ties.astype(d)], {"axis": -1}) for d in (np.int64, np.int32, np.uint8, np.int8)]
        return [*cases, Case([(5,)], {"axis": 0, "keepdims": False}), Case([(0, 3)], {"axis": 1})]
