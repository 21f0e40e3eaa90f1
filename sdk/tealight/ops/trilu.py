# SPDX-License-Identifier: Apache-2.0
"""Trilu: keeps a triangle of each matrix (ONNX Trilu-14)."""

from __future__ import annotations

from typing import Any

import numpy as np

from tealight.ir.types import DType, TensorType
from tealight.ops._registry import Case, OpDef, register

_EXACT: dict[str, Any] = {"rtol": 0.0, "atol": 0.0, "why": "nothing is computed"}


@register
class Trilu(OpDef):
    """y = x on and above (upper) or below the k-th diagonal of the last two axes, 0 elsewhere."""

    name = "trilu"
    inputs = ("x", "k?")
    defaults = {"upper": True}
    in_place = True

    def infer(self, x: TensorType, k: TensorType | None = None, *, upper: bool) -> TensorType:
        """Returns the type of x."""
        if x.rank < 2:
            raise self.error("x", found=x, expected="rank 2 or more")
        if k is not None and (k.dtype is not DType.INT64 or k.shape not in ((), (1,))):
            raise self.error("k", found=k, expected="an int64 scalar")
        return TensorType(x.dtype, x.shape)

    def reference(self, x: np.ndarray, k: np.ndarray | None = None, *, upper: bool) -> np.ndarray:
        """Compares the row and column numbers."""
        limit = np.iinfo(np.int64).max // 2
        diagonal = 0 if k is None else int(np.clip(k.reshape(-1)[0], -limit, limit))
        rows, columns = np.arange(x.shape[-2])[:, None], np.arange(x.shape[-1])
        keep = columns - rows >= diagonal if upper else columns - rows <= diagonal
        return np.where(keep, x, np.zeros((), x.dtype))

    def cases(self) -> list[Case]:
        """Both triangles, diagonals inside and far outside, wide and tall matrices, batches, other dtypes."""
        rng = np.random.default_rng(18)

        def case(x: Any, k: int | None, upper: bool, constant: bool = True) -> Case:
            operand = None if k is None else np.array(k, np.int64)
            constants = (1,) if constant and k is not None else ()
            return Case([x, operand], {"upper": upper}, constants, **_EXACT)

        return [
            *(case((4, 7), k, upper) for k in (None, 0, 2, -3, 7, -9) for upper in (True, False)),
            case((2, 3, 19, 5), 1, True),
            case((2, 3, 19, 5), -2, False),
            case((5, 5), 2**63 - 1, True),
            case((5, 5), -(2**63), False),
            case((0, 3), 0, True),
            case((1, 1), 0, True, constant=False),
            case(np.full((3, 3), np.nan, np.float32), 0, False),
            *(case(rng.integers(1, 9, (5, 9)).astype(t), 1, False) for t in (np.int8, np.int64, np.float16, np.bool_)),
        ]
