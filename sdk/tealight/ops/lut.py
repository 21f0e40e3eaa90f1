# SPDX-License-Identifier: Apache-2.0
"""Lut: any function of one 8-bit integer, as a table of its 256 values."""

from __future__ import annotations

from typing import Any

import numpy as np

from tealight.ir.types import DType, TensorType
from tealight.ops._registry import Case, OpDef, register

_BYTES = (DType.INT8, DType.UINT8)


@register
class Lut(OpDef):
    """y = table[x + 128] for int8 x, table[x] for uint8 x; table: constant, [256] of int8 or uint8."""

    name = "lut"
    inputs = ("x", "table")
    in_place = True

    def infer(self, *inputs: TensorType | None, **attrs: Any) -> TensorType:
        """Returns the shape of x, the dtype of the table."""
        x, table = inputs
        assert x is not None and table is not None
        if x.dtype not in _BYTES:
            raise self.error("x", found=x.dtype.label, expected="int8 or uint8")
        if table.dtype not in _BYTES or table.shape != (256,):
            raise self.error("table", found=table, expected="int8[256] or uint8[256]")
        return TensorType(table.dtype, x.shape)

    def reference(self, *inputs: np.ndarray | None, **attrs: Any) -> np.ndarray:
        """Indexes the table."""
        x, table = inputs
        assert x is not None and table is not None
        return np.asarray(table[x.astype(np.int64) + (128 if x.dtype == np.int8 else 0)])

    def cases(self) -> list[Case]:
        """Both dtypes of both operands, tails, more than one thread's part."""
        rng = np.random.default_rng(42)
        cases = []
        for x_dtype in _BYTES:
            for y_dtype in _BYTES:
                table = rng.permutation(256).astype(np.uint8).view(y_dtype.numpy)
                for shape in ((256,), (3, 5, 23), (7,), (70001,), (), (0, 4)):
                    x = rng.integers(0, 256, shape).astype(np.uint8).view(x_dtype.numpy)
                    x = np.arange(256).astype(np.uint8).view(x_dtype.numpy) if shape == (256,) else x
                    cases.append(Case([x, table], constants=(1,)))
        return cases
