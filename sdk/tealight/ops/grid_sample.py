# SPDX-License-Identifier: Apache-2.0
"""GridSample: samples an image at given places (ONNX GridSample-20, images only), channels-last."""

from __future__ import annotations

from typing import Any

import numpy as np

from tealight.ir.types import DType, TensorType
from tealight.ops._registry import Case, OpDef, register

_A = -0.75  # of the cubic, as ONNX fixes it


def _reflect(x: np.ndarray, low: float, high: float) -> np.ndarray:
    span = high - low
    if span <= 0:
        return np.full_like(x, low)
    x = np.abs(x - low)
    turns = np.floor(x / span)
    rest = x - turns * span
    return np.where(turns % 2 == 0, rest + low, high - rest)


@register
class GridSample(OpDef):
    """y[n,i,j,c] = x sampled at grid[n,i,j] = (horizontal, vertical), -1 and 1 being the edges of the image.

    x [n, h, w, c] float32, grid [n, oh, ow, 2] float32. align_corners: the edges are the centres of the outer
    pixels, else their outer sides. padding: 0 zeros, 1 border, 2 reflection; it applies to each tap, and for nearest
    and linear to the coordinate itself. Nearest rounds half to even. A coordinate that is not finite reads as -1.
    """

    name = "grid_sample"
    inputs = ("x", "grid")
    defaults = {"mode": "linear", "padding": 0, "align_corners": False}

    def infer(self, *inputs: TensorType | None, **attrs: Any) -> TensorType:
        """Returns [n, oh, ow, c]."""
        x, grid = inputs
        assert x is not None and grid is not None
        if x.dtype is not DType.FLOAT32 or grid.dtype is not DType.FLOAT32:
            raise self.error("dtype", found=f"{x.dtype.label} and {grid.dtype.label}", expected="float32")
        if x.rank != 4:
            raise self.error("x", found=x, expected="[n, h, w, c]")
        if grid.rank != 4 or (isinstance(grid.shape[3], int) and grid.shape[3] != 2):
            raise self.error("grid", found=grid, expected="[n, oh, ow, 2]")
        if all(isinstance(t.shape[0], int) for t in (x, grid)) and x.shape[0] != grid.shape[0]:
            raise self.error("grid", found=grid, expected=f"{x.shape[0]} as its first dim")
        if attrs["mode"] not in ("nearest", "linear", "cubic") or attrs["padding"] not in (0, 1, 2):
            raise self.error("mode", found=(attrs["mode"], attrs["padding"]), expected="a known mode and padding")
        return TensorType(x.dtype, (x.shape[0], grid.shape[1], grid.shape[2], x.shape[3]))

    def reference(self, *inputs: np.ndarray | None, **attrs: Any) -> np.ndarray:
        """Float64 coordinates and weights."""
        x, grid = inputs
        assert x is not None and grid is not None
        n, h, w, _ = x.shape
        align, padding, mode = attrs["align_corners"], attrs["padding"], attrs["mode"]
        sizes = (w, h)
        batch = np.arange(n)[:, None, None]

        def place(g: np.ndarray, size: int) -> np.ndarray:
            g = np.where(np.isfinite(g), g, -1.0).astype(np.float64)
            at = (g + 1) / 2 * (size - 1) if align else ((g + 1) * size - 1) / 2
            return at if mode == "cubic" else fold(at, size)

        def fold(at: np.ndarray, size: int) -> np.ndarray:
            if padding == 2:
                at = _reflect(at, 0.0, size - 1.0) if align else _reflect(at, -0.5, size - 0.5)
            return np.clip(at, 0, size - 1) if padding else at

        def pixel(px: np.ndarray, py: np.ndarray) -> np.ndarray:
            px, py = fold(px, w), fold(py, h)
            inside = (px >= 0) & (px < w) & (py >= 0) & (py < h)
            ix, iy = (np.where(inside, p, 0).astype(np.int64) for p in (px, py))
            return np.where(inside[..., None], x[batch, iy, ix], 0.0).astype(np.float64)

        ax, ay = (place(grid[..., i], sizes[i]) for i in (0, 1))
        if mode == "nearest":
            return pixel(np.rint(ax), np.rint(ay)).astype(np.float32)
        fx, fy = np.floor(ax), np.floor(ay)
        taps = (0, 1) if mode == "linear" else (-1, 0, 1, 2)

        def weight(t: np.ndarray) -> np.ndarray:
            t = np.abs(t)
            if mode == "linear":
                return 1 - t
            near = ((_A + 2) * t - (_A + 3)) * t * t + 1
            return np.asarray(np.where(t <= 1, near, ((_A * t - 5 * _A) * t + 8 * _A) * t - 4 * _A))

        y = np.zeros((*grid.shape[:3], x.shape[3]))
        for i in taps:
            for j in taps:
                k = weight(fy + i - ay) * weight(fx + j - ax)
                y += k[..., None] * pixel(fx + j, fy + i)
        return y.astype(np.float32)

    def cases(self) -> list[Case]:
        """Every mode with every padding, places far outside, one-pixel images."""
        rng = np.random.default_rng(8)
        grid = rng.uniform(-1.6, 1.6, (2, 5, 7, 2)).astype(np.float32)
        grid[0, 0, :4] = [[-1, -1], [1, 1], [0, 0], [-30, 40]]
        cases = [
            Case(
                [(2, 6, 9, 19), grid],
                {"mode": mode, "padding": padding, "align_corners": align},
                rtol=1e-3,
                atol=1e-4,
                why="coordinates are float32, up to 100 pixels outside: 4e-6 of a pixel",
            )
            for mode in ("nearest", "linear", "cubic")
            for padding in (0, 1, 2)
            for align in (False, True)
        ]
        odd = grid.copy()
        odd[1, 1, :3] = [[np.nan, 0], [np.inf, 0], [0, -np.inf]]
        cases.append(Case([(2, 5, 4, 3), odd], {"padding": 1}, rtol=1e-3, atol=1e-4))
        cases.append(Case([(2, 1, 1, 4), grid], {"padding": 2}, rtol=1e-3, atol=1e-4))
        cases.append(Case([(2, 1, 1, 4), grid], {"padding": 2, "align_corners": True}, rtol=1e-3, atol=1e-4))
        return cases
