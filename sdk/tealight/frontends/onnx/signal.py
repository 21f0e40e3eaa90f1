# SPDX-License-Identifier: Apache-2.0
"""Converters of Fourier transforms: products with a constant basis. Complex numbers are pairs in the last dim."""

from __future__ import annotations

import numpy as np

from tealight.frontends.onnx.context import NodeContext, RefusedError
from tealight.frontends.onnx.math import linear
from tealight.frontends.onnx.registry import converts
from tealight.ir.graph import Value

#: Bases larger than this would make bundles of hundreds of megabytes.
_MAX_BASIS = 1 << 25


@converts("DFT", since=17)
def dft(c: NodeContext) -> Value:
    """DFT along one axis, forward or inverse; opset 20 gives the axis as an operand."""
    x = c.input(0)
    rank = len(x.shape)
    if c.opset >= 20:
        axis = c.known_ints(2, "axis")[0] if c.optional(2) is not None else -2
    else:
        axis = c.integer("axis", 1)
    axis %= rank
    inverse, onesided = bool(c.integer("inverse", 0)), bool(c.integer("onesided", 0))
    taps, parts = c.static(x, axis, "signal length"), c.static(x, rank - 1, "parts of a number")
    length = taps if not (inverse and onesided) else 2 * (taps - 1)
    if c.optional(1) is not None:
        length = c.known_ints(1, "dft_length")[0]
    weight = _basis(taps, parts, length, onesided=onesided and not inverse, inverse=inverse)
    made = 2
    if inverse and onesided:  # the other half of the bins mirrors this one: the result is real
        bins = np.arange(taps)
        times = np.where(bins > length // 2, 0, np.where((bins == 0) | (2 * bins == length), 1, 2))
        weight, made = np.ascontiguousarray(weight[::2] * np.repeat(times, parts).astype(np.float32)), 1
    perm = [*(i for i in range(rank - 1) if i != axis), axis, rank - 1]
    moved = c.transpose(x, perm)
    outer = c.dims(moved)[:-2]
    basis = c.constant(weight, name=f"{c.name}.weight")
    y = linear(c, c.reshape(moved, [*outer, taps * parts]), basis, None)
    y = c.reshape(y, [*outer, weight.shape[0] // made, made])
    return c.transpose(y, [perm.index(i) for i in range(rank)])


@converts("STFT", since=17)
def stft(c: NodeContext) -> Value:
    """STFT as a convolution whose filters are the windowed basis."""
    x = c.input(0)
    if len(x.shape) == 2:
        x = c.unsqueeze(x, [2])
    parts = c.static(x, 2, "parts of a number")
    step = c.known_ints(1, "frame_step")[0]
    window = None if c.optional(2) is None else c.array(2, "window").reshape(-1).astype(np.float64)
    if c.optional(3) is not None:
        length = c.known_ints(3, "frame_length")[0]
    elif window is not None:
        length = len(window)
    else:
        raise RefusedError("neither window nor frame_length is given, expected one of them")
    weight = _basis(length, parts, length, onesided=bool(c.integer("onesided", 1)), inverse=False)
    filters = weight.reshape(-1, 1, length, parts)
    if window is not None:
        filters = filters * window[:, None]
    image = c.reshape(x, [c.dim(x, 0), 1, c.dim(x, 1), parts])
    attrs = {"kernel_shape": [1, length], "strides": [1, step], "pads": [0, 0, 0, 0], "dilations": [1, 1]}
    operands = [image, c.constant(filters.astype(np.float32), name=f"{c.name}.weight")]
    y = c.add("conv2d", operands, {**attrs, "group": 1})
    return c.reshape(y, [c.dim(y, 0), c.dim(y, 2), filters.shape[0] // 2, 2])


def _basis(taps: int, parts: int, length: int, *, onesided: bool, inverse: bool) -> np.ndarray:
    """Returns [2 * bins, taps * parts]: the matrix from numbers of one or two parts to complex bins."""
    bins = length // 2 + 1 if onesided else length
    if parts not in (1, 2) or length < 1 or 2 * bins * taps * parts > _MAX_BASIS:
        raise RefusedError(f"{taps} numbers of {parts} parts to {bins} bins, expected at most 4096 of 1 or 2 parts")
    # the phase is reduced in integers: cos and sin of large angles lose digits
    phase = np.outer(np.arange(bins), np.arange(taps)) % length * (2 * np.pi / length)
    phase[:, length:] = 0
    cos, sin = np.cos(phase), np.sin(phase) * (-1 if inverse else 1)
    matrix = np.stack([np.stack([cos, sin], -1), np.stack([-sin, cos], -1)], 1)[..., :parts]
    matrix[:, :, length:] = 0
    if inverse:
        matrix /= length
    return np.ascontiguousarray(matrix.reshape(2 * bins, taps * parts), np.float32)
