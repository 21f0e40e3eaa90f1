# SPDX-License-Identifier: Apache-2.0
"""Slice: every step-th element between starts and ends (ONNX Slice-13)."""

from __future__ import annotations

from typing import Any

import numpy as np

from tealight.ir.types import Dim, DType, TensorType
from tealight.ops._registry import Case, OpDef, register
from tealight.ops._window import derived_dim, fresh_dim, known, normal_axes


def slice_bounds(size: int, start: int, end: int, step: int) -> tuple[int, int]:
    """Returns (first index, count) of an ONNX slice: negative bounds count from the end, then all are clamped."""
    start = start + size if start < 0 else start
    end = end + size if end < 0 else end
    low, high = (0, size) if step > 0 else (-1, size - 1)
    start = min(max(start, 0), high)
    end = min(max(end, low), size if step > 0 else size - 1)
    return start, max(0, -((start - end) // step))


@register
class Slice(OpDef):
    """y = x[starts:ends:steps] on `axes` (all axes in order when absent); steps may be negative.

    starts, ends, axes?, steps? are int32 or int64 [k]. Bounds beyond x are clamped.
    """

    name = "slice"
    inputs = ("x", "starts", "ends", "axes?", "steps?")
    host_inputs = ("starts", "ends", "axes", "steps")

    def infer(self, *inputs: TensorType | None, **attrs: Any) -> TensorType:
        """Returns x with the sliced dims; unknown where the bounds are."""
        x, starts, ends, axes, steps = (*inputs, None, None)[:5]
        assert x is not None and starts is not None and ends is not None
        for name, operand in (("starts", starts), ("ends", ends), ("axes", axes), ("steps", steps)):
            if operand is not None and (operand.rank != 1 or operand.dtype not in (DType.INT32, DType.INT64)):
                raise self.error(name, found=operand, expected="int32 or int64 [k]")
            if operand is not None and operand.shape != starts.shape and operand.is_static and starts.is_static:
                raise self.error(name, found=operand, expected=starts)
        count = starts.shape[0]
        given = known(axes.const) if axes is not None else list(range(int(count))) if isinstance(count, int) else None
        if given is None:
            return TensorType(x.dtype, tuple(fresh_dim() for _ in x.shape))
        where = normal_axes(given, x.rank)
        if where is None:
            raise self.error("axes", found=given, expected=f"different axes in [{-x.rank}, {x.rank})")
        lows, highs = known(starts.const), known(ends.const)
        strides = known(steps.const) if steps is not None else [1] * len(where)
        if strides is not None and 0 in strides:
            raise self.error("steps", found=strides, expected="steps other than 0")
        shape: list[Dim] = list(x.shape)
        for i, axis in enumerate(where):
            if lows is None or highs is None or strides is None:
                shape[axis] = fresh_dim()
            else:
                shape[axis] = self._dim(x.shape[axis], lows[i], highs[i], strides[i])
        const = None
        if x.const is not None and lows is not None and highs is not None and strides is not None:
            const = self._apply(x.const, lows, highs, where, strides)
        return TensorType(x.dtype, tuple(shape), const)

    @staticmethod
    def _dim(size: Dim, start: int, end: int, step: int) -> Dim:
        if isinstance(size, int):
            return slice_bounds(size, start, end, step)[1]
        if start == 0 and step == 1 and end >= 2**31 - 1:
            return size
        return derived_dim("slice", size, start, end, step)

    @staticmethod
    def _apply(x: np.ndarray, starts: list[int], ends: list[int], axes: list[int], steps: list[int]) -> np.ndarray:
        index: list[Any] = [slice(None)] * x.ndim
        for axis, start, end, step in zip(axes, starts, ends, steps, strict=True):
            first, count = slice_bounds(x.shape[axis], start, end, step)
            index[axis] = first + step * np.arange(count)
        for axis in axes:
            x = np.take(x, index[axis], axis)
        return np.ascontiguousarray(x)

    def reference(self, *inputs: np.ndarray | None, **attrs: Any) -> np.ndarray:
        """Takes the indices that slice_bounds gives."""
        x, starts, ends, axes, steps = (*inputs, None, None)[:5]
        assert x is not None and starts is not None and ends is not None
        where = list(range(len(starts))) if axes is None else normal_axes(known(axes) or [], x.ndim) or []
        strides = [1] * len(starts) if steps is None else known(steps) or []
        return self._apply(x, known(starts) or [], known(ends) or [], where, strides)

    def cases(self) -> list[Case]:
        """Contiguous runs, steps both ways, bounds out of range, empty results, other element sizes."""

        def case(x: Any, starts: list[int], ends: list[int], *more: list[int] | None) -> Case:
            operands = [None if v is None else np.array(v, np.int64) for v in (starts, ends, *more)]
            constants = tuple(i + 1 for i, v in enumerate(operands) if v is not None)
            return Case([x, *operands], constants=constants, rtol=0.0, atol=0.0, why="nothing is computed")

        big = 2**63 - 1
        return [
            case((1, 9, 7, 16), [1, 2], [8, 6], [1, 2]),
            case((1, 9, 7, 48), [16], [33], [-1]),
            case((1, 8, 8, 3), [0, 0], [big, big], [1, 2], [2, 2]),
            case((1, 8, 9, 3), [1], [big], [2], [2]),
            case((5, 7), [-1, -2], [-big - 1, -6], [0, 1], [-1, -2]),
            case((5, 7), [3, 1], [100, -1]),
            case((5, 7), [-100], [2], [1]),
            case((5, 7), [4], [2], [1]),
            case((5, 7), [100], [-100], [0], [-3]),
            case((6,), [0], [6], None, [4]),
            case((0, 4), [0, 1], [5, 3]),
            case(np.arange(40, dtype=np.int64).reshape(5, 8), [0], [8], [1], [3]),
            case(np.arange(60, dtype=np.int8).reshape(5, 12), [11], [-100], [1], [-1]),
            case(np.arange(60).astype(np.float16).reshape(5, 6, 2), [5], [0], [1], [-2]),
            Case(
                [(4, 5), np.array([1], np.int32), np.array([3], np.int32), np.array([1], np.int32)], rtol=0.0, atol=0.0
            ),
        ]
