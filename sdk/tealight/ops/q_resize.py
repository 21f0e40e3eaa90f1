# SPDX-License-Identifier: Apache-2.0
"""QResize: linear and cubic resize of int8 with integer weights, any rank."""

from __future__ import annotations

from typing import Any

import numpy as np

from tealight.ir.types import DType, TensorType
from tealight.ops._quantized import case_int8
from tealight.ops._registry import Case, OpDef, register
from tealight.ops._window import normal_axes
from tealight.ops.resize import Resize, source_coordinates, tap_weights


def integer_weights(weights: np.ndarray, bits: int) -> np.ndarray:
    """Returns float32 weights [out, taps] times 2^bits, rounded; each row sums to 2^bits.

    What rounding left over goes to the first of the largest of a row. A weight is at most 32767 in size; NaN is 0.
    """
    scaled = np.nan_to_num(np.asarray(weights, np.float32) * np.float32(1 << bits), nan=0.0)
    result = np.clip(np.rint(scaled), -32767, 32767).astype(np.int64)
    rows = np.arange(len(result))
    result[rows, result.argmax(axis=1)] += (1 << bits) - result.sum(axis=1)
    return np.asarray(result)


@register
class QResize(OpDef):
    """y = saturate((sum over taps of x * weights + half) >> shift), all in integers; y has x's quantization.

    Operands, coordinates and weights as in resize (linear and cubic, no crops). With k axes that change a weight has
    14, 11, 7 or 22 / k fractional bits (k = 1, 2, 3, more) and shift = k times as many; sums are int32, not rounded
    between axes, half = 2^(shift - 1): halves round up. Weights of an element sum to 1, so constants stay.
    """

    name = "q_resize"
    inputs = ("x", "roi?", "scales?", "sizes?")
    required = ("mode",)
    defaults = {
        "coordinate_mode": "half_pixel", "cubic_coeff_a": -0.75, "exclude_outside": False, "antialias": False,
        "axes": [], "keep_aspect_ratio": 0,
    }  # fmt: skip
    host_inputs = ("roi", "scales", "sizes")

    def infer(self, *inputs: TensorType | None, **attrs: Any) -> TensorType:
        """Returns x with the resized dims; unknown where scales or sizes are."""
        x, roi, scales, sizes = (*inputs, None, None, None)[:4]
        assert x is not None
        if x.dtype is not DType.INT8:
            raise self.error("x", found=x.dtype.label, expected="int8")
        if attrs["mode"] not in ("linear", "cubic") or attrs["coordinate_mode"] == "tf_crop_and_resize":
            raise self.error("mode", found=f"{attrs['mode']}, {attrs['coordinate_mode']}", expected="linear or cubic")
        y = Resize().infer(TensorType(DType.FLOAT32, x.shape), roi, scales, sizes, **{**Resize.defaults, **attrs})
        return TensorType(DType.INT8, y.shape)

    def reference(self, *inputs: np.ndarray | None, **attrs: Any) -> np.ndarray:
        """One axis after another, in integers."""
        x, _, scales, sizes = (*inputs, None, None, None)[:4]
        assert x is not None
        axes = normal_axes(attrs["axes"] or range(x.ndim), x.ndim) or []
        dims, ratios = Resize().plan([x.shape[d] for d in axes], scales, sizes, attrs)
        steps = [s for s in zip(axes, dims, ratios, strict=True) if x.shape[s[0]] != s[1] or s[2] != 1.0]
        if not steps:
            return x.copy()
        bits = {1: 14, 2: 11, 3: 7}.get(len(steps), 22 // len(steps))
        y = x.astype(np.int64)
        for axis, out, ratio in steps:
            size = x.shape[axis]
            at = source_coordinates(size, out, ratio, attrs["coordinate_mode"], (0.0, 1.0))
            first, weights = tap_weights(
                at, size, ratio, attrs["mode"], attrs["cubic_coeff_a"], attrs["exclude_outside"], attrs["antialias"]
            )
            index = np.clip(first[:, None] + np.arange(weights.shape[1]), 0, size - 1)
            moved = np.moveaxis(y, axis, -1)[..., index]
            y = np.moveaxis((moved * integer_weights(weights, bits)).sum(-1), -1, axis)
        shift = bits * len(steps)
        sums = (y + (1 << (shift - 1))).astype(np.int32)
        return np.array(np.clip(sums >> shift, -128, 127), np.int8, order="C")

    def cases(self) -> list[Case]:
        """Both modes, integer and odd factors both ways, antialias, other ranks, constants and extremes."""
        rng = np.random.default_rng(9)

        def by(x: Any, scales: list[float] | None = None, sizes: list[int] | None = None, **attrs: Any) -> Case:
            operands = [None if v is None else np.array(v, t) for v, t in ((scales, np.float32), (sizes, np.int64))]
            x = case_int8(rng, x) if isinstance(x, tuple) else x
            constants = tuple(i + 2 for i, v in enumerate(operands) if v is not None)
            values = {"mode": "linear", **attrs}
            return Case([x, None, *operands], values, constants, rtol=0.0, atol=0.0, why="integers are exact")

        image = (1, 7, 9, 19)
        hw: dict[str, Any] = {"axes": [1, 2]}
        extreme = np.where(rng.random((1, 6, 6, 33)) < 0.5, -128, 127).astype(np.int8)
        corners: dict[str, Any] = {"coordinate_mode": "align_corners"}
        return [
            by(image, [2, 2], **hw),
            by((2, 8, 8, 64), [1, 2, 2, 1]),
            by((1, 5, 6, 67), [1, 2, 2, 1], **corners),
            by(image, sizes=[1, 4, 5, 19], coordinate_mode="pytorch_half_pixel"),
            by((1, 19, 7, 9), sizes=[1, 19, 12, 20]),
            by(image, sizes=[11, 5], mode="cubic", **hw),
            by(extreme, [2, 3], mode="cubic", **hw),
            by(extreme, [2, 2], **hw),
            by(np.full((1, 4, 5, 20), -77, np.int8), [2.3, 1.7], mode="cubic", **hw),
            by(image, [0.6, 0.7], mode="cubic", exclude_outside=True, cubic_coeff_a=-0.5, **hw),
            by(image, [0.6, 0.4], antialias=True, **hw),
            by(image, [0.6, 1.7], mode="cubic", antialias=True, **hw),
            by((4, 6), [1.5, 0.5], coordinate_mode="half_pixel_symmetric"),
            by((3, 11), sizes=[1, 1], **corners),
            by((2, 3, 4, 5), [1.5, 2, 0.5, 2]),
            by((2, 3, 4, 2, 3), [1, 2, 2, 2, 1]),
            by((17,), [0.37]),
            by((2, 5, 40), sizes=[2, 8, 40], mode="cubic", coordinate_mode="asymmetric"),
            by((1, 6, 8, 3), sizes=[7, 8], keep_aspect_ratio=1, **hw),
            by((1, 1, 1, 7), [3, 4], **hw),
            by((0, 3, 3, 2), [2, 2], **hw),
            by((1, 4, 4, 2), [1, 1], **hw),
        ]  # fmt: skip
