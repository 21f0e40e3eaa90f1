# SPDX-License-Identifier: Apache-2.0
"""Where: y = cond ? a : b with NumPy broadcasting."""

from __future__ import annotations

from typing import Any

import numpy as np

from tealight.ir.types import DType, TensorType
from tealight.ops._broadcast import broadcast_shapes
from tealight.ops._registry import Case, OpDef, register


@register
class Where(OpDef):
    """cond bool; a and b of one dtype of whole bytes, y of the same."""

    name = "where"
    inputs = ("cond", "a", "b")
    in_place = True

    def infer(self, *inputs: TensorType | None, **attrs: Any) -> TensorType:
        """Returns the broadcast shape."""
        cond, a, b = inputs
        assert cond is not None and a is not None and b is not None
        if cond.dtype is not DType.BOOL:
            raise self.error("cond", found=cond.dtype.label, expected="bool")
        if a.dtype != b.dtype or a.dtype in (DType.INT4, DType.UINT4):
            raise self.error("b", found=b.dtype.label, expected=f"{a.dtype.label} as a, of whole bytes")
        shape = broadcast_shapes(cond.shape, a.shape, b.shape)
        if shape is None:
            raise self.error("operands", found=f"{cond}, {a}, {b}", expected="shapes that broadcast")
        return TensorType(a.dtype, shape)

    def reference(self, *inputs: np.ndarray | None, **attrs: Any) -> np.ndarray:
        """numpy.where."""
        cond, a, b = inputs
        assert cond is not None and a is not None and b is not None
        return np.asarray(np.where(cond, a, b))

    def cases(self) -> list[Case]:
        """Attention masks, scalars, every element size, general broadcasts."""
        rng = np.random.default_rng(13)

        def mask(*shape: int) -> np.ndarray:
            return rng.integers(0, 2, shape).astype(np.bool_)

        lowest = np.array(-np.inf, np.float32)
        exact: dict[str, Any] = {"rtol": 0.0, "atol": 0.0, "why": "moves bits"}
        cases = [
            Case([mask(3, 7), (3, 7), (3, 7)], **exact),
            Case([mask(1, 1, 9, 9), lowest, (2, 4, 9, 9)], **exact),
            Case([mask(9), (2, 3, 9), lowest], **exact),
            Case([mask(5, 1), (1, 7), (5, 7)], **exact),
            Case([mask(), (4,), (3, 1)], **exact),
            Case([mask(2, 1, 3), (5, 1), (1,)], **exact),
            Case([mask(0, 3), (3,), (1,)], **exact),
            Case([mask(40000), (40000,), lowest], **exact),
        ]
        for dtype in (np.int8, np.uint16, np.int32, np.int64, np.float64, np.float16, np.bool_):
            values = [rng.integers(0, 2 if dtype is np.bool_ else 100, s).astype(dtype) for s in ((3, 19), (19,))]
            cases.append(Case([mask(3, 1), *values], **exact))
        return cases
