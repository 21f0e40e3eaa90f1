# SPDX-License-Identifier: Apache-2.0
"""ReverseSequence: reverses the first elements of each sequence of a batch (ONNX ReverseSequence-10)."""

from __future__ import annotations

from typing import Any

import numpy as np

from tealight.ir.types import DType, TensorType
from tealight.ops._registry import Case, OpDef, register
from tealight.ops.gather import same_dim

_EXACT: dict[str, Any] = {"rtol": 0.0, "atol": 0.0, "why": "nothing is computed"}


@register
class ReverseSequence(OpDef):
    """y = x with the first sequence_lens[b] steps of batch entry b in reverse order; the two axes are any."""

    name = "reverse_sequence"
    inputs = ("x", "sequence_lens")
    defaults = {"batch_axis": 1, "time_axis": 0}

    def infer(self, x: TensorType, sequence_lens: TensorType, *, batch_axis: int, time_axis: int) -> TensorType:
        """Returns the type of x."""
        batch, time = self.normal_axis(batch_axis, x.rank), self.normal_axis(time_axis, x.rank)
        if batch == time:
            raise self.error("batch_axis", found=batch_axis, expected="another than time_axis")
        if sequence_lens.dtype is not DType.INT64 or sequence_lens.rank != 1:
            raise self.error("sequence_lens", found=sequence_lens, expected="int64 [batch]")
        if not same_dim(sequence_lens.shape[0], x.shape[batch]):
            raise self.error("sequence_lens", found=sequence_lens, expected=f"{x.shape[batch]} elements")
        return TensorType(x.dtype, x.shape)

    def reference(self, x: np.ndarray, sequence_lens: np.ndarray, *, batch_axis: int, time_axis: int) -> np.ndarray:
        """Reverses one sequence after the other."""
        y = x.copy()
        for b, length in enumerate(sequence_lens):
            if not 0 <= length <= x.shape[time_axis]:
                raise ValueError(f"length {length} at {b}, expected one in [0, {x.shape[time_axis]}]")
            at: list[Any] = [slice(None)] * x.ndim
            at[batch_axis], at[time_axis] = b, slice(0, int(length))
            time = time_axis % x.ndim - (time_axis % x.ndim > batch_axis % x.ndim)
            y[tuple(at)] = np.flip(x[tuple(at)], time)
        return y

    def cases(self) -> list[Case]:
        """Time first and batch first, lengths of 0, 1 and all, inner dims, other dtypes."""
        lens = np.array([0, 1, 5, 9, 4], np.int64)
        swapped = {"batch_axis": 0, "time_axis": 1}
        return [
            Case([(9, 5, 3), lens], **_EXACT),
            Case([(5, 9, 3), lens], swapped, **_EXACT),
            Case([(9, 5), lens], constants=(1,), **_EXACT),
            Case([(5, 9, 2, 7), lens], swapped, **_EXACT),
            Case([(2, 5, 3, 9), lens], {"batch_axis": 1, "time_axis": -1}, **_EXACT),
            Case([(0, 5), np.zeros(5, np.int64)], **_EXACT),
            Case([(3, 0), np.zeros(0, np.int64)], **_EXACT),
            Case([np.arange(45, dtype=np.int8).reshape(9, 5), lens], **_EXACT),
            Case([np.arange(45, dtype=np.int64).reshape(5, 9), lens], swapped, **_EXACT),
        ]
