# SPDX-License-Identifier: Apache-2.0
"""MatmulInteger: the int32 product of two matrices of 8-bit integers (ONNX MatMulInteger-10)."""

from __future__ import annotations

from typing import Any

import numpy as np

from tealight.ir.graph import Node
from tealight.ir.types import DType, TensorType
from tealight.ops._registry import Case, OpDef, register
from tealight.ops.matmul import matmul_shape, product_macs

BYTES = (DType.INT8, DType.UINT8)


@register
class MatmulInteger(OpDef):
    """y = (a - a_zero_point) @ (b - b_zero_point), int32 sums that wrap around.

    a int8 or uint8 [..., m, k], b int8 or uint8 [..., k, n]; zero points of their operand's dtype: one element, or
    a's [m], b's [n] (also with dims of 1 around them).
    """

    name = "matmul_integer"
    inputs = ("a", "b", "a_zero_point?", "b_zero_point?")

    def infer(self, *inputs: TensorType | None, **attrs: Any) -> TensorType:
        """Returns int32 [..., m, n]."""
        a, b, a_zero, b_zero = (*inputs, None, None)[:4]
        assert a is not None and b is not None
        for name, operand in (("a", a), ("b", b)):
            if operand.dtype not in BYTES:
                raise self.error(name, found=operand.dtype.label, expected="int8 or uint8")
        shape = matmul_shape(self.error, a, b, False, False)
        rows, columns = (a.shape[-2] if a.rank > 1 else 1), (b.shape[-1] if b.rank > 1 else 1)
        for name, zero, operand, many in (("a_zero_point", a_zero, a, rows), ("b_zero_point", b_zero, b, columns)):
            if zero is None:
                continue
            fits = not zero.is_static or zero.elements == 1 or not isinstance(many, int) or zero.elements == many
            if zero.dtype is not operand.dtype or not fits:
                raise self.error(name, found=zero, expected=f"1 or {many} elements of {operand.dtype.label}")
        return TensorType(DType.INT32, shape)

    def reference(self, *inputs: np.ndarray | None, **attrs: Any) -> np.ndarray:
        """Exact."""
        a, b, a_zero, b_zero = (*inputs, None, None)[:4]
        assert a is not None and b is not None
        left, right = a.astype(np.int64), b.astype(np.int64)
        if a_zero is not None:
            left = left - (a_zero.reshape(-1, 1) if a.ndim > 1 else a_zero.reshape(-1)).astype(np.int64)
        if b_zero is not None:
            right = right - b_zero.reshape(-1).astype(np.int64)
        return np.asarray(np.matmul(left, right)).astype(np.int32)

    def macs(self, node: Node) -> int:
        """Returns elements of y times k."""
        return product_macs(node)

    def cases(self) -> list[Case]:
        """Every pair of dtypes and of forms of zero points; tails; batches; vectors."""
        rng = np.random.default_rng(49)

        def data(shape: tuple[int, ...], dtype: DType) -> np.ndarray:
            return rng.integers(0, 256, shape).astype(np.uint8).view(dtype.numpy)

        def case(
            a: tuple[int, ...], b: tuple[int, ...], dtypes: tuple[DType, DType], points: tuple[Any, Any] = (None, None)
        ) -> Case:
            inputs = [data(a, dtypes[0]), data(b, dtypes[1])]
            return Case([*inputs, *(None if p is None else data(p, d) for p, d in zip(points, dtypes, strict=True))])

        cases = []
        for left in BYTES:
            for right in BYTES:
                pair = (left, right)
                cases += [case((37, 33), (33, 41), pair), case((37, 33), (33, 41), pair, ((), ()))]
                cases += [case((5, 64), (64, 35), pair, ((5,), (35,))), case((2, 3, 9, 8), (8, 33), pair, ((9, 1), ()))]
        both = (DType.UINT8, DType.INT8)
        cases += [case((2, 3, 9, 8), (2, 1, 8, 5), both, ((1,), (5,))), case((16,), (16, 33), both, ((), (33,)))]
        cases += [case((4, 15), (15,), both, ((4,), ())), case((7,), (7,), both), case((3, 0), (0, 4), both, ((), ()))]
        return [*cases, case((0, 3), (3, 4), both), case((128, 512), (512, 130), both, ((), None))]
