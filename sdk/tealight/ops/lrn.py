# SPDX-License-Identifier: Apache-2.0
"""Local response normalisation across channels, channels-last (ONNX LRN-13)."""

from __future__ import annotations

from typing import Any

import numpy as np

from tealight.ir.types import DType, TensorType
from tealight.ops._registry import Case, OpDef, register


@register
class Lrn(OpDef):
    """y[c] = x[c] / (bias + alpha / size * s)^beta, s = sum of x^2 over the `size` channels around c.

    The window is [c - floor((size - 1) / 2), c + ceil((size - 1) / 2)], cut at the ends; x float32.
    """

    name = "lrn"
    inputs = ("x",)
    required = ("size",)
    defaults = {"alpha": 1e-4, "beta": 0.75, "bias": 1.0}

    def infer(self, *inputs: TensorType | None, **attrs: Any) -> TensorType:
        """Returns the type of x."""
        (x,) = inputs
        assert x is not None
        if x.dtype is not DType.FLOAT32 or x.rank < 1:
            raise self.error("x", found=x, expected="float32 [..., c]")
        if attrs["size"] < 1:
            raise self.error("size", found=attrs["size"], expected="at least 1")
        return TensorType(x.dtype, x.shape)

    def reference(self, *inputs: np.ndarray | None, **attrs: Any) -> np.ndarray:
        """Computes in float64."""
        (x,) = inputs
        assert x is not None
        size, c = attrs["size"], x.shape[-1]
        square = x.astype(np.float64) ** 2
        total = np.zeros_like(square)
        for i in range(c):
            total[..., i] = square[..., max(0, i - (size - 1) // 2) : min(c, i + size // 2 + 1)].sum(axis=-1)
        return np.asarray(x / (attrs["bias"] + attrs["alpha"] / size * total) ** attrs["beta"]).astype(np.float32)

    def cases(self) -> list[Case]:
        """Odd and even windows, wider than the channels, beta 0.5 and 0.75."""
        return [
            Case([(1, 4, 5, 23)], {"size": 5, "alpha": 1e-2}),
            Case([(2, 3, 16)], {"size": 4, "alpha": 0.5, "beta": 0.5, "bias": 2.0}),
            Case([(3, 5)], {"size": 9, "alpha": 1.0}),
            Case([(2, 2, 2, 1)], {"size": 1}),
        ]
