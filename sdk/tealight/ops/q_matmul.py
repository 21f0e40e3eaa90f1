# SPDX-License-Identifier: Apache-2.0
"""QMatmul: the product of two computed int8 matrices, batched with broadcasting, requantized with one scale."""

from __future__ import annotations

from typing import Any

import numpy as np

from tealight.ir.graph import Node
from tealight.ir.types import DType, TensorType
from tealight.ops._quantized import case_int8, check_int8, check_output, requantize
from tealight.ops._registry import Case, OpDef, register
from tealight.ops.matmul import matmul_shape, product_macs
from tealight.quant import numerics


@register
class QMatmul(OpDef):
    """y = requantize(sum over k of (a - a_zero_point) * (b - b_zero_point), scale) by `output`.

    a int8 [..., m, k] ([..., k, m] when transpose_a), b int8 [..., k, n] ([..., n, k] when transpose_b), as matmul.
    Sums are int32 and wrap around.
    """

    name = "q_matmul"
    inputs = ("a", "b")
    defaults = {
        "transpose_a": False, "transpose_b": False, "a_zero_point": 0, "b_zero_point": 0, "scale": 0.0, "output": None
    }  # fmt: skip

    def infer(self, *inputs: TensorType | None, **attrs: Any) -> TensorType:
        """Returns int8 [..., m, n]."""
        a, b = inputs
        assert a is not None and b is not None
        if a.dtype is not DType.INT8 or b.dtype is not DType.INT8:
            raise self.error("dtype", found=f"{a.dtype.label} and {b.dtype.label}", expected="int8")
        check_int8(self.error, a_zero_point=attrs["a_zero_point"], b_zero_point=attrs["b_zero_point"])
        check_output(self.error, attrs["output"])
        return TensorType(DType.INT8, matmul_shape(self.error, a, b, attrs["transpose_a"], attrs["transpose_b"]))

    def reference(self, *inputs: np.ndarray | None, **attrs: Any) -> np.ndarray:
        """Exact."""
        a, b = inputs
        assert a is not None and b is not None
        left = a.astype(np.int64) - attrs["a_zero_point"]
        right = b.astype(np.int64) - attrs["b_zero_point"]
        left = left.swapaxes(-1, -2) if attrs["transpose_a"] else left
        right = right.swapaxes(-1, -2) if attrs["transpose_b"] else right
        return requantize(np.matmul(left, right), np.array(attrs["scale"], np.float32), attrs["output"])

    def macs(self, node: Node) -> int:
        """Returns elements of y times k."""
        return product_macs(node)

    def cases(self) -> list[Case]:
        """One row, few, many; each transposition; zero points; tails of k and n; batches; vectors; empty matrices."""
        rng = np.random.default_rng(48)

        def case(a: tuple[int, ...], b: tuple[int, ...], points: tuple[int, int] = (0, 0), **attrs: Any) -> Case:
            k = max(a[-2] if attrs.get("transpose_a") else a[-1], 1)
            scale = numerics.odd_scale(attrs.pop("scale", 0.008 / k**0.5))
            wide = numerics.is_wide(np.array(255.0 * 255.0 * k), np.asarray(scale))
            attrs |= {"a_zero_point": points[0], "b_zero_point": points[1], "scale": float(scale)}
            attrs["output"] = {"zero_point": -4, "lo": -127, "hi": 126, "wide": wide}
            return Case([case_int8(rng, a), case_int8(rng, b)], attrs, rtol=0, atol=0)

        return [
            case((5, 7), (7, 3)),
            case((1, 64), (64, 48), (3, 0)),
            case((1, 64), (64, 51), (0, -7)),
            case((3, 33), (33, 40), (5, -9)),
            case((40, 300), (300, 70), (-128, 127)),
            case((40, 33), (70, 33), (-128, 11), transpose_b=True),
            case((1, 33), (70, 33), transpose_b=True),
            case((33, 40), (33, 70), (2, 3), transpose_a=True),
            case((33, 40), (70, 33), (-3, 9), transpose_a=True, transpose_b=True),
            case((1, 3, 197, 64), (1, 3, 197, 64), (4, -6), transpose_b=True),
            case((1, 3, 197, 197), (1, 3, 197, 64), (-128, 5)),
            case((2, 3, 17, 16), (2, 3, 16, 19), (7, 8)),
            case((2, 1, 17, 16), (3, 16, 19)),
            case((17, 16), (2, 3, 16, 19), (1, 1)),
            case((2, 3, 17, 16), (16, 33), (0, 2)),
            case((16,), (16, 33), (9, 9)),
            case((4, 5, 15), (15,), (3, 3)),
            case((16,), (16,)),
            case((2, 1, 9), (2, 9, 1), (5, 6)),
            case((3, 0), (0, 4), (1, 2)),
            case((0, 3), (3, 4)),
            case((130, 4000), (4000, 33), (100, -100), scale=1e-6),
        ]
