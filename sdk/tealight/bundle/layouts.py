# SPDX-License-Identifier: Apache-2.0
"""The packed layouts of constants, both ways. native/schema/bundle.fbs defines each; logical shapes are of ops.fbs."""

from __future__ import annotations

import math
from typing import Any

import ml_dtypes
import numpy as np

from tealight.bundle import layouts_int8
from tealight.errors import TealightError
from tealight.ir.types import Layout

LANES = 16
_NIBBLES = (np.dtype(ml_dtypes.int4), np.dtype(ml_dtypes.uint4))


def pack(array: np.ndarray, layout: Layout, groups: int = 1, attrs: dict[str, Any] | None = None) -> np.ndarray:
    """Returns the packed elements, C-contiguous.

    Args:
        array: The logical constant.
        layout: Its layout.
        groups: Groups of dim 0.
        attrs: Attributes of the op that reads it (strides and the like, which some layouts depend on).
    """
    if array.dtype in _NIBBLES and layout is not Layout.GEMM_N32K4:
        return layouts_int8.pack_nibbles(pack(array.astype(np.int8), layout, groups, attrs))
    if layout is Layout.PLAIN:
        return np.ascontiguousarray(array)
    n = array.shape[0] if array.ndim else 0
    if array.ndim == 0 or groups < 1 or n % groups:
        raise TealightError(
            f"layout {layout.name.lower()}: shape {array.shape}, dim 0 must divide into {groups} groups"
        )
    if layout in layouts_int8.LAYOUTS:
        return layouts_int8.pack(array, layout, groups, attrs or {})
    if layout is Layout.PAD_N16:
        return _pad(array.reshape(groups, -1), 1)
    if layout is Layout.GEMM_N16:
        return _gemm(array.reshape(groups, n // groups, -1))
    if layout is Layout.DWCONV_C16:
        return np.ascontiguousarray(_gemm(array.reshape(1, n, -1))[0])
    if layout is Layout.CONV_TRANSPOSE_N16:
        return _conv_transpose(array, groups, attrs or {})
    if layout is Layout.WINOGRAD_N16:
        return _winograd(array, int((attrs or {})["winograd"]))
    raise TealightError(f"layout {layout.name.lower()}: not packed by this version, expected another layout")


def unpack(
    data: np.ndarray,
    layout: Layout,
    shape: tuple[int, ...],
    groups: int = 1,
    attrs: dict[str, Any] | None = None,
    dtype: np.dtype | None = None,
) -> np.ndarray:
    """Returns the logical constant of a packed one.

    Args:
        data: Its elements in file order; the bytes where they have 4 bits.
        layout: Its layout.
        shape: Of the logical constant.
        groups: Groups of dim 0.
        attrs: As in pack().
        dtype: ml_dtypes.int4 or uint4 when data is bytes of these.
    """
    if dtype in _NIBBLES and layout is not Layout.GEMM_N32K4:
        elements = layouts_int8.unpack_nibbles(data, np.dtype(dtype), packed_elements(layout, shape, groups))
        return unpack(elements, layout, shape, groups, attrs)
    if layout is Layout.PLAIN:
        return data.reshape(shape)
    if layout in layouts_int8.LAYOUTS:
        return layouts_int8.unpack(data, layout, shape, groups, attrs or {})
    n = shape[0] // groups
    k = math.prod(shape[1:])
    if layout is Layout.PAD_N16:
        return data.reshape(groups, -1)[:, :n].reshape(shape)
    if layout is Layout.GEMM_N16:
        return _ungemm(data, groups, n, k).reshape(shape)
    if layout is Layout.DWCONV_C16:
        return _ungemm(data, 1, shape[0], k).reshape(shape)
    if layout is Layout.CONV_TRANSPOSE_N16:
        return _unconv_transpose(data, shape, groups, attrs or {})
    if layout is Layout.WINOGRAD_N16:
        return _unwinograd(data, shape, int((attrs or {})["winograd"]))
    raise TealightError(f"layout {layout.name.lower()}: not read by this version, expected another layout")


def packed_elements(layout: Layout, shape: tuple[int, ...], groups: int = 1) -> int:
    """Returns how many elements the packed form of a logical shape has."""
    if layout is Layout.PLAIN:
        return math.prod(shape)
    n = -(-(shape[0] // groups) // LANES) * LANES
    if layout is Layout.PAD_N16:
        return groups * n
    if layout is Layout.WINOGRAD_N16 or layout in layouts_int8.LAYOUTS:
        raise TealightError(f"layout {layout.name.lower()}: its size depends on more, expected another layout")
    return groups * n * math.prod(shape[1:])


def _pad(array: np.ndarray, axis: int) -> np.ndarray:
    """Pads one axis with zeros to a multiple of 16."""
    more = -array.shape[axis] % LANES
    widths = [(0, more if i == axis else 0) for i in range(array.ndim)]
    return np.ascontiguousarray(np.pad(array, widths))


def _gemm(array: np.ndarray) -> np.ndarray:
    """[g, n, k] -> [g, ceil(n/16), k, 16]."""
    padded = _pad(array, 1)
    g, n, k = padded.shape
    return np.ascontiguousarray(padded.reshape(g, n // LANES, LANES, k).transpose(0, 1, 3, 2))


def _ungemm(data: np.ndarray, g: int, n: int, k: int) -> np.ndarray:
    """[g, ceil(n/16), k, 16] -> [g, n, k]."""
    blocks = -(-n // LANES)
    return data.reshape(g, blocks, k, LANES).transpose(0, 1, 3, 2).reshape(g, blocks * LANES, k)[:, :n]


def _conv_transpose(array: np.ndarray, groups: int, attrs: dict[str, Any]) -> np.ndarray:
    oc, kh, kw, c = array.shape
    taps = array.reshape(groups, oc // groups, kh * kw, c)
    parts = []
    for g in range(groups):
        for phase in layouts_int8.phases(array.shape, attrs):
            parts.append(_gemm(taps[g : g + 1, :, phase].reshape(1, oc // groups, -1)).reshape(-1))
    return np.concatenate(parts) if parts else np.zeros(0, array.dtype)


#: G of F(m x m, 3 x 3) (Lavin and Gray, 2015), by m.
_WINOGRAD_G = {
    2: [[1, 0, 0], [1 / 2, 1 / 2, 1 / 2], [1 / 2, -1 / 2, 1 / 2], [0, 0, 1]],
    4: [
        [1 / 4, 0, 0], [-1 / 6, -1 / 6, -1 / 6], [-1 / 6, 1 / 6, -1 / 6], [1 / 24, 1 / 12, 1 / 6],
        [1 / 24, -1 / 12, 1 / 6], [0, 0, 1],
    ],
}  # fmt: skip


def _winograd(array: np.ndarray, m: int) -> np.ndarray:
    """[n, 3, 3, c] -> [(m + 2)^2, ceil(n/16), c, 16]: G w G^T in float64, rounded once."""
    g = np.array(_WINOGRAD_G[m], np.float64)
    n, _, _, c = array.shape
    # One term at a time: einsum's order, and so its rounding, is not the same on every machine.
    rows = np.zeros((m + 2, n, 3, c))
    both = np.zeros((m + 2, m + 2, n, c))
    for y in range(3):
        rows += g[:, None, y, None, None] * array[None, :, y]
    for x in range(3):
        both += g[None, :, x, None, None] * rows[:, None, :, x]
    return _gemm(both.astype(array.dtype).reshape((m + 2) ** 2, n, c))


def _unwinograd(data: np.ndarray, shape: tuple[int, ...], m: int) -> np.ndarray:
    """The kernels that a packed constant was made from, but for rounding."""
    n, _, _, c = shape
    inverse = np.linalg.pinv(np.array(_WINOGRAD_G[m], np.float64))
    packed = _ungemm(data, (m + 2) ** 2, n, c).reshape(m + 2, m + 2, n, c).astype(np.float64)
    return np.asarray(np.einsum("yp,pqnc,xq->nyxc", inverse, packed, inverse), data.dtype)


def _unconv_transpose(data: np.ndarray, shape: tuple[int, ...], groups: int, attrs: dict[str, Any]) -> np.ndarray:
    oc, kh, kw, c = shape
    n = oc // groups
    out = np.zeros((groups, n, kh * kw, c), data.dtype)
    at = 0
    for g in range(groups):
        for phase in layouts_int8.phases(shape, attrs):
            size = -(-n // LANES) * LANES * len(phase) * c
            out[g][:, phase] = _ungemm(data[at : at + size], 1, n, len(phase) * c)[0].reshape(n, len(phase), c)
            at += size
    return out.reshape(shape)
