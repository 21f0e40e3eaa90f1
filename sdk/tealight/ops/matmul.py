# SPDX-License-Identifier: Apache-2.0
"""Matmul: the product of two computed matrices, batched with broadcasting (ONNX MatMul-13, FusedMatMul's flags)."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from tealight.ir.graph import Node
from tealight.ir.types import Dim, DType, TensorType
from tealight.ops._registry import Case, OpDef, register


def matmul_shape(
    error: Callable[..., Exception], a: TensorType, b: TensorType, transpose_a: bool, transpose_b: bool
) -> tuple[Dim, ...]:
    """Returns the shape of a @ b; raises error(...) where they do not fit."""
    if a.rank < 1 or b.rank < 1:
        raise error("operands", found=f"{a} and {b}", expected="at least one dim each")
    if (a.rank == 1 and transpose_a) or (b.rank == 1 and transpose_b):
        raise error("operands", found=f"{a} and {b}", expected="no transposed vector")
    am, ak = a.shape[-2:] if a.rank > 1 else (1, a.shape[0])
    bk, bn = b.shape[-2:] if b.rank > 1 else (b.shape[0], 1)
    if transpose_a:
        am, ak = ak, am
    if transpose_b:
        bk, bn = bn, bk
    if isinstance(ak, int) and isinstance(bk, int) and ak != bk:
        raise error("operands", found=f"{a} and {b}", expected="the same inner dim")
    dims = _broadcast(error, a, b)
    dims += [am] if a.rank > 1 else []
    dims += [bn] if b.rank > 1 else []
    return tuple(dims)


def _broadcast(error: Callable[..., Exception], a: TensorType, b: TensorType) -> list[Dim]:
    left, right = list(a.shape[:-2]), list(b.shape[:-2])
    rank = max(len(left), len(right))
    left = [*[1] * (rank - len(left)), *left]
    right = [*[1] * (rank - len(right)), *right]
    result: list[Dim] = []
    for p, q in zip(left, right, strict=True):
        if isinstance(p, int) and isinstance(q, int) and p != q and 1 not in (p, q):
            raise error("operands", found=f"{a} and {b}", expected="leading dims that broadcast")
        if p == 1 or (isinstance(q, int) and q != 1):
            result.append(q)
        else:
            result.append(p)
    return result


def product_macs(node: Node) -> int:
    """Returns the elements of y times k of a matrix product's node."""
    y, a = node.outputs[0], node.inputs[0]
    if y is None or a is None or not y.type.is_static or not a.type.is_static:
        return 0
    k = a.shape[-2] if node.attrs.get("transpose_a") else a.shape[-1]
    return math.prod(int(d) for d in y.shape) * int(k)


@register
class Matmul(OpDef):
    """y = alpha * (a @ b).

    a [..., m, k] ([..., k, m] when transpose_a), b [..., k, n] ([..., n, k] when transpose_b); the leading dims
    broadcast. A vector a is one row, a vector b one column, and that dim is absent from y. Each element is one chain
    of fused multiply-adds in ascending k from +0; alpha multiplies the finished sum.
    """

    name = "matmul"
    inputs = ("a", "b")
    defaults = {"transpose_a": False, "transpose_b": False, "alpha": 1.0}

    def infer(self, a: TensorType, b: TensorType, **attrs: Any) -> TensorType:
        """Returns float32 [..., m, n]."""
        if a.dtype is not DType.FLOAT32 or b.dtype is not DType.FLOAT32:
            raise self.error("dtype", found=f"{a.dtype.label} and {b.dtype.label}", expected="float32")
        return TensorType(a.dtype, matmul_shape(self.error, a, b, attrs["transpose_a"], attrs["transpose_b"]))

    def reference(
        self, a: np.ndarray, b: np.ndarray, *, transpose_a: bool, transpose_b: bool, alpha: float
    ) -> np.ndarray:
        """Sums in float64."""
        left = a.swapaxes(-1, -2) if transpose_a else a
        right = b.swapaxes(-1, -2) if transpose_b else b
        return np.asarray(np.float32(alpha) * np.matmul(left.astype(np.float64), right.astype(np.float64)), np.float32)

    def macs(self, node: Node) -> int:
        """Returns elements of y times k."""
        return product_macs(node)

    def cases(self) -> list[Case]:
        """One row, few rows, many; each transposition; broadcast on either side; vectors and empty matrices."""

        def case(a: tuple[int, ...], b: tuple[int, ...], **attrs: Any) -> Case:
            return Case([a, b], attrs, rtol=1e-5, atol=3e-5, why="chains of up to 300 steps")

        return [
            case((5, 7), (7, 3)),
            case((1, 64), (64, 48)),
            case((1, 64), (64, 51)),
            case((3, 33), (33, 40)),
            case((40, 300), (300, 70)),
            case((40, 33), (70, 33), transpose_b=True),
            case((1, 33), (70, 33), transpose_b=True),
            case((33, 40), (33, 70), transpose_a=True, alpha=0.125),
            case((33, 40), (70, 33), transpose_a=True, transpose_b=True),
            case((2, 3, 17, 16), (2, 3, 16, 19), alpha=0.5),
            case((2, 1, 17, 16), (3, 16, 19)),
            case((17, 16), (2, 3, 16, 19)),
            case((2, 3, 17, 16), (16, 33)),
            case((16,), (16, 33)),
            case((4, 5, 16), (16,)),
            case((16,), (16,)),
            case((2, 1, 9), (2, 9, 1)),
            case((3, 0), (0, 4)),
            case((0, 3), (3, 4)),
        ]
