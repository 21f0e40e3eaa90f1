# SPDX-License-Identifier: Apache-2.0
"""MaxPool2d: the largest element of each window (ONNX MaxPool), channels-last."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tealight.ir.types import DType, TensorType
from tealight.ops._registry import Case, OpDef, register
from tealight.ops._window import check_window, output_hw, windows

_DTYPES = (DType.FLOAT32, DType.FLOAT16, DType.INT8, DType.UINT8)


@register
class MaxPool2d(OpDef):
    """y[n,i,j,c] = the fold of max(a, b) = (b > a or b is NaN) ? b : a over the window's taps.

    x [n, h, w, c]; taps in the padding are left out; a window of padding only gives the lowest value. Taps are taken
    column by column (row by row when indices are asked for), which shows in the sign of a zero only.
    indices (int64, optional): for each element of y the position of its tap in x, flattened as it lies in memory:
    ((n * h + i) * w + j) * c + channel; -1 for a window of padding only. ONNX counts in [n, c, h, w] order:
    frontends convert.
    """

    name = "max_pool2d"
    inputs = ("x",)
    outputs = ("y", "indices?")
    required = ("kernel_shape",)
    defaults = {"strides": [1, 1], "pads": [0, 0, 0, 0], "dilations": [1, 1], "ceil_mode": False}

    def infer(self, *inputs: TensorType | None, **attrs: Any) -> Sequence[TensorType]:
        """Returns y like x with the window's h and w, and int64 indices of the same shape."""
        (x,) = inputs
        assert x is not None
        check_window(self.error, attrs)
        if x.dtype not in _DTYPES:
            raise self.error("x", found=x.dtype.label, expected=", ".join(d.label for d in _DTYPES))
        if x.rank != 4:
            raise self.error("x", found=x, expected="[n, h, w, c]")
        oh, ow = output_hw(x.shape[1], x.shape[2], attrs)
        if any(isinstance(d, int) and d < 1 for d in (oh, ow)):
            raise self.error("x", found=x, expected="room for one window")
        shape = (x.shape[0], oh, ow, x.shape[3])
        return TensorType(x.dtype, shape), TensorType(DType.INT64, shape)

    def reference(self, *inputs: np.ndarray | None, **attrs: Any) -> Sequence[np.ndarray]:
        """Folds tap after tap, row by row."""
        (x,) = inputs
        assert x is not None
        lowest = -np.inf if np.issubdtype(x.dtype, np.floating) else np.iinfo(x.dtype).min
        position = np.arange(x.size, dtype=np.int64).reshape(x.shape)
        y = index = None
        taps = zip(windows(x, attrs, lowest), windows(position, attrs, -1), strict=True)
        for tap, place in ((t, p) for row in taps for t, p in zip(*row, strict=True)):
            if y is None or index is None:
                y, index = tap.copy(), place.copy()
                continue
            take = (place >= 0) & ((index < 0) | (tap > y) | np.isnan(tap))
            y, index = np.where(take, tap, y), np.where(take, place, index)
        assert y is not None and index is not None
        return y, index

    def cases(self) -> list[Case]:
        """The fast windows (2x2 s2, 3x3 s2, 5x5 s1), odd ones, NaN, every dtype."""
        rng = np.random.default_rng(3)
        special = rng.standard_normal((1, 7, 9, 21)).astype(np.float32)
        special[0, 3, 3, :5] = [np.nan, np.inf, -np.inf, -0.0, 0.0]
        special[0, 5:, :, 7] = -np.inf
        k2, k3, k5 = [2, 2], [3, 3], [5, 5]
        exact: dict[str, Any] = {"rtol": 0.0, "atol": 0.0, "why": "max rounds nothing"}
        return [
            Case([(1, 8, 8, 16)], {"kernel_shape": k2, "strides": k2}, **exact),
            Case([(2, 11, 13, 19)], {"kernel_shape": k3, "strides": [2, 2], "pads": [1, 1, 1, 1]}, **exact),
            Case([(1, 11, 13, 67)], {"kernel_shape": k3, "strides": [2, 2], "ceil_mode": True}, **exact),
            Case([(1, 2, 3, 19)], {"kernel_shape": [9, 4], "strides": [9, 4], "ceil_mode": True}, **exact),
            Case([(1, 10, 10, 33)], {"kernel_shape": k5, "pads": [2, 2, 2, 2]}, **exact),
            Case([(1, 3, 2, 5)], {"kernel_shape": [13, 13], "pads": [6, 6, 6, 6]}, **exact),
            Case([(1, 9, 9, 7)], {"kernel_shape": k3, "dilations": [2, 2], "pads": [2, 1, 0, 2]}, **exact),
            Case([(1, 1, 29, 3)], {"kernel_shape": [1, 4], "strides": [1, 3], "ceil_mode": True}, **exact),
            Case([special], {"kernel_shape": k3, "pads": [1, 1, 1, 1]}, **exact),
            Case([special], {"kernel_shape": k3, "pads": [1, 1, 1, 1]}, outputs=2, **exact),
            Case([(1, 5, 6, 18)], {"kernel_shape": k2, "strides": k2, "pads": [0, 1, 1, 0]}, outputs=2, **exact),
            Case(
                [rng.integers(-128, 128, (1, 9, 7, 37)).astype(np.int8)], {"kernel_shape": k3, "strides": k2}, **exact
            ),
            Case(
                [rng.integers(0, 256, (1, 9, 7, 70)).astype(np.uint8)], {"kernel_shape": k5, "pads": [2] * 4}, **exact
            ),
            Case(
                [rng.integers(-128, 128, (1, 8, 8, 133)).astype(np.int8)],
                {"kernel_shape": k3, "strides": k2, "pads": [1, 1, 1, 1]},
                **exact,
            ),
            Case(
                [rng.integers(-128, 0, (1, 6, 5, 11)).astype(np.int8)],
                {"kernel_shape": k3, "pads": [2, 2, 2, 2], "dilations": k2, "ceil_mode": True},
                **exact,
            ),
            Case([rng.integers(0, 256, (1, 6, 5, 3)).astype(np.uint8)], {"kernel_shape": k2}, outputs=2, **exact),
            Case([special.astype(np.float16)], {"kernel_shape": k3, "pads": [1, 1, 1, 1]}, **exact),
            Case([(0, 4, 4, 3)], {"kernel_shape": k2}, **exact),
            Case([(1, 4, 4, 0)], {"kernel_shape": k2}, **exact),
        ]
