# SPDX-License-Identifier: Apache-2.0
"""ConstantOfShape, Range and EyeLike: tensors made from numbers (ONNX opsets 9, 11 and 22)."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tealight.ir.types import Dim, DType, TensorType
from tealight.ops._registry import Case, OpDef, register
from tealight.ops._window import fresh_dim, known

_EXACT: dict[str, Any] = {"rtol": 0.0, "atol": 0.0, "why": "the same operations"}


@register
class ConstantOfShape(OpDef):
    """y = a tensor of the given shape, every element `value`."""

    name = "constant_of_shape"
    inputs = ("shape", "value")
    host_inputs = ("shape",)

    def infer(self, shape: TensorType, value: TensorType) -> TensorType:
        """Returns the dtype of value in the shape; its dims are unknown where shape is computed."""
        if shape.dtype not in (DType.INT32, DType.INT64) or shape.rank != 1 or not isinstance(shape.shape[0], int):
            raise self.error("shape", found=shape, expected="int64 [k] of a known k")
        if value.shape not in ((), (1,)):
            raise self.error("value", found=value, expected="1 element")
        dims = known(shape.const)
        if dims is None:
            return TensorType(value.dtype, tuple(fresh_dim() for _ in range(shape.shape[0])))
        if any(d < 0 for d in dims):
            raise self.error("shape", found=dims, expected="dims of at least 0")
        return TensorType(value.dtype, tuple(dims))

    def reference(self, shape: np.ndarray, value: np.ndarray) -> np.ndarray:
        """numpy.full."""
        return np.full(tuple(map(int, shape)), value.reshape(-1)[0], value.dtype)

    def cases(self) -> list[Case]:
        """Constant and computed shapes, scalars, nothing, every element size."""

        def case(dims: list[int], value: Any, constants: tuple[int, ...] = (0, 1)) -> Case:
            return Case([np.array(dims, np.int64), np.array([value])], {}, constants, **_EXACT)

        return [
            case([3, 37], np.float32(-1.5)),
            case([], np.float32(2)),
            case([4, 0], np.float32(2)),
            case([5, 3], np.int64(-7), (1,)),
            case([5, 3], np.int8(-7), ()),
            case([5, 3], np.float16(0.5)),
            case([2, 9], np.bool_(True)),
            case([70000], np.int32(123456789)),
        ]


@register
class Range(OpDef):
    """y[i] = start + i * delta, of ceil((limit - start) / delta) elements, none when that is negative.

    The count is computed in float64 for float operands and exactly for integers. float32 elements are one
    multiplication and one addition, each rounded.
    """

    name = "range"
    inputs = ("start", "limit", "delta")
    host_inputs = ("start", "limit", "delta")

    def infer(self, start: TensorType, limit: TensorType, delta: TensorType) -> TensorType:
        """Returns a vector, of known length where all operands are."""
        allowed = (DType.FLOAT32, DType.FLOAT64, DType.INT16, DType.INT32, DType.INT64)
        for name, operand in (("start", start), ("limit", limit), ("delta", delta)):
            if operand.dtype not in allowed or operand.dtype is not start.dtype or operand.shape != ():
                raise self.error(name, found=operand, expected=f"a scalar of dtype {start.dtype.label}")
        size: Dim = fresh_dim()
        if start.const is not None and limit.const is not None and delta.const is not None:
            size = self._count(start.const, limit.const, delta.const)
        return TensorType(start.dtype, (size,))

    def _count(self, start: np.ndarray, limit: np.ndarray, delta: np.ndarray) -> int:
        if start.dtype.kind == "i":
            a, b, d = int(start), int(limit), int(delta)
            if d == 0:
                raise self.error("delta", found=0, expected="another number")
            return max(0, -((a - b) // d))
        steps = (float(limit) - float(start)) / float(delta) if float(delta) else math.nan
        if not abs(steps) < 2.0**31:
            raise self.error("delta", found=f"{steps} steps", expected="fewer than 2^31")
        return max(0, math.ceil(steps))

    def reference(self, start: np.ndarray, limit: np.ndarray, delta: np.ndarray) -> np.ndarray:
        """The formula."""
        steps = np.arange(self._count(start, limit, delta)).astype(start.dtype)
        return np.asarray(start + steps * delta).astype(start.dtype)

    def cases(self) -> list[Case]:
        """Up, down, nothing, fractions, every dtype."""

        def case(dtype: type, start: float, limit: float, delta: float, constant: bool = True) -> Case:
            operands: list[np.ndarray | None] = [np.array(v, dtype) for v in (start, limit, delta)]
            return Case(operands, {}, (0, 1, 2) if constant else (), **_EXACT)

        return [
            case(np.int64, 0, 37, 1),
            case(np.int64, 3, -20, -7),
            case(np.int64, 3, 3, 1),
            case(np.int64, 3, 9, -1),
            case(np.int64, -(2**63), 2**63 - 1, 2**62),
            case(np.int32, 5, 50, 4, constant=False),
            case(np.int16, -3, 10, 6),
            case(np.float32, 0, 1, 0.1),
            case(np.float32, 1.5, -3, -0.7, constant=False),
            case(np.float64, 0, 10, 0.3),
            case(np.float32, 0, 129, 1),
        ]


@register
class EyeLike(OpDef):
    """y = 1 on the k-th diagonal of a matrix like x, 0 elsewhere; dtype 0 is that of x (else a value of DType)."""

    name = "eye_like"
    inputs = ("x",)
    defaults = {"k": 0, "dtype": 0}

    def infer(self, x: TensorType, *, k: int, dtype: int) -> TensorType:
        """Returns the shape of x."""
        if x.rank != 2:
            raise self.error("x", found=x, expected="a matrix")
        if not 0 <= dtype <= DType.BFLOAT16.value:
            raise self.error("dtype", found=dtype, expected=f"one in [0, {DType.BFLOAT16.value}]")
        return TensorType(DType(dtype) if dtype else x.dtype, x.shape)

    def reference(self, x: np.ndarray, *, k: int, dtype: int) -> np.ndarray:
        """numpy.eye."""
        return np.eye(x.shape[0], x.shape[1], k, DType(dtype).numpy if dtype else x.dtype)

    def cases(self) -> list[Case]:
        """Wide, tall, empty, diagonals inside and outside, other dtypes."""
        return [
            *(Case([(4, 7)], {"k": k}, **_EXACT) for k in (0, 2, -3, 7, -4, 100, -(2**31))),
            Case([(7, 4)], {"k": -2}, **_EXACT),
            Case([(0, 4)], **_EXACT),
            *(
                Case([(3, 3)], {"dtype": d.value}, **_EXACT)
                for d in (DType.INT64, DType.BOOL, DType.FLOAT16, DType.INT8, DType.FLOAT64)
            ),
            Case([np.ones((2, 3), np.int32)], {"k": 1}, **_EXACT),
        ]
