# SPDX-License-Identifier: Apache-2.0
"""QSoftmax: softmax of int8 by a table of exponentials and exact integer sums."""

from __future__ import annotations

from typing import Any

import numpy as np

from tealight.ir.types import DType, TensorType
from tealight.ops._quantized import case_int8
from tealight.ops._registry import Case, OpDef, register
from tealight.quant import numerics


@register
class QSoftmax(OpDef):
    """y = numerics.softmax(x, table, steps) along `axis`: int8 with scale 1 / steps and zero point -128.

    x int8, table float32 [256]: exp(-x_scale * i), constant.
    """

    name = "q_softmax"
    inputs = ("x", "table")
    defaults = {"axis": -1, "steps": 256.0}
    in_place = True

    def infer(self, *inputs: TensorType | None, **attrs: Any) -> TensorType:
        """Returns int8 of the shape of x."""
        x, table = inputs
        assert x is not None and table is not None
        if x.dtype is not DType.INT8:
            raise self.error("x", found=x.dtype.label, expected="int8")
        if table.dtype is not DType.FLOAT32 or table.shape != (256,):
            raise self.error("table", found=table, expected="float32[256]")
        self.normal_axis(attrs["axis"], x.rank)
        if not 1 <= attrs["steps"] <= 65536:
            raise self.error("steps", found=attrs["steps"], expected="in [1, 65536]")
        return TensorType(DType.INT8, x.shape)

    def reference(self, *inputs: np.ndarray | None, **attrs: Any) -> np.ndarray:
        """Exact."""
        x, table = inputs
        assert x is not None and table is not None
        y = numerics.softmax(np.moveaxis(x, attrs["axis"], -1), table, attrs["steps"])
        return np.moveaxis(y, -1, attrs["axis"])

    def cases(self) -> list[Case]:
        """Rows of every tail, other axes, small and large scales, one element, saturated rows."""
        rng = np.random.default_rng(45)

        def case(x: np.ndarray, scale: float = 0.05, axis: int = -1, steps: float = 256.0) -> Case:
            table = np.exp(-scale * np.arange(256)).astype(np.float32)
            return Case([x, table], {"axis": axis, "steps": steps}, (1,), rtol=0, atol=0)

        cases = [case(case_int8(rng, (3, n))) for n in (1, 2, 15, 16, 33, 64, 65, 127, 197, 1001)]
        cases += [case(case_int8(rng, (2, 5, 197)), scale) for scale in (1e-4, 0.01, 0.1, 1.0, 30.0)]
        cases += [case(case_int8(rng, (3, 197)), 0.03, steps=s) for s in (1.0, 300.7, 5000.0, 65536.0)]
        cases += [case(case_int8(rng, (2, 19, 7)), axis=1), case(case_int8(rng, (70, 3)), 0.2, 0)]
        cases += [case(np.full((2, 300), v, np.int8), 0.3) for v in (-128, 0, 127)]
        cases += [case(case_int8(rng, (1, 70001)), 0.002), case(case_int8(rng, (0, 5))), case(case_int8(rng, (4, 0)))]
        zeros = Case([case_int8(rng, (3, 40)), np.zeros(256, np.float32)], {}, (1,), rtol=0, atol=0)
        return [*cases, case(np.sort(case_int8(rng, (6, 3, 64))), 0.04), zeros]
