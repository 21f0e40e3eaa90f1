# SPDX-License-Identifier: Apache-2.0
"""DynamicQuantize: float32 to uint8 with the scale and zero point of its own range (ONNX DynamicQuantizeLinear-11)."""

from __future__ import annotations

from typing import Any

import numpy as np

from tealight.ir.types import DType, TensorType
from tealight.ops._registry import Case, OpDef, register
from tealight.quant import numerics


@register
class DynamicQuantize(OpDef):
    """y = quantize(x) as uint8, scale float32 [], zero_point uint8 [] of numerics.dynamic_params(x)."""

    name = "dynamic_quantize"
    inputs = ("x",)
    outputs = ("y", "scale", "zero_point")

    def infer(self, *inputs: TensorType | None, **attrs: Any) -> list[TensorType]:
        """Returns the three types."""
        (x,) = inputs
        assert x is not None
        if x.dtype is not DType.FLOAT32:
            raise self.error("x", found=x.dtype.label, expected="float32")
        return [TensorType(DType.UINT8, x.shape), TensorType(DType.FLOAT32, ()), TensorType(DType.UINT8, ())]

    def reference(self, *inputs: np.ndarray | None, **attrs: Any) -> list[np.ndarray]:
        """Exact."""
        (x,) = inputs
        assert x is not None
        scale, zero_point = numerics.dynamic_params(x)
        y = numerics.quantize(x, np.array(scale), zero_point, DType.UINT8)
        return [y, np.array(scale, np.float32), np.array(zero_point, np.uint8)]

    def cases(self) -> list[Case]:
        """Both signs, one sign, zeros, tails, several threads' parts, special values."""
        rng = np.random.default_rng(43)
        exact: dict[str, Any] = {"rtol": 0.0, "atol": 0.0, "why": "single float32 operations", "outputs": 3}
        normal = rng.standard_normal(517).astype(np.float32)
        special = [
            [np.nan, 1, -2],
            [np.inf, 1, 0],
            [-np.inf, 1],
            [np.inf, -np.inf, 3],
            [1e-45],
            [3e38, -3e38],
            [0, -0.0],
        ]
        arrays = [normal, np.abs(normal), -np.abs(normal), normal[:1], np.zeros((2, 3), np.float32), normal[:0]]
        arrays += [np.array(v, np.float32) for v in special]
        arrays += [rng.standard_normal(s).astype(np.float32) for s in ((3, 4, 70), (70001,), ())]
        return [Case([x], **exact) for x in arrays]
