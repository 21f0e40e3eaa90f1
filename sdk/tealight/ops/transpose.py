# SPDX-License-Identifier: Apache-2.0
"""Transpose: reorders the dims (ONNX Transpose)."""

from __future__ import annotations

from typing import Any

import numpy as np

from tealight.ir.types import TensorType
from tealight.ops._registry import Case, OpDef, register


@register
class Transpose(OpDef):
    """y.shape[i] = x.shape[perm[i]]; an empty perm reverses the dims. Any dtype of whole bytes."""

    name = "transpose"
    inputs = ("x",)
    required = ("perm",)

    def infer(self, *inputs: TensorType | None, **attrs: Any) -> TensorType:
        """Returns x with its dims reordered."""
        (x,) = inputs
        assert x is not None
        perm = list(attrs["perm"]) or list(range(x.rank))[::-1]
        if sorted(perm) != list(range(x.rank)):
            raise self.error("perm", found=perm, expected=f"each of 0 to {x.rank - 1} once")
        const = None if x.const is None else np.transpose(x.const, perm)
        return TensorType(x.dtype, tuple(x.shape[p] for p in perm), const)

    def reference(self, *inputs: np.ndarray | None, **attrs: Any) -> np.ndarray:
        """numpy.transpose."""
        (x,) = inputs
        assert x is not None
        return np.array(np.transpose(x, list(attrs["perm"]) or None), order="C")

    def cases(self) -> list[Case]:
        """Image layouts both ways, batched 2-d transposes, every element size, many and degenerate dims."""
        rng = np.random.default_rng(6)

        def ints(dtype: type, *shape: int) -> np.ndarray:
            return rng.integers(0, 100, shape).astype(dtype)

        exact: dict[str, Any] = {"rtol": 0.0, "atol": 0.0, "why": "nothing is computed"}
        return [
            Case([x], {"perm": perm}, **exact)
            for x, perm in (
                ((1, 3, 17, 19), [0, 2, 3, 1]),
                ((1, 17, 19, 3), [0, 3, 1, 2]),
                ((2, 37, 5, 9), [0, 2, 3, 1]),
                ((1, 33, 35, 32), [0, 3, 1, 2]),
                ((1, 65, 130), [0, 2, 1]),
                ((2, 7, 4, 16), [0, 2, 1, 3]),
                ((2, 7, 4, 16), [0, 2, 3, 1]),
                ((3, 4, 5), []),
                ((5,), [0]),
                ((), []),
                ((2, 3, 2, 3, 2, 3), [5, 0, 4, 1, 3, 2]),
                ((2, 1, 3, 1, 2, 1, 3, 2), [7, 6, 1, 0, 5, 4, 3, 2]),
                ((4, 0, 3), [2, 1, 0]),
                (ints(np.int8, 1, 3, 21, 22), [0, 2, 3, 1]),
                (ints(np.uint8, 70, 41), [1, 0]),
                (ints(np.float16, 35, 19), [1, 0]),
                (ints(np.int64, 9, 33), [1, 0]),
                (ints(np.int64, 3, 4, 5), [1, 0, 2]),
                (ints(np.bool_, 5, 6, 7), [2, 0, 1]),
                (ints(np.int16, 6, 5, 2), [1, 0, 2]),
            )
        ]
