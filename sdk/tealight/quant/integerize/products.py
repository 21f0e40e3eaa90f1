# SPDX-License-Identifier: Apache-2.0
"""The product of two computed tensors: matmul, and attention taken apart into it."""

from __future__ import annotations

import numpy as np

from tealight.ir.graph import Node
from tealight.quant import numerics
from tealight.quant.integerize._context import Context


def matmul(context: Context, node: Node) -> None:
    """Turns dequantize, dequantize -> matmul -> quantize into q_matmul; alpha goes into the scale."""
    a, b, target = context.operand(node, 0), context.operand(node, 1), context.target(node)
    scale = numerics.odd_scale(abs(a.scale * b.scale * float(node.attrs["alpha"]) / target.scale))
    if node.attrs["alpha"] < 0:
        scale = np.float32(-scale)
    k = a.value.shape[-2 if node.attrs["transpose_a"] else -1]
    wide = not isinstance(k, int) or numerics.is_wide(
        np.array(float(k) * _most(a.zero_point) * _most(b.zero_point)), np.abs(scale)
    )
    attrs = {
        "transpose_a": node.attrs["transpose_a"], "transpose_b": node.attrs["transpose_b"],
        "a_zero_point": a.zero_point, "b_zero_point": b.zero_point, "scale": float(scale),
        "output": target.requantization(wide),
    }  # fmt: skip
    context.emit("q_matmul", [a.value, b.value], attrs, node, target)


def _most(zero_point: int) -> int:
    """Returns the greatest |q - zero_point|."""
    return max(128 + zero_point, 127 - zero_point)
