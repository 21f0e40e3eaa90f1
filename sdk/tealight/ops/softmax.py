# SPDX-License-Identifier: Apache-2.0
"""Softmax: y = exp(x - max(x)) / sum(exp(x - max(x))) along `axis` (ONNX Softmax-13), or its logarithm."""

from __future__ import annotations

from typing import Any

import numpy as np

from tealight.ir.types import DType, TensorType
from tealight.ops._registry import Case, OpDef, register


@register
class Softmax(OpDef):
    """y has the shape and dtype (float32) of x; is_log gives x - max(x) - log(sum(exp(x - max(x))))."""

    name = "softmax"
    inputs = ("x",)
    defaults = {"axis": -1, "is_log": False}
    in_place = True

    def infer(self, *inputs: TensorType | None, **attrs: Any) -> TensorType:
        """Returns the type of x."""
        (x,) = inputs
        assert x is not None
        if x.dtype is not DType.FLOAT32:
            raise self.error("x", found=x.dtype.label, expected="float32")
        self.normal_axis(attrs["axis"], x.rank)
        return TensorType(x.dtype, x.shape)

    def reference(self, *inputs: np.ndarray | None, **attrs: Any) -> np.ndarray:
        """Computes in float64."""
        (x,) = inputs
        assert x is not None
        axis = attrs["axis"]
        if x.size == 0:
            return x.copy()
        with np.errstate(all="ignore"):
            d = x.astype(np.float64) - x.max(axis=axis, keepdims=True)
            e = np.exp(d)
            total = e.sum(axis=axis, keepdims=True)
            return np.asarray(d - np.log(total) if attrs["is_log"] else e / total).astype(np.float32)

    def cases(self) -> list[Case]:
        """Tails, any axis, one element, large values, -inf masks, NaN, both forms."""
        rng = np.random.default_rng(5)
        masked = rng.standard_normal((5, 21)).astype(np.float32)
        masked[0, 5:], masked[1, ::2], masked[2, 4] = -np.inf, -1e9, np.nan
        masked[3], masked[4, 7] = -np.inf, np.inf  # NaN, as NumPy has it
        cases = []
        for log in (False, True):
            for shape, axis in [
                ((2, 3, 7), -1),
                ((1, 1001), 1),
                ((4, 1), -1),
                ((2, 5, 6), 1),
                ((33, 3), 0),
                ((2, 0), 1),
                ((3, 5, 17), 0),
                ((9, 2, 300), 1),
                ((2, 6000), 1),
                ((40, 16), -1),
            ]:
                cases.append(Case([shape], {"axis": axis, "is_log": log}, rtol=1e-5, atol=1e-6))
            wide = (rng.standard_normal((5, 64)) * 80).astype(np.float32)
            cases.append(Case([wide], {"is_log": log}, rtol=1e-5, atol=2e-5))
            cases.append(Case([masked], {"is_log": log}, rtol=1e-5, atol=1e-6))
        return [*cases, Case([(1, 4, 17, 128)], {"axis": -1}), Case([(2, 3, 5, 16)], {"axis": 2})]
