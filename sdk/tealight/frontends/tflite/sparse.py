# SPDX-License-Identifier: Apache-2.0
"""Sparse constants of .tflite files -> dense arrays.

A tensor's dims, and behind them those of its blocks, are walked in an order of their own. Each is dense (all its
indices) or sparse: the indices in [segments[i], segments[i + 1]) belong to the i-th position of the dims before it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from tealight.errors import ImportModelError
from tealight.ir.types import DType

#: Elements that one stored element may stand for on average; more is damage.
_MOST_ZEROS = 4096


def dense(stored: np.ndarray, dtype: DType, shape: tuple[int, ...], sparsity: dict[str, Any], name: str) -> np.ndarray:
    """Returns the elements of a sparse tensor.

    Args:
        stored: Bytes of the elements that are kept.
        dtype: Of the elements.
        shape: Of the tensor.
        sparsity: Its table.
        name: For messages.

    Raises:
        ImportModelError: The table makes no sense.
    """
    try:
        return _dense(stored, dtype, shape, sparsity)
    except (LookupError, TypeError, ValueError) as e:
        raise ImportModelError(f"tensor '{name}': sparse elements that make no sense ({e}), expected valid ones") from e


def _dense(stored: np.ndarray, dtype: DType, shape: tuple[int, ...], sparsity: dict[str, Any]) -> np.ndarray:
    if dtype in (DType.INT4, DType.UINT4):
        raise ValueError("4-bit elements")
    values = np.frombuffer(stored.tobytes(), dtype.numpy)
    if math.prod(shape) > _MOST_ZEROS * values.size:
        raise ValueError(f"{values.size} elements kept of shape {list(shape)}")
    order = [int(d) for d in sparsity["traversal_order"]]
    blocked = [int(d) for d in _given(sparsity["block_map"])]
    rank, dims = len(shape), sparsity["dim_metadata"]
    if len(dims) != len(order) or sorted(order) != list(range(rank + len(blocked))):
        raise ValueError(f"{len(dims)} dims in the order {order}")
    walked = _walk(dims, values.size)
    sizes = [1] * rank
    for i, d in enumerate(blocked):
        sizes[d] = int(dims[order.index(rank + i)]["dense_size"])
    at = [walked[order.index(d)] * sizes[d] for d in range(rank)]
    for i, d in enumerate(blocked):
        at[d] = at[d] + walked[order.index(rank + i)]
    result = np.zeros(shape, dtype.numpy)
    result[tuple(at)] = values
    return result


def _walk(dims: Sequence[dict[str, Any]], count: int) -> list[np.ndarray]:
    """Returns the index of each of `count` elements along each dim."""
    walked: list[np.ndarray] = []
    places = 1
    for dim in dims:
        if dim["format"] == 0:
            size = int(dim["dense_size"])
            if not 1 <= size <= count // places:
                raise ValueError(f"{places} times {size} elements of {count}")
            repeats, index = np.full(places, size), np.tile(np.arange(size), places)
        else:
            segments = np.array(_given(dim["segments"].get("values")), np.int64)
            index = np.array(_given(dim["indices"].get("values")), np.int64)
            repeats = np.diff(segments)
            if len(segments) != places + 1 or segments[0] or segments[-1] != len(index) or (repeats < 0).any():
                raise ValueError(f"{len(segments)} segments of {places} places")
        walked = [*(np.repeat(w, repeats) for w in walked), index]
        places = len(index)
    if places != count:
        raise ValueError(f"{count} elements for {places} places")
    if any((w < 0).any() for w in walked):
        raise ValueError("an index below 0")
    return walked


def _given(array: np.ndarray | None) -> np.ndarray:
    return np.zeros(0, np.int64) if array is None else array
