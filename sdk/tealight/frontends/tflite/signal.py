# SPDX-License-Identifier: Apache-2.0
"""Converters of Fourier transforms. A complex tensor is a float value with a last dim of two: real, imaginary."""

from __future__ import annotations

import math

import numpy as np

from tealight.frontends.problems import RefusedError
from tealight.frontends.tflite.context import OperatorContext
from tealight.frontends.tflite.registry import converts
from tealight.ir.graph import Value

#: Rows and their elements that are transformed: either is multiplied by a matrix of about as many columns.
_MOST_ROWS, _LONGEST = 512, 4096


@converts("RFFT2D")
def rfft2d(c: OperatorContext) -> Value:
    """The transform of the last two dims, cut or filled up to operand 1; half of the last, which is symmetric."""
    x, lengths = c.floats(0), c.ints(1, "lengths")
    if len(lengths) != 2 or not (1 <= lengths[0] <= _MOST_ROWS and 1 <= lengths[1] <= _LONGEST):
        raise RefusedError(f"lengths {lengths}, expected 1 to {_MOST_ROWS} rows of 1 to {_LONGEST}")
    rank, (height, width) = len(x.shape), lengths
    for axis, length in ((rank - 2, height), (rank - 1, width)):
        size = c.dims(x, "the operand")[axis]
        if size > length:
            x = c.slice(x, axis, 0, length)
        elif size < length:
            pads = [0] * (2 * rank)
            pads[rank + axis] = length - size
            x = c.add("pad", [x, c.int64s(pads)], {"mode": "constant"})
    half = width // 2 + 1
    turns = 2 * math.pi * ((np.arange(width)[:, None] * np.arange(half)) % width) / width
    matrix = np.stack([np.cos(turns), -np.sin(turns)], -1).reshape(width, 2 * half)
    y = c.add("matmul", [x, c.constant(matrix, "float32")])
    if height > 1:
        y = _columns(c, y, height)
    return c.reshape(y, [*c.dims(y, "the result")[:-1], half, 2])


def _columns(c: OperatorContext, x: Value, height: int) -> Value:
    """Returns the transform of the rows [.., height, re im re im ..] along their columns."""
    dims = c.dims(x, "the rows")
    turns = 2 * math.pi * ((np.arange(height)[:, None] * np.arange(height)) % height) / height
    cosines, sines = (c.constant(f(turns), "float32") for f in (np.cos, np.sin))
    pairs = c.reshape(x, [*dims[:-1], dims[-1] // 2, 2])
    swapped = c.add("gather", [pairs, c.int64s([1, 0])], {"axis": len(dims)})
    swapped = c.reshape(c.binary("mul", swapped, c.constant([1.0, -1.0], "float32")), dims)  # -i times x
    return c.binary("add", c.add("matmul", [cosines, x]), c.add("matmul", [sines, swapped]))


@converts("REAL", "IMAG")
def part(c: OperatorContext) -> Value:
    """One part of complex numbers."""
    x = c.parts(0)
    i, dims = int(c.op == "IMAG"), c.dims(x, "the operand")
    return c.reshape(c.slice(x, len(dims) - 1, i, i + 1), dims[:-1])


@converts("COMPLEX_ABS")
def complex_abs(c: OperatorContext) -> Value:
    """The square root of the sum of both parts' squares."""
    x = c.parts(0)
    attrs = {"kind": "sum_square", "keepdims": False}
    return c.unary("sqrt", c.add("reduce", [x, c.int64s([len(x.shape) - 1])], attrs))
