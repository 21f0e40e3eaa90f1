# SPDX-License-Identifier: Apache-2.0
"""The packed layouts of int8 and int4 weights, both ways (native/schema/bundle.fbs defines each)."""

from __future__ import annotations

import math
from typing import Any

import ml_dtypes
import numpy as np

from tealight.errors import TealightError
from tealight.ir.types import Layout

LAYOUTS = (Layout.PAD_N32, Layout.GEMM_N32K4, Layout.DWCONV_C16R4, Layout.CONV_TRANSPOSE_N32K4)
COLUMNS = 32  # of a gemm panel
CHANNELS = 16  # of a depthwise panel
STEP = 4  # k of one dot product


def pack(array: np.ndarray, layout: Layout, groups: int, attrs: dict[str, Any]) -> np.ndarray:
    """Returns the packed bytes (uint8), or elements for pad_n32; arguments as layouts.pack()."""
    n = array.shape[0] // groups
    if layout is Layout.PAD_N32:
        return _pad(array.reshape(groups, n), 1, COLUMNS)
    if layout is Layout.GEMM_N32K4:
        return _gemm(array.reshape(groups, n, -1))
    if layout is Layout.DWCONV_C16R4:
        return _depthwise(array)
    taps = array.reshape(groups, n, array.shape[1] * array.shape[2], array.shape[3])
    parts = [
        _gemm(taps[g : g + 1, :, phase].reshape(1, n, -1)).reshape(-1)
        for g in range(groups)
        for phase in phases(array.shape, attrs)
    ]
    return np.concatenate(parts) if parts else np.zeros(0, np.uint8)


def unpack(data: np.ndarray, layout: Layout, shape: tuple[int, ...], groups: int, attrs: dict[str, Any]) -> np.ndarray:
    """Returns the logical constant; data: elements of its dtype in file order (int4: the bytes, see layouts.unpack)."""
    n = shape[0] // groups
    if layout is Layout.PAD_N32:
        return data.reshape(groups, -1)[:, :n].reshape(shape)
    if layout is Layout.GEMM_N32K4:
        k = math.prod(shape[1:])
        if data.dtype == np.uint8:
            return _ungemm_int4(data, groups, n, k).reshape(shape)
        return _ungemm(data, groups, n, k).reshape(shape)
    if layout is Layout.DWCONV_C16R4:
        return _undepthwise(data, shape)
    return _unconv_transpose(data, shape, groups, attrs)


def pack_nibbles(array: np.ndarray) -> np.ndarray:
    """Returns 4-bit elements two to a byte, the first in the low half; an odd end is filled with 0."""
    flat = np.ascontiguousarray(array).reshape(-1).astype(np.int8).view(np.uint8) & 15
    flat = np.pad(flat, (0, flat.size % 2))
    return np.asarray(flat[0::2] | flat[1::2] << 4, np.uint8)


def unpack_nibbles(data: np.ndarray, dtype: np.dtype, count: int) -> np.ndarray:
    """Returns `count` 4-bit elements as ml_dtypes.int4 or uint4."""
    both = np.stack([data & 15, data >> 4], axis=-1).reshape(-1)[:count].astype(np.int8)
    return (both if dtype == ml_dtypes.uint4 else (both ^ 8) - 8).astype(dtype)


def phases(shape: tuple[int, ...], attrs: dict[str, Any]) -> list[np.ndarray]:
    """Returns for each output phase (row-major over strides) the indices of its taps, row-major over the kernel.

    Tap (y, x) adds input pixel i to output pixel i * stride + tap * dilation - pad; the phase of a tap is
    (tap * dilation) mod stride.
    """
    kh, kw = shape[1], shape[2]
    sh, sw = attrs.get("strides") or (1, 1)
    dh, dw = attrs.get("dilations") or (1, 1)
    result = []
    for ph in range(sh):
        for pw in range(sw):
            taps = [y * kw + x for y in range(kh) for x in range(kw) if y * dh % sh == ph and x * dw % sw == pw]
            result.append(np.array(taps, np.int64))
    return result


def _pad(array: np.ndarray, axis: int, to: int) -> np.ndarray:
    widths = [(0, -array.shape[axis] % to if i == axis else 0) for i in range(array.ndim)]
    return np.ascontiguousarray(np.pad(array, widths))


def _with_sums(sums: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Joins panels: sums int32 [panels, columns], weights of one byte [panels, bytes] -> uint8 [panels, bytes]."""
    head = np.ascontiguousarray(sums, "<i4").view(np.uint8)
    return np.concatenate([head, np.ascontiguousarray(weights).view(np.uint8)], axis=1)


def _gemm(array: np.ndarray) -> np.ndarray:
    """[g, n, k] int8 or int4 -> the panels of all groups, flat."""
    is_int4 = array.dtype == ml_dtypes.int4
    if not is_int4 and array.dtype != np.int8:
        raise TealightError(f"layout gemm_n32k4: {array.dtype} elements, must be int8 or int4")
    padded = _pad(_pad(array.astype(np.int8), 1, COLUMNS), 2, 2 * STEP if is_int4 else STEP)
    g, n, k = padded.shape
    panels = padded.reshape(g * n // COLUMNS, COLUMNS, k // STEP, STEP)
    sums = panels.astype(np.int32).sum(axis=(2, 3))
    blocks = np.ascontiguousarray(panels.transpose(0, 2, 1, 3))  # [panel][k4][32][4]
    if is_int4:
        nibbles = blocks.view(np.uint8) & 15
        blocks = np.asarray(nibbles[:, 0::2] | nibbles[:, 1::2] << 4, np.uint8)
    return _with_sums(sums, blocks.reshape(len(panels), -1)).reshape(-1)


def _panels(data: np.ndarray, count: int, columns: int) -> np.ndarray:
    """Returns the weight bytes of each panel without its sums."""
    return data.reshape(count, -1)[:, 4 * columns :]


def _ungemm(data: np.ndarray, g: int, n: int, k: int) -> np.ndarray:
    count = g * -(-n // COLUMNS)
    blocks = _panels(data, count, COLUMNS).reshape(count, -(-k // STEP), COLUMNS, STEP)
    return blocks.transpose(0, 2, 1, 3).reshape(g, count // g * COLUMNS, -(-k // STEP) * STEP)[:, :n, :k]


def _ungemm_int4(data: np.ndarray, g: int, n: int, k: int) -> np.ndarray:
    count = g * -(-n // COLUMNS)
    packed = _panels(data, count, COLUMNS).reshape(count, -(-k // (2 * STEP)), 1, COLUMNS, STEP)
    both = np.concatenate([packed & 15, packed >> 4], axis=2).astype(np.int8)
    blocks = ((both ^ 8) - 8).reshape(count, -1, COLUMNS, STEP)
    return blocks.transpose(0, 2, 1, 3).reshape(g, -1, blocks.shape[1] * STEP)[:, :n, :k].astype(ml_dtypes.int4)


def _depthwise(array: np.ndarray) -> np.ndarray:
    """[c, kh, kw] -> [ceil(c/16)]{sums [16], [kw][ceil(kh/4)][16][4]}, flat."""
    if array.dtype != np.int8:
        raise TealightError(f"layout dwconv_c16r4: {array.dtype} elements, must be int8")
    padded = _pad(_pad(array, 0, CHANNELS), 1, STEP)
    c, kh, kw = padded.shape
    panels = padded.reshape(c // CHANNELS, CHANNELS, kh // STEP, STEP, kw)
    sums = panels.astype(np.int32).sum(axis=(2, 3, 4))
    return _with_sums(sums, panels.transpose(0, 4, 2, 1, 3).reshape(len(panels), -1)).reshape(-1)


def _undepthwise(data: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    c, kh, kw = shape
    count, rows = -(-c // CHANNELS), -(-kh // STEP)
    blocks = _panels(data, count, CHANNELS).reshape(count, kw, rows, CHANNELS, STEP)
    return blocks.transpose(0, 3, 2, 4, 1).reshape(count * CHANNELS, rows * STEP, kw)[:c, :kh]


def _unconv_transpose(data: np.ndarray, shape: tuple[int, ...], groups: int, attrs: dict[str, Any]) -> np.ndarray:
    oc, kh, kw, c = shape
    n = oc // groups
    out = np.zeros((groups, n, kh * kw, c), data.dtype)
    at = 0
    for g in range(groups):
        for phase in phases(shape, attrs):
            k = len(phase) * c
            size = -(-n // COLUMNS) * COLUMNS * (4 + -(-k // STEP) * STEP)
            out[g][:, phase] = _ungemm(data[at : at + size], 1, n, k)[0].reshape(n, len(phase), c)
            at += size
    return out.reshape(shape)
