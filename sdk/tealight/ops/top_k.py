# SPDX-License-Identifier: Apache-2.0
"""TopK: the k largest or smallest elements along an axis and where they were (ONNX TopK-24)."""

from __future__ import annotations

from typing import Any

import numpy as np

from tealight.ir.types import Dim, DType, TensorType
from tealight.ops._registry import Case, OpDef, register
from tealight.ops._window import fresh_dim, known

_EXACT: dict[str, Any] = {"rtol": 0.0, "atol": 0.0, "why": "nothing is computed"}
TYPES = (
    DType.FLOAT32, DType.FLOAT16, DType.FLOAT64, DType.INT8, DType.UINT8, DType.INT16, DType.UINT16, DType.INT32,
    DType.UINT32, DType.INT64, DType.UINT64,
)  # fmt: skip


@register
class TopK(OpDef):
    """values, indices: best first, whatever `sorted` says; of equal elements the lower index comes first.

    NaN counts as larger than every number, -0 as equal to +0.
    """

    name = "top_k"
    inputs = ("x", "k")
    outputs = ("values", "indices")
    defaults = {"axis": -1, "largest": True, "sorted": True}
    host_inputs = ("k",)

    def infer(self, x: TensorType, k: TensorType, *, axis: int, largest: bool, sorted: bool) -> list[TensorType]:
        """Returns x with k on `axis`, twice."""
        if x.dtype not in TYPES:
            raise self.error("x", found=x, expected="numbers")
        if k.dtype not in (DType.INT32, DType.INT64) or k.shape not in ((), (1,)):
            raise self.error("k", found=k, expected="int64[1]")
        axis = self.normal_axis(axis, x.rank)
        count = known(k.const)
        size: Dim = fresh_dim() if count is None else count[0]
        of = x.shape[axis]
        if isinstance(size, int) and (size < 0 or (isinstance(of, int) and size > of)):
            raise self.error("k", found=size, expected=f"one in [0, {of}]")
        shape = (*x.shape[:axis], size, *x.shape[axis + 1 :])
        return [TensorType(x.dtype, shape), TensorType(DType.INT64, shape)]

    def reference(
        self, x: np.ndarray, k: np.ndarray, *, axis: int, largest: bool, sorted: bool
    ) -> tuple[np.ndarray, np.ndarray]:
        """A stable sort; reversed twice where the largest are wanted, so that ties keep their order."""
        count, size = int(k.reshape(-1)[0]), x.shape[axis]
        if count > size:
            raise ValueError(f"k is {count}, expected at most {size}")
        if largest:
            order = np.flip(size - 1 - np.argsort(np.flip(x, axis), axis, kind="stable"), axis)
        else:
            order = np.argsort(x, axis, kind="stable")
        indices = np.take(order, np.arange(count), axis).astype(np.int64)
        return np.take_along_axis(x, indices, axis), indices

    def cases(self) -> list[Case]:
        """Few of many, all, none, every axis, ties, NaN and infinities, other dtypes."""
        rng = np.random.default_rng(16)

        def case(x: Any, k: int, constant: bool = True, **attrs: Any) -> Case:
            return Case([x, np.array([k], np.int64)], attrs, (1,) if constant else (), outputs=2, **_EXACT)

        ties = rng.integers(0, 4, (3, 41)).astype(np.float32)
        special = np.array([[1, np.nan, -np.inf, np.inf, -0.0, 0.0, np.nan, -1, np.inf]], np.float32)
        return [
            case((1, 1000), 5),
            case((2, 37), 37),
            case((2, 37), 1, largest=False),
            case((5, 7, 3), 4, axis=1),
            case((5, 7, 3), 2, axis=0, largest=False),
            case((5, 7), 3, constant=False),
            case((5, 7), 0),
            case((0, 7), 3),
            case((3, 130), 90, sorted=False),
            *(case(x, k, largest=big) for x, k in ((ties, 17), (special, 5), (special, 9)) for big in (True, False)),
            *(
                case(rng.integers(0, 100, (4, 33)).astype(t), 7, largest=big)
                for t in (np.int8, np.uint8, np.int32, np.int64, np.float16, np.float64, np.uint64)
                for big in (True, False)
            ),
            case(np.arange(2000, dtype=np.int32)[::-1].copy() % 701, 300),
        ]
