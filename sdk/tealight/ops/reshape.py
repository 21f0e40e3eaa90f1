# SPDX-License-Identifier: Apache-2.0
"""Reshape: the same elements in another shape (ONNX Reshape-14)."""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np

from tealight.ir.types import Dim, TensorType
from tealight.ops._registry import Case, OpDef, register
from tealight.ops._window import derived_dim, fresh_dim


def _sorted(dims: Iterable[Dim]) -> list[Dim]:
    return sorted(dims, key=str)


@register
class Reshape(OpDef):
    """y = x with the given shape: -1 is inferred, 0 copies the dim of x unless allow_zero."""

    name = "reshape"
    inputs = ("x", "shape")
    defaults = {"allow_zero": False}
    host_inputs = ("shape",)

    def infer(self, x: TensorType, shape: TensorType, *, allow_zero: bool) -> TensorType:
        """Returns the type of y; its dims are unknown where the shape is not a constant."""
        if len(shape.shape) != 1:
            raise self.error("shape", found=f"rank {len(shape.shape)}", expected="a vector")
        if shape.const is None:
            if not isinstance(shape.shape[0], int):
                raise self.error("shape", found=f"{shape.shape[0]} elements", expected="a known number of them")
            return TensorType(x.dtype, tuple(fresh_dim() for _ in range(shape.shape[0])))
        wanted = [int(d) for d in shape.const]
        dims: list[Dim] = [self._copied(x, i) if d == 0 and not allow_zero else d for i, d in enumerate(wanted)]
        if wanted.count(-1) > 1 or min(wanted, default=0) < -1:
            raise self.error("shape", found=wanted, expected="dims >= 0 and at most one -1")
        if -1 in dims:
            dims[dims.index(-1)] = self._inferred(x, [d for d in dims if d != -1], wanted)
        if x.is_static and all(isinstance(d, int) for d in dims) and math.prod(map(int, dims)) != x.elements:
            raise self.error("shape", found=f"{wanted} for {x.elements} elements", expected="the same number of them")
        return TensorType(x.dtype, tuple(dims))

    def _copied(self, x: TensorType, i: int) -> Dim:
        if i >= x.rank:
            raise self.error("shape", found=f"0 at {i} for rank {x.rank}", expected="a dim that x has")
        return x.shape[i]

    def _inferred(self, x: TensorType, others: list[Dim], wanted: list[int]) -> Dim:
        """Returns the dim that -1 stands for; symbols that appear on both sides cancel."""
        left = list(x.shape)
        for d in [d for d in others if isinstance(d, str)]:
            if d not in left:
                return derived_dim("rest", *_sorted(x.shape), "/", *_sorted(others))
            left.remove(d)
        numbers = math.prod(d for d in left if isinstance(d, int))
        symbols = [d for d in left if isinstance(d, str)]
        by = math.prod(d for d in others if isinstance(d, int))
        if not symbols:
            if by == 0 or numbers % by:
                raise self.error("shape", found=f"{wanted} for {x}", expected="a shape of as many elements")
            return numbers // by
        if len(symbols) == 1 and numbers == by:
            return symbols[0]
        return derived_dim("rest", *_sorted(symbols), numbers, "/", by)

    def reference(self, x: np.ndarray, shape: np.ndarray, *, allow_zero: bool) -> np.ndarray:
        """Computes y."""
        dims = [x.shape[i] if d == 0 and not allow_zero else int(d) for i, d in enumerate(shape)]
        return x.reshape(dims)

    def cases(self) -> list[Case]:
        """Returns the parity cases."""

        def case(x: tuple[int, ...], shape: list[int], constant: bool = True, **attrs: bool) -> Case:
            return Case([x, np.array(shape, np.int64)], attrs, (1,) if constant else (), rtol=0, atol=0, why="a copy")

        return [
            case((2, 3, 5), [5, 6]),
            case((2, 3, 5), [0, -1]),
            case((2, 3, 5), [-1]),
            case((1,), []),
            case((2, 3, 5), [3, 10], constant=False),
            case((0, 3), [0, 7], allow_zero=True),
            Case(
                [np.arange(12, dtype=np.int64).reshape(3, 4), np.array([2, -1, 3], np.int64)], {}, (1,), rtol=0, atol=0
            ),
            Case([np.arange(-6, 6, dtype=np.int8).reshape(3, 4), np.array([2, 6], np.int64)], {}, (1,), rtol=0, atol=0),
            Case([np.array([[True, False]]), np.array([2], np.int64)], {}, (1,), rtol=0, atol=0),
        ]
