# SPDX-License-Identifier: Apache-2.0
"""AveragePool2d: the mean of each window (ONNX AveragePool), channels-last."""

from __future__ import annotations

from typing import Any

import numpy as np

from tealight.ir.types import DType, TensorType
from tealight.ops._registry import Case, OpDef, register
from tealight.ops._window import check_window, output_hw, windows


@register
class AveragePool2d(OpDef):
    """y[n,i,j,c] = (sum of the window's taps in row-major order, from +0) / count.

    x [n, h, w, c] float32. Taps in the padding add nothing. count is the number of taps inside x, or with
    count_include_pad inside x and its padding; what ceil_mode hangs over the end is never counted. A window without
    a counted tap gives 0 / 0.
    """

    name = "average_pool2d"
    inputs = ("x",)
    required = ("kernel_shape",)
    defaults = {
        "strides": [1, 1], "pads": [0, 0, 0, 0], "dilations": [1, 1], "ceil_mode": False, "count_include_pad": False
    }  # fmt: skip

    def infer(self, *inputs: TensorType | None, **attrs: Any) -> TensorType:
        """Returns x with the window's h and w."""
        (x,) = inputs
        assert x is not None
        check_window(self.error, attrs)
        if x.dtype is not DType.FLOAT32:
            raise self.error("x", found=x.dtype.label, expected="float32")
        if x.rank != 4:
            raise self.error("x", found=x, expected="[n, h, w, c]")
        oh, ow = output_hw(x.shape[1], x.shape[2], attrs)
        if any(isinstance(d, int) and d < 1 for d in (oh, ow)):
            raise self.error("x", found=x, expected="room for one window")
        return TensorType(x.dtype, (x.shape[0], oh, ow, x.shape[3]))

    def reference(self, *inputs: np.ndarray | None, **attrs: Any) -> np.ndarray:
        """Sums and counts in float64."""
        (x,) = inputs
        assert x is not None
        top, left, bottom, right = attrs["pads"]
        inside = np.ones((1, *x.shape[1:3], 1))
        area = attrs
        if attrs["count_include_pad"]:
            inside = np.ones((1, x.shape[1] + top + bottom, x.shape[2] + left + right, 1))
            area = {**attrs, "pads": [0, 0, 0, 0]}
        total = sum(t for row in windows(x.astype(np.float64), attrs, 0.0) for t in row)
        count = sum(t for row in windows(inside, {**area, "ceil_mode": True}, 0.0) for t in row)
        oh, ow = np.asarray(total).shape[1:3]
        with np.errstate(invalid="ignore"):
            return np.asarray(total / np.asarray(count)[:, :oh, :ow], np.float32)

    def cases(self) -> list[Case]:
        """Both ways to count, ceil_mode, dilation, global windows, NaN and infinities."""
        special = np.random.default_rng(4).standard_normal((1, 7, 9, 21)).astype(np.float32)
        special[0, 3, 3, :4] = [np.nan, np.inf, -np.inf, -0.0]
        k2, k3 = [2, 2], [3, 3]
        return [
            Case([(1, 8, 8, 16)], {"kernel_shape": k2, "strides": k2}),
            Case([(2, 11, 13, 19)], {"kernel_shape": k3, "strides": [2, 2], "pads": [1, 1, 1, 1]}),
            Case([(1, 11, 13, 67)], {"kernel_shape": k3, "pads": [1, 1, 1, 1], "count_include_pad": True}),
            Case([(1, 12, 12, 9)], {"kernel_shape": k3, "strides": [2, 2], "ceil_mode": True}),
            Case([(1, 2, 3, 19)], {"kernel_shape": [9, 4], "strides": [9, 4], "ceil_mode": True}),
            Case([(1, 11, 12, 9)], {
                "kernel_shape": k3, "strides": [3, 2], "pads": [1, 0, 1, 1], "ceil_mode": True,
                "count_include_pad": True}),
            Case([(1, 7, 7, 131)], {"kernel_shape": [7, 7]}),
            Case([(1, 1, 50, 6)], {"kernel_shape": [1, 5], "strides": [1, 2], "pads": [0, 2, 0, 2]}),
            Case([(1, 9, 9, 7)], {"kernel_shape": k3, "dilations": [2, 3], "pads": [1, 2, 1, 2]}),
            Case([special], {"kernel_shape": k3, "pads": [1, 1, 1, 1]}),
            Case([(1, 3, 0, 4)], {"kernel_shape": [1, 1], "pads": [0, 0, 0, 1], "count_include_pad": True}),
            Case([(0, 4, 4, 3)], {"kernel_shape": k2}),
        ]  # fmt: skip
