# SPDX-License-Identifier: Apache-2.0
"""LpNormalize: x over its L1 or L2 norm along an axis (ONNX LpNormalization-22)."""

from __future__ import annotations

from typing import Any

import numpy as np

from tealight.ir.types import DType, TensorType
from tealight.ops._registry import Case, OpDef, register


@register
class LpNormalize(OpDef):
    """y = x / norm_p(x) along `axis`, 0 where the norm is 0; p is 1 or 2; x float32."""

    name = "lp_normalize"
    inputs = ("x",)
    defaults = {"axis": -1, "p": 2}
    in_place = True

    def infer(self, *inputs: TensorType | None, **attrs: Any) -> TensorType:
        """Returns the type of x."""
        (x,) = inputs
        assert x is not None
        if x.dtype is not DType.FLOAT32:
            raise self.error("x", found=x.dtype.label, expected="float32")
        self.normal_axis(attrs["axis"], x.rank)
        if attrs["p"] not in (1, 2):
            raise self.error("p", found=attrs["p"], expected="1 or 2")
        return TensorType(x.dtype, x.shape)

    def reference(self, *inputs: np.ndarray | None, **attrs: Any) -> np.ndarray:
        """Computes in float64."""
        (x,) = inputs
        assert x is not None
        wide = x.astype(np.float64)
        size = np.abs(wide) if attrs["p"] == 1 else wide * wide
        norm = size.sum(axis=attrs["axis"], keepdims=True)
        norm = norm if attrs["p"] == 1 else np.sqrt(norm)
        with np.errstate(all="ignore"):
            return np.asarray(np.where(norm == 0, 0, wide / norm)).astype(np.float32)

    def cases(self) -> list[Case]:
        """Both norms, any axis, rows of zeros."""
        zeros = np.zeros((2, 5), np.float32)
        zeros[1] = 3
        shapes: list[tuple[tuple[int, ...], int]] = [((3, 37), -1), ((2, 5, 6), 1), ((4, 1), 0)]
        cases = [Case([shape], {"axis": axis, "p": p}) for shape, axis in shapes for p in (1, 2)]
        return [*cases, Case([zeros], {"p": 1}), Case([zeros], {"p": 2})]
