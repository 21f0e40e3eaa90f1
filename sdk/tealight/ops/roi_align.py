# SPDX-License-Identifier: Apache-2.0
"""RoiAlign: pools boxes of an image to a fixed size (ONNX RoiAlign-16), channels-last."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tealight.ir.types import DType, TensorType
from tealight.ops._registry import Case, OpDef, register


@register
class RoiAlign(OpDef):
    """y[r,i,j,c] = mean (or max) of bilinear samples in cell (i, j) of box r.

    x [n, h, w, c] float32, rois [r, 4] float32 (x1, y1, x2, y2), batch_indices [r] int64 (an index outside [0, n)
    gives zeros). Boxes are multiplied by spatial_scale; half_pixel shifts them by -0.5, without it a box is at least
    1 x 1. A cell has sampling_ratio^2 samples, or ceil(size of the cell)^2, at most 1024^2, when it is 0. Samples
    more than one pixel outside are 0. The max is that of the single weighted taps, as ONNX defines it.
    """

    name = "roi_align"
    inputs = ("x", "rois", "batch_indices")
    defaults = {
        "is_max": False, "output_height": 1, "output_width": 1, "sampling_ratio": 0, "spatial_scale": 1.0,
        "half_pixel": True,
    }  # fmt: skip

    def infer(self, *inputs: TensorType | None, **attrs: Any) -> TensorType:
        """Returns [r, output_height, output_width, c]."""
        x, rois, batch = inputs
        assert x is not None and rois is not None and batch is not None
        if x.dtype is not DType.FLOAT32 or rois.dtype is not DType.FLOAT32 or batch.dtype is not DType.INT64:
            found = f"{x.dtype.label}, {rois.dtype.label}, {batch.dtype.label}"
            raise self.error("dtypes", found=found, expected="float32, float32, int64")
        if x.rank != 4 or rois.rank != 2 or batch.rank != 1 or rois.shape[1] not in (4,):
            raise self.error("operands", found=f"{x}, {rois}, {batch}", expected="[n, h, w, c], [r, 4], [r]")
        for key, low in (("output_height", 1), ("output_width", 1), ("sampling_ratio", 0)):
            if attrs[key] < low:
                raise self.error(key, found=attrs[key], expected=f"at least {low}")
        count = rois.shape[0] if isinstance(rois.shape[0], int) else batch.shape[0]
        return TensorType(x.dtype, (count, attrs["output_height"], attrs["output_width"], x.shape[3]))

    def reference(self, *inputs: np.ndarray | None, **attrs: Any) -> np.ndarray:
        """Sample after sample, in float64."""
        x, rois, batch = inputs
        assert x is not None and rois is not None and batch is not None
        oh, ow, ratio = attrs["output_height"], attrs["output_width"], attrs["sampling_ratio"]
        y = np.zeros((len(rois), oh, ow, x.shape[3]))
        for r, (box, b) in enumerate(zip(rois.astype(np.float64), batch, strict=True)):
            if not 0 <= b < len(x):
                continue
            x1, y1, x2, y2 = box * attrs["spatial_scale"] - (0.5 if attrs["half_pixel"] else 0.0)
            rw, rh = x2 - x1, y2 - y1
            if not attrs["half_pixel"]:
                rw, rh = max(rw, 1.0), max(rh, 1.0)
            gy, gx = (ratio or min(max(math.ceil(s / o), 0), 1024) for s, o in ((rh, oh), (rw, ow)))
            for i in range(oh):
                for j in range(ow):
                    samples = [
                        self._taps(x[b], y1 + (i + (p + 0.5) / gy) * rh / oh, x1 + (j + (q + 0.5) / gx) * rw / ow)
                        for p in range(gy)
                        for q in range(gx)
                    ]
                    if samples and attrs["is_max"]:
                        y[r, i, j] = np.max(samples, (0, 1))
                    elif samples:
                        y[r, i, j] = np.sum(samples, (0, 1)) / len(samples)
        return y.astype(np.float32)

    @staticmethod
    def _taps(image: np.ndarray, y: float, x: float) -> np.ndarray:
        h, w, c = image.shape
        if y < -1 or y > h or x < -1 or x > w:
            return np.zeros((4, c))
        y, x = max(y, 0.0), max(x, 0.0)
        iy, ix = min(int(y), h - 1), min(int(x), w - 1)
        jy, jx = min(iy + 1, h - 1), min(ix + 1, w - 1)
        fy, fx = (0.0 if iy == h - 1 else y - iy), (0.0 if ix == w - 1 else x - ix)
        corners = ((iy, ix, (1 - fy) * (1 - fx)), (iy, jx, (1 - fy) * fx), (jy, ix, fy * (1 - fx)), (jy, jx, fy * fx))
        return np.stack([np.float64(k) * image[a, b] for a, b, k in corners])

    def cases(self) -> list[Case]:
        """Both pools, adaptive and fixed sampling, boxes outside, inverted and empty ones."""
        rois = np.array(
            [[0, 0, 5, 4], [1.3, 2.2, 6.9, 7.7], [-3, -2, 4, 5], [6, 5, 20, 30], [3, 3, 3, 3], [5, 5, 2, 1]]
        )
        boxes, batch = rois.astype(np.float32), np.array([0, 1, 0, 1, 0, 1])
        size = {"output_height": 3, "output_width": 2}
        inputs: list[Any] = [(2, 9, 8, 21), boxes, batch]
        return [
            Case(inputs, {**size, "sampling_ratio": 2}, rtol=1e-4, atol=1e-4),
            Case(inputs, {**size, "half_pixel": False, "spatial_scale": 0.77}, rtol=1e-4, atol=1e-4),
            Case(inputs, {**size, "is_max": True, "sampling_ratio": 3}, rtol=1e-4, atol=1e-4),
            Case([(2, 9, 8, 3), boxes, np.array([0, 1, 2, -1, 0, 1])], {"sampling_ratio": 1}, rtol=1e-4, atol=1e-4),
            Case([(1, 4, 4, 3), boxes[:0], batch[:0]], size),
        ]
