# SPDX-License-Identifier: Apache-2.0
"""Converters of experimental ops that old exporters wrote before ONNX removed them."""

from __future__ import annotations

import numpy as np

from tealight.frontends.onnx.context import NodeContext, RefusedError
from tealight.frontends.onnx.registry import converts
from tealight.ir.graph import Value


@converts("ImageScaler")
def image_scaler(c: NodeContext) -> Value:
    """Scale * x + bias per channel."""
    x = c.binary("mul", c.input(0), c.scalar(c.number("scale", 1.0), c.input(0)))
    bias = np.array([float(v) for v in c.attrs.get("bias", [])], np.float32)
    return c.binary("add", x, c.constant(bias.reshape(-1, 1, 1))) if bias.size else x


@converts("Scale", "Affine")
def affine(c: NodeContext) -> Value:
    """Alpha * x + beta; Scale has only `scale`."""
    x = c.input(0)
    factor = c.number("scale", 1.0) if c.op == "Scale" else c.number("alpha", 1.0)
    return c.binary("add", c.binary("mul", x, c.scalar(factor, x)), c.scalar(c.number("beta", 0.0), x))


@converts("ScaledTanh")
def scaled_tanh(c: NodeContext) -> Value:
    """Alpha * tanh(beta * x)."""
    x = c.input(0)
    inner = c.unary("tanh", c.binary("mul", x, c.scalar(c.number("beta", 1.0), x)))
    return c.binary("mul", inner, c.scalar(c.number("alpha", 1.0), x))


@converts("ParametricSoftplus")
def parametric_softplus(c: NodeContext) -> Value:
    """Alpha * softplus(beta * x)."""
    x = c.input(0)
    inner = c.unary("softplus", c.binary("mul", x, c.scalar(c.number("beta", 1.0), x)))
    return c.binary("mul", inner, c.scalar(c.number("alpha", 1.0), x))


@converts("Crop")
def crop(c: NodeContext) -> Value:
    """Cuts a border [left, top, right, bottom] off, or a size `scale` [height, width] out."""
    x, border = c.input(0), c.integers("border", [0, 0, 0, 0])
    if len(border) != 4:
        raise RefusedError(f"border {border}, expected 4 numbers")
    left, top, right, bottom = border
    end = [c.static(x, 2, "height") - bottom, c.static(x, 3, "width") - right]
    if c.has("scale"):
        height, width = c.integers("scale")
        end = [top + height, left + width]
    return c.slice(c.slice(x, 2, top, end[0]), 3, left, end[1])
