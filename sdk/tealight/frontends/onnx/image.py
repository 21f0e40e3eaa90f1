# SPDX-License-Identifier: Apache-2.0
"""Converters of ops that resample images."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tealight.frontends.onnx.context import NodeContext, RefusedError
from tealight.frontends.onnx.registry import converts
from tealight.ir.graph import Value
from tealight.ir.types import DType

_POLICY = {"stretch": 0, "not_larger": 1, "not_smaller": 2}
_LEGACY: dict[str, object] = {"coordinate_mode": "asymmetric", "nearest_mode": "floor"}


@converts("Upsample")
def upsample_v1(c: NodeContext) -> Value:
    """Upsample by attributes (opset 1 has one for each axis)."""
    if c.has("scales"):
        scales = [float(v) for v in c.attrs["scales"]]
    else:
        scales = [1.0, 1.0, c.number("height_scale"), c.number("width_scale")]
    return _resize(c, c.constant(np.array(scales, np.float32)), None, None, {**_LEGACY, "mode": _mode(c)})


@converts("Upsample", since=9)
@converts("Resize", since=10)
def upsample_v9(c: NodeContext) -> Value:
    """Upsample-9 and Resize-10: scales as an operand, corner-aligned coordinates."""
    return _resize(c, c.input(1), None, None, {**_LEGACY, "mode": _mode(c)})


@converts("Resize", since=11)
def resize_v11(c: NodeContext) -> Value:
    """Resize with every mode."""
    attrs: dict[str, object] = {
        "mode": _mode(c),
        "coordinate_mode": c.text("coordinate_transformation_mode", "half_pixel"),
        "nearest_mode": c.text("nearest_mode", "round_prefer_floor"),
        "cubic_coeff_a": c.number("cubic_coeff_a", -0.75),
        "exclude_outside": bool(c.integer("exclude_outside", 0)),
        "extrapolation_value": c.number("extrapolation_value", 0.0),
        "antialias": bool(c.integer("antialias", 0)),
        "keep_aspect_ratio": _POLICY.get(c.text("keep_aspect_ratio_policy", "stretch"), 0),
    }
    scales, sizes = (None if v is None or v.shape == (0,) else v for v in (c.optional(2), c.optional(3)))
    roi = c.optional(1) if attrs["coordinate_mode"] == "tf_crop_and_resize" else None
    return _resize(c, scales, sizes, roi, attrs)


def _mode(c: NodeContext) -> str:
    mode = {"nearest": "nearest", "linear": "linear", "bilinear": "linear", "cubic": "cubic"}
    name = c.text("mode", "nearest")
    if name not in mode:
        raise RefusedError(f"mode '{name}', expected nearest, linear or cubic")
    return mode[name]


def _resize(
    c: NodeContext, scales: Value | None, sizes: Value | None, roi: Value | None, attrs: dict[str, object]
) -> Value:
    """Adds resize: over the spatial axes of the channels-last image where batch and channels stay as they are."""
    x = c.input(0)
    rank = len(x.shape)
    axes = [a % rank for a in c.integers("axes")] if c.has("axes") else list(range(rank))
    if (scales is None) == (sizes is None):
        raise RefusedError("neither or both of scales and sizes are given, expected one")
    if sizes is not None and sizes.dtype is not DType.INT64:
        sizes = c.cast(sizes, DType.INT64)
    if not (rank == 4 or (rank == 3 and roi is None)) or not _only_spatial(c, x, axes, scales, sizes):
        return c.add("resize", [x, roi, scales, sizes], {**attrs, "axes": axes if c.has("axes") else []})
    kept = [i for i, a in enumerate(axes) if a >= 2]
    image_axes = [axes[i] - 1 if rank == 4 else 2 for i in kept]
    if kept != list(range(len(axes))):
        scales = None if scales is None else _pick(c, scales, kept)
        sizes = None if sizes is None else _pick(c, sizes, kept)
        roi = None if roi is None else _pick(c, roi, [*kept, *[len(axes) + i for i in kept]])
    y = c.add("resize", [c.to_image(x), roi, scales, sizes], {**attrs, "axes": image_axes})
    return c.from_image(y, rank)


def _only_spatial(c: NodeContext, x: Value, axes: Sequence[int], scales: Value | None, sizes: Value | None) -> bool:
    """Whether batch and channels are certain to keep their sizes."""
    outer = [i for i, a in enumerate(axes) if a < 2]
    if not outer:
        return True
    if scales is not None:
        return scales.const is not None and all(scales.const.reshape(-1)[i] == 1.0 for i in outer)
    known = c.scope.knowledge.get(sizes)
    return known is not None and known.ndim == 1 and all(known[i] == x.shape[axes[i]] for i in outer)


def _pick(c: NodeContext, vector: Value, at: Sequence[int]) -> Value:
    return c.add("gather", [vector, c.int64s(at)], {"axis": 0})


@converts("GridSample", since=16)
def grid_sample(c: NodeContext) -> Value:
    """GridSample of images."""
    x = c.input(0)
    if len(x.shape) != 4:
        raise RefusedError(f"input of rank {len(x.shape)}, expected 4", "volumetric (3-d) sampling has no kernel")
    mode = c.text("mode", "linear")
    attrs = {
        "mode": {"bilinear": "linear", "bicubic": "cubic"}.get(mode, mode),
        "padding": {"zeros": 0, "border": 1, "reflection": 2}[c.text("padding_mode", "zeros")],
        "align_corners": bool(c.integer("align_corners", 0)),
    }
    return c.to_first(c.add("grid_sample", [c.to_last(x), c.input(1)], attrs))


@converts("RoiAlign", since=10)
def roi_align(c: NodeContext) -> Value:
    """RoiAlign; opset 16 shifts boxes by half a pixel by default."""
    transform = c.text("coordinate_transformation_mode", "half_pixel" if c.opset >= 16 else "output_half_pixel")
    attrs = {
        "is_max": c.text("mode", "avg") == "max",
        "output_height": c.integer("output_height", 1),
        "output_width": c.integer("output_width", 1),
        "sampling_ratio": c.integer("sampling_ratio", 0),
        "spatial_scale": c.number("spatial_scale", 1.0),
        "half_pixel": transform == "half_pixel",
    }
    return c.to_first(c.add("roi_align", [c.to_last(c.input(0)), c.input(1), c.input(2)], attrs))
