# SPDX-License-Identifier: Apache-2.0
"""Expand and Tile: copies of a tensor along its axes (ONNX Expand-13, Tile-13)."""

from __future__ import annotations

from typing import Any

import numpy as np

from tealight.ir.types import Dim, DType, TensorType
from tealight.ops._registry import Case, OpDef, register
from tealight.ops._window import derived_dim, fresh_dim, known

_EXACT: dict[str, Any] = {"rtol": 0.0, "atol": 0.0, "why": "nothing is computed"}


@register
class Expand(OpDef):
    """y = x broadcast with a tensor of the given shape (both ways: a 1 in shape keeps the dim of x)."""

    name = "expand"
    inputs = ("x", "shape")
    host_inputs = ("shape",)

    def infer(self, x: TensorType, shape: TensorType) -> TensorType:
        """Returns the broadcast of both shapes; dims that only a run knows get new symbols."""
        if shape.dtype not in (DType.INT32, DType.INT64) or shape.rank != 1 or not isinstance(shape.shape[0], int):
            raise self.error("shape", found=shape, expected="int64 [k] of a known k")
        rank = max(x.rank, shape.shape[0])
        given = known(shape.const)
        wanted: list[Dim | None] = [1] * (rank - shape.shape[0])
        wanted += [None] * shape.shape[0] if given is None else given
        dims: list[Dim] = []
        for i, target in enumerate(wanted):
            own: Dim = x.shape[i - (rank - x.rank)] if i >= rank - x.rank else 1
            dims.append(self._dim(own, target))
        return TensorType(x.dtype, tuple(dims))

    def _dim(self, own: Dim, target: Dim | None) -> Dim:
        if target is None:
            return own if isinstance(own, int) and own != 1 else fresh_dim()
        if isinstance(target, int) and target < 0:
            raise self.error("shape", found=target, expected="dims of at least 0")
        if target == 1 or target == own:
            return own
        if isinstance(own, int) and own != 1:
            raise self.error("shape", found=f"{target} for a dim of {own}", expected="1 or the same")
        return target

    def reference(self, x: np.ndarray, shape: np.ndarray) -> np.ndarray:
        """numpy.broadcast_to."""
        return np.array(np.broadcast_to(x, np.broadcast_shapes(x.shape, tuple(map(int, shape)))), order="C")

    def cases(self) -> list[Case]:
        """New axes, inner and outer copies, shapes shorter than x, empty and scalar tensors, every element size."""
        cases: list[tuple[Any, list[int]]] = [
            ((3, 1), [2, 1, 6]),
            ((3, 1), [3, 4]),
            ((1, 7, 1, 5), [3, 1, 11, 5]),
            ((5,), [4, 1]),
            ((2, 3, 5), [5]),
            ((), [3, 7]),
            ((1,), [0]),
            ((0, 3), [2, 1, 3]),
            ((3, 5), []),
            ((1, 1, 1, 33), [2, 17, 3, 33]),
            ((2, 1, 3, 1, 2, 1, 1), [1, 2, 1, 3, 1, 2, 2]),
            (np.arange(7, dtype=np.int8).reshape(7, 1), [7, 13]),
            (np.array([[True], [False]]), [3, 2, 5]),
            (np.arange(6).astype(np.float16).reshape(2, 1, 3), [2, 4, 3]),
            (np.arange(5, dtype=np.int64).reshape(5, 1), [1, 3]),
        ]
        made = [Case([x, np.array(shape, np.int64)], constants=(1,), **_EXACT) for x, shape in cases]
        return [*made, Case([(3, 1), np.array([1, 9], np.int64)], **_EXACT)]


@register
class Tile(OpDef):
    """y = x repeated repeats[i] times along each axis i."""

    name = "tile"
    inputs = ("x", "repeats")
    host_inputs = ("repeats",)

    def infer(self, x: TensorType, repeats: TensorType) -> TensorType:
        """Returns x with its dims multiplied."""
        if repeats.dtype not in (DType.INT32, DType.INT64) or repeats.shape != (x.rank,):
            raise self.error("repeats", found=repeats, expected=f"int64[{x.rank}]")
        times = known(repeats.const)
        if times is None:
            return TensorType(x.dtype, tuple(0 if d == 0 else fresh_dim() for d in x.shape))
        if any(t < 0 for t in times):
            raise self.error("repeats", found=times, expected="numbers of at least 0")
        return TensorType(x.dtype, tuple(self._dim(d, t) for d, t in zip(x.shape, times, strict=True)))

    @staticmethod
    def _dim(own: Dim, times: int) -> Dim:
        if isinstance(own, int):
            return own * times
        return own if times == 1 else 0 if times == 0 else derived_dim("tile", own, times)

    def reference(self, x: np.ndarray, repeats: np.ndarray) -> np.ndarray:
        """numpy.tile."""
        return np.tile(x, tuple(map(int, repeats)))

    def cases(self) -> list[Case]:
        """Outer and inner axes, all at once, none, zero times, every element size."""
        cases: list[tuple[Any, list[int]]] = [
            ((2, 3), [2, 2]),
            ((2, 3, 5), [1, 7, 1]),
            ((2, 3, 5), [3, 1, 2]),
            ((1, 1, 4, 1), [2, 3, 1, 5]),
            ((5,), [1]),
            ((5,), [0]),
            ((0, 3), [4, 2]),
            ((), []),
            ((2, 1, 2, 1, 2, 1, 2, 1), [1, 2, 1, 2, 1, 2, 1, 2]),
            ((2, 2, 2, 2, 2), [2, 2, 2, 2, 2]),
            (np.arange(15, dtype=np.uint8).reshape(3, 5), [2, 3]),
            (np.arange(-15, 15, dtype=np.int8).reshape(2, 3, 5), [2, 1, 3]),
            (np.arange(15, dtype=np.int64).reshape(3, 5), [2, 3]),
            (np.arange(15).astype(np.float16).reshape(3, 5), [3, 2]),
            (np.arange(128, dtype=np.int32).reshape(2, 64), [3, 5]),
        ]
        made = [Case([x, np.array(repeats, np.int64)], constants=(1,), **_EXACT) for x, repeats in cases]
        return [*made, Case([(3, 2), np.array([2, 4], np.int64)], **_EXACT)]
