# SPDX-License-Identifier: Apache-2.0
"""Rounds weights to integers: per row or in blocks, symmetric or with zero points, with a search for the best scale.

Weights are rows [n, k]; a block is block_size adjacent elements of a row, the last one of a row may be shorter. All
arithmetic is float64 in a fixed order, so that the same weights give the same bytes.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from tealight.ir.types import DType
from tealight.quant.numerics import LIMITS

#: Shares of the full range that the search tries; below 0.6 no weights of the assets and the zoo had their minimum.
_SHARES = np.linspace(1.0, 0.6, 13)
#: Elements of a part of the search: its temporaries stay in the cache.
_PART = 1 << 15


@dataclasses.dataclass
class Rounded:
    """Weights as integers.

    Attributes:
        q: [n, k], of the dtype.
        scale: float32 [n], or [n, blocks].
        zero_point: As scale, of the dtype; None = 0.
    """

    q: np.ndarray
    scale: np.ndarray
    zero_point: np.ndarray | None


def round_weights(rows: np.ndarray, dtype: DType, block_size: int = 0, *, search: bool = False) -> Rounded:
    """Returns rows as integers.

    Args:
        rows: float [n, k].
        dtype: INT8 or INT4 (symmetric), or UINT4 (with zero points).
        block_size: 0 = one scale for each row.
        search: Take the scale of the least squared error instead of the one that covers the range.
    """
    n, k = rows.shape
    if rows.size == 0:
        empty = np.ones((n, 0) if block_size else (n,), np.float32)
        return Rounded(
            np.zeros((n, k), dtype.numpy), empty, None if dtype is not DType.UINT4 else empty.astype(dtype.numpy)
        )
    size = block_size or k
    blocks = -(-k // size)
    padded = np.zeros((n, blocks * size))
    padded[:, :k] = rows
    valid = np.zeros(blocks * size, bool)
    valid[:k] = True
    scale, zero = block_params(
        padded.reshape(n, blocks, size), dtype, search=search, valid=valid.reshape(1, blocks, size)
    )
    q = quantize_blocks(padded.reshape(n, blocks, size), scale, zero, dtype).reshape(n, -1)[:, :k]
    shape = (n, blocks) if block_size else (n,)
    zero_point = zero.reshape(shape).astype(np.int8).astype(dtype.numpy) if dtype is DType.UINT4 else None
    return Rounded(q.astype(np.int8).astype(dtype.numpy), scale.reshape(shape).astype(np.float32), zero_point)


def quantize_blocks(x: np.ndarray, scale: np.ndarray, zero: np.ndarray, dtype: DType) -> np.ndarray:
    """Returns the integers (as float64) of blocks x [..., size] with scale and zero [...]."""
    lo, hi = _limits(dtype)
    return np.asarray(np.clip(np.rint(x / scale[..., None].astype(np.float64)) + zero[..., None], lo, hi))


def block_params(
    x: np.ndarray, dtype: DType, *, search: bool, valid: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Returns float32 scales and zero points (float64) of blocks.

    Args:
        x: float [..., size].
        dtype: As round_weights().
        search: As round_weights().
        valid: Which elements count, broadcast to x and with a first dim of 1; None = all.
    """
    x = np.asarray(x, np.float64)
    if not search or x.size <= _PART or x.ndim < 2:
        return _block_params(x, dtype, search, valid)
    rows = max(_PART * len(x) // x.size, 1)
    parts = [_block_params(x[i : i + rows], dtype, search, valid) for i in range(0, len(x), rows)]
    return np.concatenate([scale for scale, _ in parts]), np.concatenate([zero for _, zero in parts])


def _block_params(x: np.ndarray, dtype: DType, search: bool, valid: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    best_scale, best_zero = _params(x, dtype, 1.0)
    if not search:
        return best_scale, best_zero
    best = _error(x, best_scale, best_zero, dtype, valid)
    # The second range of a symmetric block puts its largest element on the wider, negative side.
    for flip in (False, True) if dtype is DType.INT4 else (False,):
        for share in _SHARES:
            scale, zero = _params(x, dtype, float(share), flip=flip)
            scale = _refit(x, scale, zero, dtype, valid)
            error = _error(x, scale, zero, dtype, valid)
            better = error < best
            best = np.where(better, error, best)
            best_scale = np.where(better, scale, best_scale).astype(np.float32)
            best_zero = np.where(better, zero, best_zero)
    return best_scale, best_zero


def _limits(dtype: DType) -> tuple[int, int]:
    lo, hi = LIMITS[dtype]
    return (-127, 127) if dtype is DType.INT8 else (lo, hi)


def _params(x: np.ndarray, dtype: DType, share: float, *, flip: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """Returns scale and zero point that cover `share` of the range; scale 1 where x is all 0."""
    lo, hi = _limits(dtype)
    if dtype is DType.UINT4:
        low, high = np.minimum(x.min(axis=-1), 0) * share, np.maximum(x.max(axis=-1), 0) * share
        scale = _positive((high - low) / (hi - lo))
        return scale, np.clip(np.rint(-low / scale.astype(np.float64)), lo, hi)
    if not flip:
        scale = _positive(np.abs(x).max(axis=-1) * share / hi)
        return scale, np.zeros(scale.shape)
    largest = np.take_along_axis(x, np.abs(x).argmax(axis=-1)[..., None], axis=-1)[..., 0]
    scale = (largest * share / lo).astype(np.float32)
    return np.where(scale == 0, np.float32(1), scale), np.zeros(scale.shape)


def _positive(scale: np.ndarray) -> np.ndarray:
    rounded = scale.astype(np.float32)
    return np.where(rounded > 0, rounded, np.float32(1))


def _refit(x: np.ndarray, scale: np.ndarray, zero: np.ndarray, dtype: DType, valid: np.ndarray | None) -> np.ndarray:
    """Returns the scale of least squared error for the integers that `scale` gives."""
    steps = quantize_blocks(x, scale, zero, dtype) - zero[..., None]
    if valid is not None:
        steps = np.where(valid, steps, 0)
    square, product = (steps * steps).sum(axis=-1), (steps * x).sum(axis=-1)
    with np.errstate(divide="ignore", invalid="ignore"):
        fitted = (product / square).astype(np.float32)
    return np.where(np.isfinite(fitted) & (fitted != 0), fitted, scale)


def _error(x: np.ndarray, scale: np.ndarray, zero: np.ndarray, dtype: DType, valid: np.ndarray | None) -> np.ndarray:
    """Returns the squared error of each block."""
    q = quantize_blocks(x, scale, zero, dtype) - zero[..., None]
    difference = q * scale[..., None].astype(np.float64) - x
    if valid is not None:
        difference = np.where(valid, difference, 0)
    return np.asarray((difference * difference).sum(axis=-1))
