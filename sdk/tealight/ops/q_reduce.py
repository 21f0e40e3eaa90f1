# SPDX-License-Identifier: Apache-2.0
"""QReduce: mean and sum of int8 along some axes."""

from __future__ import annotations

from typing import Any

import numpy as np

from tealight.ir.types import DType, TensorType
from tealight.ops._quantized import case_int8, check_int8, check_output, requantize
from tealight.ops._registry import Case, OpDef, register
from tealight.ops.reduce import normal_axes, reduced_shape
from tealight.quant import numerics


def _scale(kind: str, scale: float) -> float:
    return scale if kind == "mean" else float(numerics.odd_scale(scale))


@register
class QReduce(OpDef):
    """y = requantize(sum of (x - x_zero_point) along `axes`, scale of the kind).

    x int8, axes int64 [r] (absent = all). kind sum: `scale`; mean: scale_of_mean(scale, elements that are summed).
    scale: x's scale over y's; means are always wide. The sum is int32 and wraps around.
    """

    name = "q_reduce"
    inputs = ("x", "axes?")
    required = ("kind", "scale")
    defaults = {"keepdims": True, "x_zero_point": 0, "output": None}
    host_inputs = ("axes",)

    def infer(self, *inputs: TensorType | None, **attrs: Any) -> TensorType:
        """Returns int8 with the axes gone, or 1 with keepdims."""
        x, axes = (*inputs, None)[:2]
        assert x is not None
        check_int8(self.error, x_zero_point=attrs["x_zero_point"])
        check_output(self.error, attrs["output"])
        if attrs["kind"] not in ("sum", "mean"):
            raise self.error("kind", found=repr(attrs["kind"]), expected="sum or mean")
        if x.dtype is not DType.INT8:
            raise self.error("x", found=x.dtype.label, expected="int8")
        return TensorType(x.dtype, reduced_shape(self.error, x, axes, bool(attrs["keepdims"])))

    def reference(self, *inputs: np.ndarray | None, **attrs: Any) -> np.ndarray:
        """Sums integers."""
        x, axes = (*inputs, None)[:2]
        assert x is not None
        chosen = normal_axes(None if axes is None else axes.reshape(-1), x.ndim)
        assert chosen is not None
        centered = x.astype(np.int64) - attrs["x_zero_point"]
        total = centered.sum(axis=chosen, keepdims=bool(attrs["keepdims"])).astype(np.int32)
        scale, output = np.asarray(attrs["scale"], np.float32), attrs["output"]
        if attrs["kind"] == "mean":
            output = {**(output or {}), "wide": True}
            scale = numerics.scale_of_mean(attrs["scale"], int(np.prod([x.shape[a] for a in chosen], dtype=np.int64)))
        return requantize(total, scale, output)

    def cases(self) -> list[Case]:
        """Last axes with tails, spatial axes, all axes, middle and scattered ones, empty ones, extremes."""
        rng = np.random.default_rng(6)

        def case(shape: tuple[int, ...], kind: str, axes: list[int] | None, keep: bool = True, **attrs: Any) -> Case:
            x = case_int8(rng, shape)
            if attrs.pop("extreme", False):
                x = np.where(x < 0, -128, 127).astype(np.int8)
            operands = [x] if axes is None else [x, np.array(axes, np.int64)]
            values = {
                "kind": kind, "keepdims": keep, "x_zero_point": int(rng.integers(-128, 128)),
                "scale": _scale(kind, attrs.pop("scale", 0.03 if kind == "sum" else 1.3)),
                "output": {"zero_point": int(rng.integers(-50, 50)), **attrs},
            }  # fmt: skip
            constants = () if axes is None else (1,)
            return Case(operands, values, constants, rtol=0.0, atol=0.0, why="integers are exact")

        return [
            case((3, 5, 37), "mean", [-1]),
            case((3, 5, 137), "sum", [2], False),
            case((2, 7, 7, 35), "mean", [1, 2]),
            case((1, 7, 7, 320), "mean", [1, 2], False, lo=-100, hi=90),
            case((1, 14, 14, 70), "sum", [1, 2], scale=0.002),
            case((1, 7, 7, 96), "mean", [1, 2], extreme=True, scale=1.0),
            case((1, 8, 8, 96), "mean", [1, 2], scale=1.0),  # ties
            case((2, 3, 4, 5), "sum", [0, 2], False),
            case((2, 3, 4, 5), "mean", [0, 1, 3]),
            case((5, 6), "mean", None),
            case((5, 6), "sum", None, False),
            case((), "sum", None, False),
            case((2, 0), "mean", [1]),
            case((0, 3), "mean", [1]),
            case((1, 1, 300), "mean", [0, 1]),
            case((3, 4, 1), "sum", [-1], scale=0.7),
            case((1, 40, 1000), "mean", [1], wide=True, scale=1e5),
        ]
