# SPDX-License-Identifier: Apache-2.0
"""Pad: adds elements around a tensor, or crops it (ONNX Pad-19)."""

from __future__ import annotations

from typing import Any

import numpy as np

from tealight.ir.types import Dim, DType, TensorType
from tealight.ops._registry import Case, OpDef, register
from tealight.ops._window import derived_dim, fresh_dim, known, normal_axes

_MODES = ("constant", "reflect", "edge", "wrap")


def pad_indices(size: int, before: int, after: int, mode: str) -> np.ndarray:
    """Returns, for each index of the padded axis, the index of x it copies; -1 stands for the constant.

    Negative pads crop first; what remains is then padded.
    """
    first, last = max(-before, 0), size - max(-after, 0)
    kept = last - first
    i = np.arange(-max(before, 0), kept + max(after, 0), dtype=np.int64)
    if mode == "constant" or kept == 0:
        return np.where((i >= 0) & (i < kept), i + first, -1)
    if mode == "edge":
        return np.clip(i, 0, kept - 1) + first
    if mode == "wrap":
        return i % kept + first
    period = max(2 * (kept - 1), 1)
    i = i % period
    return np.where(i < kept, i, period - i) + first


@register
class Pad(OpDef):
    """y = x with pads[i] elements before and pads[k + i] after on axes[i] (all axes in order when absent).

    pads int32/int64 [2k]; value: one element of x's dtype for mode constant (0 when absent); axes int32/int64 [k].
    Negative pads crop. reflect does not repeat the edge; both reflect and wrap go round as often as needed.
    """

    name = "pad"
    inputs = ("x", "pads", "value?", "axes?")
    defaults = {"mode": "constant"}
    host_inputs = ("pads", "axes")

    def infer(self, *inputs: TensorType | None, **attrs: Any) -> TensorType:
        """Returns x with the padded dims; unknown where the pads are."""
        x, pads, value, axes = (*inputs, None, None)[:4]
        assert x is not None and pads is not None
        if attrs["mode"] not in _MODES:
            raise self.error("mode", found=attrs["mode"], expected=", ".join(_MODES))
        for name, operand in (("pads", pads), ("axes", axes)):
            if operand is not None and (operand.rank != 1 or operand.dtype not in (DType.INT32, DType.INT64)):
                raise self.error(name, found=operand, expected="int32 or int64 [k]")
        if value is not None and (value.dtype is not x.dtype or (value.is_static and value.elements != 1)):
            raise self.error("value", found=value, expected=f"one {x.dtype.label}")
        amounts = known(pads.const)
        given = list(range(x.rank)) if axes is None else known(axes.const)
        if given is None or amounts is None:
            touched = set(range(x.rank)) if given is None else set(normal_axes(given, x.rank) or [])
            return TensorType(x.dtype, tuple(fresh_dim() if d in touched else s for d, s in enumerate(x.shape)))
        where = normal_axes(given, x.rank)
        if where is None:
            raise self.error("axes", found=given, expected=f"different axes in [{-x.rank}, {x.rank})")
        if len(amounts) != 2 * len(where):
            raise self.error("pads", found=amounts, expected=f"{2 * len(where)} numbers")
        shape: list[Dim] = list(x.shape)
        for i, axis in enumerate(where):
            shape[axis] = self._dim(x.shape[axis], amounts[i], amounts[i + len(where)], attrs["mode"])
        return TensorType(x.dtype, tuple(shape))

    def _dim(self, size: Dim, before: int, after: int, mode: str) -> Dim:
        if isinstance(size, str):
            return size if before == after == 0 else derived_dim("pad", size, before, after)
        kept = size + min(before, 0) + min(after, 0)
        if kept < 0 or (kept == 0 and mode != "constant" and max(before, after) > 0):
            raise self.error("pads", found=(before, after), expected=f"pads that leave some of the {size} elements")
        return size + before + after

    def reference(self, *inputs: np.ndarray | None, **attrs: Any) -> np.ndarray:
        """Takes the indices that pad_indices gives, axis after axis."""
        x, pads, value, axes = (*inputs, None, None)[:4]
        assert x is not None and pads is not None
        amounts = known(pads) or []
        where = list(range(x.ndim)) if axes is None else normal_axes(known(axes) or [], x.ndim) or []
        fill = np.zeros((), x.dtype) if value is None else value.reshape(())
        y = x
        for i, axis in enumerate(where):
            index = pad_indices(x.shape[axis], amounts[i], amounts[i + len(where)], attrs["mode"])
            outside = np.expand_dims(index < 0, tuple(range(1, x.ndim - axis)))
            taken = np.take(y, np.maximum(index, 0), axis) if y.shape[axis] else np.empty(
                (*y.shape[:axis], len(index), *y.shape[axis + 1 :]), x.dtype)  # fmt: skip
            y = np.where(outside, fill, taken).astype(x.dtype)
        return y

    def cases(self) -> list[Case]:
        """Every mode, crops, crops with pads, several turns of reflect and wrap, other dtypes."""

        def case(x: Any, pads: list[int], mode: str = "constant", value: Any = None, axes: Any = None) -> Case:
            operands = [np.array(pads, np.int64), value, None if axes is None else np.array(axes, np.int64)]
            constants = tuple(i + 1 for i, v in enumerate(operands) if v is not None)
            return Case([x, *operands], {"mode": mode}, constants, rtol=0.0, atol=0.0, why="nothing is computed")

        one = np.array(1.5, np.float32)
        ints = np.arange(30, dtype=np.int64).reshape(5, 6)
        return [
            case((1, 5, 7, 16), [0, 1, 1, 0, 0, 1, 1, 0]),
            case((1, 5, 7, 3), [0, 2, 1, 0, 0, 0, 3, 0], value=one),
            case((5, 7), [1, 2], value=one, axes=[-1]),
            case((5, 7), [0, 3, 0, 2], "reflect"),
            case((1, 6, 7, 8), [0, 3, 2, 0, 0, 1, 4, 0], "reflect"),
            case((3, 2), [5, 3, 7, 4], "reflect"),
            case((1, 3), [0, 1, 0, 1], "reflect"),
            case((1, 5), [2, 0, 1, 0], "reflect"),
            case((5, 7), [2, 3, 1, 2], "edge"),
            case((5, 7), [2, 3, 11, 2], "wrap"),
            case((5, 7), [-2, 1, 0, -3]),
            case((5, 7), [-2, 1, 4, -3], "edge"),
            case((6, 7), [-2, 1, 3, -1], "reflect"),
            case((6, 7), [-2, 1, 3, -1], "wrap"),
            case((4, 4), [-2, 0, -2, 0]),
            case((0, 3), [1, 0, 2, 1], value=one),
            case(ints, [1, 1, 1, 1], value=np.array([7], np.int64)),
            case(ints.astype(np.int8), [1, 1, 1, 1], "reflect"),
            case(ints.astype(np.uint8), [1, 1, 1, 1], value=np.array(255, np.uint8)),
            case(ints.astype(np.float16), [1, 0, 1, 3], "edge"),
            case(ints > 7, [0, 2, 1, 0], value=np.array(True)),
            case((3,), [2, 1]),
        ]
