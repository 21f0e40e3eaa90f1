# SPDX-License-Identifier: Apache-2.0
"""CumSum: running sums along an axis (ONNX CumSum-14)."""

from __future__ import annotations

from typing import Any

import numpy as np

from tealight.ir.types import DType, TensorType
from tealight.ops._registry import Case, OpDef, register

_DTYPES = (DType.FLOAT32, DType.INT32, DType.INT64)


@register
class CumSum(OpDef):
    """y[i] = sum of x[0 .. i] in order; exclusive leaves x[i] out, reverse runs from the end.

    x float32, int32 or int64; axis: int32 or int64, one element.
    """

    name = "cum_sum"
    inputs = ("x", "axis")
    defaults = {"exclusive": False, "reverse": False}
    host_inputs = ("axis",)

    def infer(self, *inputs: TensorType | None, **attrs: Any) -> TensorType:
        """Returns the type of x."""
        x, axis = inputs
        assert x is not None and axis is not None
        if x.dtype not in _DTYPES:
            raise self.error("x", found=x.dtype.label, expected="float32, int32 or int64")
        if axis.const is not None and not -x.rank <= int(axis.const.reshape(-1)[0]) < x.rank:
            raise self.error("axis", found=axis.const, expected=f"in [{-x.rank}, {x.rank})")
        return TensorType(x.dtype, x.shape)

    def reference(self, *inputs: np.ndarray | None, **attrs: Any) -> np.ndarray:
        """numpy.cumsum in the dtype of x."""
        x, axis_operand = inputs
        assert x is not None and axis_operand is not None
        axis = int(axis_operand.reshape(-1)[0])
        rows = np.moveaxis(x, axis, 0)
        rows = rows[::-1] if attrs["reverse"] else rows
        total = np.cumsum(rows, axis=0, dtype=x.dtype)
        if attrs["exclusive"]:
            total = np.concatenate([np.zeros_like(rows[:1]), total[:-1]])
        return np.ascontiguousarray(np.moveaxis(total[::-1] if attrs["reverse"] else total, 0, axis))

    def cases(self) -> list[Case]:
        """Every flag, any axis, integers."""
        rng = np.random.default_rng(7)
        ints = rng.integers(-50, 50, (3, 7, 2))
        flags = [{"exclusive": e, "reverse": r} for e in (False, True) for r in (False, True)]
        cases = [Case([(2, 9, 5), np.array(1)], f, constants=(1,)) for f in flags]
        cases += [Case([ints.astype(d), np.array(-2)], f, constants=(1,)) for d in (np.int32, np.int64) for f in flags]
        return [*cases, Case([(1, 100), np.array([1], np.int32)], {}, constants=(1,))]
