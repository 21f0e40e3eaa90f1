# SPDX-License-Identifier: Apache-2.0
"""Concat: lays tensors one after another along an axis (ONNX Concat)."""

from __future__ import annotations

from typing import Any

import numpy as np

from tealight.ir.types import Dim, TensorType
from tealight.ops._registry import Case, OpDef, register
from tealight.ops._window import derived_dim


@register
class Concat(OpDef):
    """All operands have one dtype and rank and equal dims but on `axis` (negative counts from the end)."""

    name = "concat"
    inputs = ("x*",)
    required = ("axis",)

    def infer(self, *inputs: TensorType | None, **attrs: Any) -> TensorType:
        """Returns the operands' shape with the sizes on `axis` added up."""
        xs = [x for x in inputs if x is not None]
        if not xs:
            raise self.error("operands", found=0, expected="at least 1")
        first, axis = xs[0], attrs["axis"]
        self.normal_axis(axis, first.rank)
        axis %= first.rank
        shape: list[Dim] = list(first.shape)
        for x in xs[1:]:
            if x.dtype is not first.dtype or x.rank != first.rank:
                raise self.error("operand", found=x, expected=f"dtype and rank of {first}")
            for d, (a, b) in enumerate(zip(shape, x.shape, strict=True)):
                if d != axis and isinstance(a, int) and isinstance(b, int) and a != b:
                    raise self.error("operand", found=x, expected=f"the dims of {first} but on axis {axis}")
                if d != axis and isinstance(b, int):
                    shape[d] = b
        sizes = [x.shape[axis] for x in xs]
        fixed = [s for s in sizes if isinstance(s, int)]
        shape[axis] = sum(fixed) if len(fixed) == len(sizes) else derived_dim("sum", *sizes)
        known = [x.const for x in xs if x.const is not None]
        const = np.concatenate(known, axis) if len(known) == len(xs) else None
        return TensorType(first.dtype, tuple(shape), const)

    def reference(self, *inputs: np.ndarray | None, **attrs: Any) -> np.ndarray:
        """numpy.concatenate."""
        return np.concatenate([x for x in inputs if x is not None], attrs["axis"])

    def cases(self) -> list[Case]:
        """Channels, outer axes, empty operands, one operand, other element sizes."""
        rng = np.random.default_rng(7)

        def ints(dtype: type, *shape: int) -> np.ndarray:
            return rng.integers(0, 100, shape).astype(dtype)

        exact: dict[str, Any] = {"rtol": 0.0, "atol": 0.0, "why": "nothing is computed"}
        return [
            Case([(1, 5, 7, 16), (1, 5, 7, 3), (1, 5, 7, 33)], {"axis": -1}, **exact),
            Case([(1, 5, 7, 3), (1, 2, 7, 3)], {"axis": 1}, **exact),
            Case([(1, 5, 3), (4, 5, 3)], {"axis": 0}, **exact),
            Case([(2, 3)], {"axis": 1}, **exact),
            Case([(2, 3), (2, 0), (2, 1)], {"axis": 1}, **exact),
            Case([(0, 3), (0, 2)], {"axis": 1}, **exact),
            Case([ints(np.int64, 1), ints(np.int64, 3)], {"axis": 0}, **exact),
            Case([ints(np.int8, 9, 5), ints(np.int8, 9, 6)], {"axis": 1}, **exact),
            Case([ints(np.float16, 3, 5, 2), ints(np.float16, 3, 4, 2)], {"axis": -2}, **exact),
            Case([(2, 3, 1)] * 17, {"axis": 2}, **exact),
        ]
