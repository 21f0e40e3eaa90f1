# SPDX-License-Identifier: Apache-2.0
"""Split: cuts a tensor into pieces along an axis (ONNX Split)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tealight.ir.types import TensorType
from tealight.ops._registry import Case, OpDef, register


@register
class Split(OpDef):
    """Result i holds the next sizes[i] elements of x on `axis`; sizes add up to the axis."""

    name = "split"
    inputs = ("x",)
    outputs = ("y*",)
    required = ("axis", "sizes")

    def infer(self, *inputs: TensorType | None, **attrs: Any) -> Sequence[TensorType]:
        """Returns one type per size."""
        (x,) = inputs
        assert x is not None
        axis, sizes = attrs["axis"], [int(s) for s in attrs["sizes"]]
        self.normal_axis(axis, x.rank)
        axis %= x.rank
        size = x.shape[axis]
        if any(s < 0 for s in sizes) or (isinstance(size, int) and sum(sizes) != size):
            raise self.error("sizes", found=sizes, expected=f"sizes that add up to {size}")
        parts = [None] * len(sizes) if x.const is None else np.split(x.const, np.cumsum(sizes)[:-1], axis)
        return [
            TensorType(x.dtype, (*x.shape[:axis], s, *x.shape[axis + 1 :]), part)
            for s, part in zip(sizes, parts, strict=True)
        ]

    def reference(self, *inputs: np.ndarray | None, **attrs: Any) -> Sequence[np.ndarray]:
        """numpy.split."""
        (x,) = inputs
        assert x is not None
        parts = np.split(x, np.cumsum(attrs["sizes"])[:-1].astype(int), attrs["axis"])
        return [np.ascontiguousarray(p) for p in parts]

    def cases(self) -> list[Case]:
        """Channels, outer axes, an empty piece, one piece, other element sizes."""
        half = np.arange(30).reshape(5, 6).astype(np.float16)
        exact: dict[str, Any] = {"rtol": 0.0, "atol": 0.0, "why": "nothing is computed"}
        return [
            Case([(1, 5, 7, 48)], {"axis": -1, "sizes": [16, 31, 1]}, outputs=3, **exact),
            Case([(1, 6, 7, 3)], {"axis": 1, "sizes": [2, 4]}, outputs=2, **exact),
            Case([(2, 3)], {"axis": 1, "sizes": [3]}, **exact),
            Case([(2, 3)], {"axis": -1, "sizes": [1, 0, 2]}, outputs=3, **exact),
            Case([(0, 4)], {"axis": 1, "sizes": [1, 3]}, outputs=2, **exact),
            Case(
                [np.arange(720).reshape(1, 3, 5, 48).astype(np.int8)],
                {"axis": 3, "sizes": [16, 31, 1]},
                outputs=3,
                **exact,
            ),
            Case([half], {"axis": 0, "sizes": [1, 4]}, outputs=2, **exact),
            Case([np.arange(7)], {"axis": 0, "sizes": [3, 4]}, outputs=2, **exact),
        ]
