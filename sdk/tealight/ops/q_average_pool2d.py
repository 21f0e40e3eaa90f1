# SPDX-License-Identifier: Apache-2.0
"""QAveragePool2d: the int8 form of average_pool2d, channels-last."""

from __future__ import annotations

from typing import Any

import numpy as np

from tealight.ir.types import DType, TensorType
from tealight.ops._quantized import case_int8, check_int8, check_output, requantize
from tealight.ops._registry import Case, OpDef, register
from tealight.ops._window import check_window, output_hw, windows
from tealight.quant import numerics


@register
class QAveragePool2d(OpDef):
    """y[n,i,j,c] = requantize(sum of the window's (x - x_zero_point), scale_of_mean(scale, count)).

    x int8 [n, h, w, c]; taps in the padding add nothing; count as in average_pool2d. scale: x's scale over y's;
    means are always wide. The sum is exact; a window without a counted tap gives y's zero point.
    """

    name = "q_average_pool2d"
    inputs = ("x",)
    required = ("kernel_shape", "scale")
    defaults = {
        "strides": [1, 1], "pads": [0, 0, 0, 0], "dilations": [1, 1], "ceil_mode": False, "count_include_pad": False,
        "x_zero_point": 0, "output": None,
    }  # fmt: skip

    def infer(self, *inputs: TensorType | None, **attrs: Any) -> TensorType:
        """Returns x with the window's h and w."""
        (x,) = inputs
        assert x is not None
        check_window(self.error, attrs)
        check_int8(self.error, x_zero_point=attrs["x_zero_point"])
        check_output(self.error, attrs["output"])
        if x.dtype is not DType.INT8:
            raise self.error("x", found=x.dtype.label, expected="int8")
        if x.rank != 4:
            raise self.error("x", found=x, expected="[n, h, w, c]")
        oh, ow = output_hw(x.shape[1], x.shape[2], attrs)
        if any(isinstance(d, int) and d < 1 for d in (oh, ow)):
            raise self.error("x", found=x, expected="room for one window")
        return TensorType(DType.INT8, (x.shape[0], oh, ow, x.shape[3]))

    def reference(self, *inputs: np.ndarray | None, **attrs: Any) -> np.ndarray:
        """Sums and counts integers."""
        (x,) = inputs
        assert x is not None
        top, left, bottom, right = attrs["pads"]
        inside = np.ones((1, *x.shape[1:3], 1), np.int64)
        area = attrs
        if attrs["count_include_pad"]:
            inside = np.ones((1, x.shape[1] + top + bottom, x.shape[2] + left + right, 1), np.int64)
            area = {**attrs, "pads": [0, 0, 0, 0]}
        total: Any = sum(t for row in windows(x.astype(np.int64) - attrs["x_zero_point"], attrs, 0) for t in row)
        count: Any = sum(t for row in windows(inside, {**area, "ceil_mode": True}, 0) for t in row)
        oh, ow = total.shape[1:3]
        scale = numerics.scale_of_mean(attrs["scale"], count[:, :oh, :ow])
        return requantize(total, scale, {**(attrs["output"] or {}), "wide": True})

    def cases(self) -> list[Case]:
        """Both ways to count, ceil_mode, dilation, global windows, extremes."""
        rng = np.random.default_rng(4)

        def case(shape: tuple[int, ...], kernel: list[int], scale: float = 0.9, **attrs: Any) -> Case:
            x = case_int8(rng, shape)
            if attrs.pop("extreme", False):
                x = np.where(x < 0, -128, 127).astype(np.int8)
            attrs.setdefault("output", {"zero_point": int(rng.integers(-50, 50))})
            values = {"x_zero_point": int(rng.integers(-128, 128)), "scale": scale, **attrs}
            return Case([x], {"kernel_shape": kernel, **values}, rtol=0.0, atol=0.0, why="integers are exact")

        k2, k3 = [2, 2], [3, 3]
        return [
            case((1, 8, 8, 16), k2, strides=k2),
            case((1, 8, 8, 16), k2, 1.0, strides=k2),  # ties
            case((2, 11, 13, 19), k3, strides=[2, 2], pads=[1, 1, 1, 1]),
            case((1, 11, 13, 67), k3, pads=[1, 1, 1, 1], count_include_pad=True),
            case((1, 12, 12, 9), k3, strides=[2, 2], ceil_mode=True),
            case((1, 2, 3, 19), [9, 4], strides=[9, 4], ceil_mode=True),
            case((1, 11, 12, 9), k3, strides=[3, 2], pads=[1, 0, 1, 1], ceil_mode=True, count_include_pad=True),
            case((1, 7, 7, 331), [7, 7], 1.7, output={"zero_point": -9, "lo": -100, "hi": 99}),
            case((1, 7, 7, 64), [7, 7], 1.0, extreme=True),
            case((1, 1, 50, 6), [1, 5], strides=[1, 2], pads=[0, 2, 0, 2]),
            case((1, 9, 9, 7), k3, dilations=[2, 3], pads=[1, 2, 1, 2]),
            case((1, 9, 9, 40), k3, 3e6, output={"zero_point": 3, "wide": True}),
            case((1, 3, 0, 4), [1, 1], pads=[0, 0, 0, 1], count_include_pad=True),
            case((0, 4, 4, 3), k2),
        ]
