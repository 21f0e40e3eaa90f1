# SPDX-License-Identifier: Apache-2.0
"""Resize: resamples a tensor along some axes (ONNX Resize-19), any rank."""

from __future__ import annotations

from typing import Any

import numpy as np

from tealight.ir.types import Dim, DType, TensorType
from tealight.ops._registry import Case, OpDef, register
from tealight.ops._window import derived_dim, fresh_dim, normal_axes

_MODES = ("nearest", "linear", "cubic")
_COORDINATES = (
    "half_pixel", "half_pixel_symmetric", "pytorch_half_pixel", "align_corners", "asymmetric",
    "tf_half_pixel_for_nn", "tf_crop_and_resize",
)  # fmt: skip
_NEAREST = ("round_prefer_floor", "round_prefer_ceil", "floor", "ceil")


def source_coordinates(size: int, out: int, scale: float, mode: str, roi: tuple[float, float]) -> np.ndarray:
    """Returns where each output index lies on the input axis (float64), as ONNX's coordinate modes say."""
    i = np.arange(out, dtype=np.float64)
    if mode == "align_corners":
        return np.zeros(out) if out == 1 else i * (size - 1) / (out - 1)
    if mode == "asymmetric":
        return i / scale
    if mode == "tf_half_pixel_for_nn":
        return (i + 0.5) / scale
    if mode == "tf_crop_and_resize":
        start, end = roi
        if out == 1:
            return np.full(out, 0.5 * (start + end) * (size - 1))
        return start * (size - 1) + i * (end - start) * (size - 1) / (out - 1)
    if mode == "pytorch_half_pixel" and out == 1:
        return np.zeros(out)
    x = (i + 0.5) / scale - 0.5
    if mode == "half_pixel_symmetric":
        adjustment = out / (scale * size)
        x = size / 2 * (1 - adjustment) + x
    return x


def nearest_indices(x: np.ndarray, mode: str) -> np.ndarray:
    """Rounds coordinates to indices, not yet clamped to the axis."""
    if mode == "round_prefer_floor":
        return np.ceil(x - 0.5)
    if mode == "round_prefer_ceil":
        return np.floor(x + 0.5)
    return np.asarray(np.floor(x) if mode == "floor" else np.ceil(x))


def _cubic(t: np.ndarray, a: float) -> np.ndarray:
    t = np.abs(t)
    near = ((a + 2) * t - (a + 3)) * t * t + 1
    far = ((a * t - 5 * a) * t + 8 * a) * t - 4 * a
    return np.where(t <= 1, near, np.where(t < 2, far, 0.0))


def tap_weights(
    x: np.ndarray, size: int, scale: float, mode: str, a: float, exclude_outside: bool, antialias: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Returns (index of the first tap, weights [out, taps]); taps outside the axis repeat its edge.

    The filter is a triangle of half-width 1 (linear) or the cubic of half-width 2, stretched by 1 / scale when
    antialias shrinks, and then divided by its sum.
    """
    stretch = min(scale, 1.0) if antialias else 1.0
    reach = 1 if mode == "linear" else 2
    before = int(np.floor(-reach / stretch) + 1)
    taps = 2 * (1 - before)
    first = np.floor(x) + before
    t = (first[:, None] + np.arange(taps) - x[:, None]) * stretch
    w = np.clip(1 - np.abs(t), 0, 1) if mode == "linear" else _cubic(t, a)
    if antialias:
        w = w / w.sum(1, keepdims=True)
    if exclude_outside:
        place = first[:, None] + np.arange(taps)
        w = np.where((place >= 0) & (place < size), w, 0.0)
        w = w / w.sum(1, keepdims=True)
    return first.astype(np.int64), w


def resized(size: int, scale: float) -> int:
    """Returns the size that a scale gives: a float32 product, as in ONNX's shape inference and ONNX Runtime."""
    return int(np.floor(np.float32(size) * np.float32(scale)))


@register
class Resize(OpDef):
    """y[o] = sum over taps of x[taps(o)] * weights(o), one axis after another; or the nearest element.

    x any rank; roi float32 [2k] (starts, then ends; tf_crop_and_resize only), and one of scales float32 [k] and
    sizes int64 [k], for `axes` (empty = all). Nearest moves any dtype; linear, cubic and crops are float32.
    Coordinates and weights are float64 computed as source_coordinates and tap_weights write them; weights are rounded
    to float32 and each axis sums its taps in float32 in ascending order. The scale of a size is size / input size.
    keep_aspect_ratio: 0 stretch, 1 not larger, 2 not smaller than sizes.
    """

    name = "resize"
    inputs = ("x", "roi?", "scales?", "sizes?")
    defaults = {
        "mode": "nearest", "coordinate_mode": "half_pixel", "nearest_mode": "round_prefer_floor",
        "cubic_coeff_a": -0.75, "exclude_outside": False, "extrapolation_value": 0.0, "antialias": False,
        "axes": [], "keep_aspect_ratio": 0,
    }  # fmt: skip
    host_inputs = ("roi", "scales", "sizes")

    def infer(self, *inputs: TensorType | None, **attrs: Any) -> TensorType:
        """Returns x with the resized dims; unknown where scales or sizes are."""
        x, _, scales, sizes = (*inputs, None, None, None)[:4]
        assert x is not None
        for key, allowed in (("mode", _MODES), ("coordinate_mode", _COORDINATES), ("nearest_mode", _NEAREST)):
            if attrs[key] not in allowed:
                raise self.error(key, found=attrs[key], expected=", ".join(allowed))
        any_dtype = attrs["mode"] == "nearest" and attrs["coordinate_mode"] != "tf_crop_and_resize"
        if not any_dtype and x.dtype is not DType.FLOAT32:
            raise self.error("x", found=x.dtype.label, expected="float32 for linear, cubic and crops")
        axes = normal_axes(attrs["axes"] or range(x.rank), x.rank)
        if axes is None:
            raise self.error("axes", found=attrs["axes"], expected=f"different axes in [{-x.rank}, {x.rank})")
        if (scales is None) == (sizes is None):
            raise self.error("operands", found="both or neither of scales and sizes", expected="one of them")
        given = scales or sizes
        assert given is not None
        if given.const is not None and given.const.size != len(axes):
            raise self.error("scales or sizes", found=given, expected=f"[{len(axes)}]")
        shape: list[Dim] = list(x.shape)
        if given.const is None:
            for d in axes:
                shape[d] = fresh_dim()
            return TensorType(x.dtype, tuple(shape))
        if any(not isinstance(x.shape[d], int) for d in axes):
            for i, d in enumerate(axes):
                value = given.const.reshape(-1)[i].item()
                if scales is None and not attrs["keep_aspect_ratio"]:
                    shape[d] = int(value)
                elif not (scales is not None and value == 1.0):
                    size = x.shape[d]
                    shape[d] = derived_dim("resize", size, str(value)) if scales is not None else fresh_dim()
            return TensorType(x.dtype, tuple(shape))
        dims, _ = self.plan(
            [int(x.shape[d]) for d in axes],
            None if scales is None else scales.const,
            None if sizes is None else sizes.const,
            attrs,
        )
        for d, size in zip(axes, dims, strict=True):
            shape[d] = size
        return TensorType(x.dtype, tuple(shape))

    def plan(
        self,
        dims: list[int],
        scales: np.ndarray | None,
        sizes: np.ndarray | None,
        attrs: dict[str, Any],
    ) -> tuple[list[int], list[float]]:
        """Returns the new size and the scale of each resized axis."""
        k = len(dims)
        if scales is not None:
            values = [float(s) for s in scales]
            if any(not 0 < s < 1e9 for s in values):
                raise self.error("scales", found=values, expected="positive numbers")
            return [resized(n, s) for n, s in zip(dims, values, strict=True)], values
        assert sizes is not None
        wanted = [int(s) for s in sizes]
        if any(s < 0 or (n == 0 and s > 0) for n, s in zip(dims, wanted, strict=True)):
            raise self.error("sizes", found=wanted, expected="sizes of at least 0, and elements to resize")
        ratios = [s / n if n else 1.0 for n, s in zip(dims, wanted, strict=True)]
        if attrs["keep_aspect_ratio"]:
            ratio = min(ratios) if attrs["keep_aspect_ratio"] == 1 else max(ratios)
            return [int(np.floor(ratio * n + 0.5)) for n in dims], [ratio] * k
        return wanted, ratios

    def reference(self, *inputs: np.ndarray | None, **attrs: Any) -> np.ndarray:
        """One axis after another, in float64."""
        x, roi, scales, sizes = (*inputs, None, None, None)[:4]
        assert x is not None
        axes = normal_axes(attrs["axes"] or range(x.ndim), x.ndim) or []
        dims, ratios = self.plan([x.shape[d] for d in axes], scales, sizes, attrs)
        crop = attrs["coordinate_mode"] == "tf_crop_and_resize"
        y, outside = x, np.zeros([1] * x.ndim, bool)
        for i, axis in enumerate(axes):
            size, out = x.shape[axis], dims[i]
            span = (float(roi[i]), float(roi[len(axes) + i])) if roi is not None and crop else (0.0, 1.0)
            at = source_coordinates(size, out, ratios[i], attrs["coordinate_mode"], span)
            if crop:
                shape = [-1 if d == axis else 1 for d in range(x.ndim)]
                outside = outside | ((at < 0) | (at > size - 1)).reshape(shape)
            if attrs["mode"] == "nearest":
                index = np.clip(nearest_indices(at, attrs["nearest_mode"]), 0, size - 1).astype(np.int64)
                y = np.take(y, index, axis)
                continue
            if out == size and ratios[i] == 1.0 and not crop:
                continue
            first, w = tap_weights(
                at, size, ratios[i], attrs["mode"], attrs["cubic_coeff_a"], attrs["exclude_outside"], attrs["antialias"]
            )
            index = np.clip(first[:, None] + np.arange(w.shape[1]), 0, size - 1)
            moved = np.moveaxis(y, axis, -1).astype(np.float64)
            y = np.moveaxis((moved[..., index] * w.astype(np.float32)).sum(-1), -1, axis)
        y = np.where(outside, np.asarray(attrs["extrapolation_value"]).astype(x.dtype), y) if crop else y
        return np.array(y, x.dtype, order="C")

    def cases(self) -> list[Case]:
        """Integer and odd factors both ways, every mode, antialias, crops, other ranks and dtypes."""

        def by(x: Any, scales: list[float] | None = None, sizes: list[int] | None = None, **attrs: Any) -> Case:
            roi = attrs.pop("roi", None)
            operands = [
                None if v is None else np.array(v, t)
                for v, t in ((roi, np.float32), (scales, np.float32), (sizes, np.int64))
            ]
            constants = tuple(i + 1 for i, v in enumerate(operands) if v is not None)
            return Case([x, *operands], attrs, constants, rtol=1e-5, atol=1e-5)

        image = (1, 7, 9, 19)
        hw: dict[str, Any] = {"axes": [1, 2]}
        cases = [
            by(image, [1, 2, 2, 1], coordinate_mode="asymmetric", nearest_mode="floor"),
            by((2, 5, 4, 3), [2, 3], **hw),
            by(image, sizes=[4, 13], **hw),
            by(image, [2, 2], mode="linear", **hw),
            by((1, 5, 6, 67), [1, 2, 2, 1], mode="linear", coordinate_mode="align_corners"),
            by(image, sizes=[1, 4, 5, 19], mode="linear", coordinate_mode="pytorch_half_pixel"),
            by((1, 19, 7, 9), sizes=[1, 19, 12, 20], mode="linear"),
            by(image, sizes=[11, 5], mode="cubic", **hw),
            by(image, [0.6, 0.7], mode="cubic", exclude_outside=True, cubic_coeff_a=-0.5, **hw),
            by(image, [0.6, 0.4], mode="linear", antialias=True, **hw),
            by(image, [0.6, 1.7], mode="cubic", antialias=True, **hw),
            by(image, [0.3, 0.7], mode="linear", antialias=True, exclude_outside=True, **hw),
            by((4, 6), [1.5, 0.5], mode="linear", coordinate_mode="half_pixel_symmetric"),
            by((3, 11), sizes=[1, 1], mode="linear", coordinate_mode="align_corners"),
            by((3, 11), sizes=[1, 5], mode="linear", coordinate_mode="pytorch_half_pixel"),
            by((2, 3, 4, 5), [1.5, 2, 0.5, 2], mode="linear"),
            by((2, 3, 4, 2, 3), [1, 2, 2, 2, 1], mode="linear"),
            by((17,), [0.37], mode="linear"),
            by((2, 5, 6), sizes=[3, 8, 6], mode="cubic", coordinate_mode="asymmetric"),
            by((1, 6, 8, 3), sizes=[7, 8], keep_aspect_ratio=1, mode="linear", **hw),
            by((1, 6, 8, 3), sizes=[7, 8], keep_aspect_ratio=2, **hw),
            by((1, 8, 8, 5), sizes=[6, 6], mode="linear", coordinate_mode="tf_crop_and_resize",
               roi=[0.2, -0.28, 0.9, 1.2], extrapolation_value=9.5, **hw),
            by((1, 8, 8, 5), sizes=[4, 1], coordinate_mode="tf_crop_and_resize", roi=[0.5, 0.0, 0.1, 1.0], **hw),
            by(np.arange(120, dtype=np.uint8).reshape(1, 5, 8, 3), [2, 2], **hw),
            by(np.arange(120).reshape(1, 5, 8, 3), sizes=[3, 11], **hw),
            by(np.arange(1280).reshape(1, 4, 5, 64).astype(np.int8), [2, 2], **hw),
            by((1, 1, 1, 7), [3, 4], mode="linear", **hw),
            by((0, 3, 3, 2), [2, 2], mode="linear", **hw),
            by((1, 4, 4, 2), [1, 1], mode="linear", **hw),
        ]  # fmt: skip
        cases += [
            by((1, 10), sizes=[1, s], coordinate_mode=c, nearest_mode=n)
            for s in (7, 23)
            for c in ("half_pixel", "asymmetric", "align_corners", "tf_half_pixel_for_nn")
            for n in _NEAREST
        ]
        return cases
