# SPDX-License-Identifier: Apache-2.0
"""QFullyConnected: an int8 matrix product with a constant, requantized."""

from __future__ import annotations

from typing import Any

import numpy as np

from tealight.ir.graph import Node
from tealight.ir.types import DType, Layout, TensorType
from tealight.ops._quantized import (
    case_channels,
    case_int8,
    check_channels,
    check_epilogue,
    check_int8,
    check_output,
    epilogue,
)
from tealight.ops._registry import Case, OpDef, register


@register
class QFullyConnected(OpDef):
    """y[..., j] = epilogue(bias[j] + sum over i of x[..., i] * weight[j, i]).

    x int8 [..., k], weight int8 [n, k], bias int32 [n] with -x_zero_point * sum(weight) folded in, scale float32 [n],
    residual int8 [..., n]?, table int8 [256]?. With weight_zero_point the sum also gets -weight_zero_point *
    (sum of x - k * x_zero_point). epilogue: requantize by `output`, look up in table, add the residual.
    """

    name = "q_fully_connected"
    inputs = ("x", "weight", "bias", "scale", "residual?", "table?")
    defaults = {"x_zero_point": 0, "weight_zero_point": 0, "output": None, "residual_add": None}
    layouts = {"weight": Layout.GEMM_N32K4, "bias": Layout.PAD_N32, "scale": Layout.PAD_N32}

    def infer(self, *inputs: TensorType | None, **attrs: Any) -> TensorType:
        """Returns int8 [..., n]."""
        x, weight, bias, scale, residual, table = (*inputs, None, None)[:6]
        assert x is not None and weight is not None and bias is not None and scale is not None
        if x.dtype is not DType.INT8 or weight.dtype is not DType.INT8:
            raise self.error("dtype", found=f"{x.dtype.label} and {weight.dtype.label}", expected="int8")
        if x.rank < 1 or weight.rank != 2 or (isinstance(x.shape[-1], int) and x.shape[-1] != weight.shape[1]):
            raise self.error("weight", found=f"{weight} for x {x}", expected="[n, k] for x [..., k]")
        check_channels(self.error, "bias", bias, DType.INT32, weight.shape[0])
        check_channels(self.error, "scale", scale, DType.FLOAT32, weight.shape[0])
        check_int8(self.error, x_zero_point=attrs["x_zero_point"], weight_zero_point=attrs["weight_zero_point"])
        check_output(self.error, attrs["output"])
        y = TensorType(DType.INT8, (*x.shape[:-1], weight.shape[0]))
        check_epilogue(self.error, y, residual, table, attrs["residual_add"])
        return y

    def reference(self, *inputs: np.ndarray | None, **attrs: Any) -> np.ndarray:
        """Exact."""
        x, weight, bias, scale, residual, table = (*inputs, None, None)[:6]
        assert x is not None and weight is not None and bias is not None and scale is not None
        wide_x = x.astype(np.int64)
        sums = wide_x @ weight.astype(np.int64).T + bias
        row_sums = wide_x.sum(axis=-1, keepdims=True) - x.shape[-1] * attrs["x_zero_point"]
        sums = sums - attrs["weight_zero_point"] * row_sums
        return epilogue(sums, scale, attrs["output"], residual, table, attrs["residual_add"])

    def macs(self, node: Node) -> int:
        """Returns elements of y times k."""
        y, weight = node.outputs[0], node.inputs[1]
        if y is None or weight is None or not y.type.is_static:
            return 0
        return y.type.elements * int(weight.shape[1])

    def cases(self) -> list[Case]:
        """One row, few rows, many rows; tails of k and of columns; every part of the epilogue; extreme values."""
        rng = np.random.default_rng(11)

        def case(
            shape: tuple[int, ...], n: int, residual: bool = False, table: bool = False, extreme: bool = False,
            large_sums: bool = False, **attrs: Any,
        ) -> Case:  # fmt: skip
            x, weight = case_int8(rng, shape), case_int8(rng, (n, shape[-1]), -127)
            if extreme:
                x = np.where(x < 0, -128, 127).astype(np.int8)
                weight = np.where(weight < 0, -127, 127).astype(np.int8)
            bias, scale, wide = case_channels(rng, weight, large_sums)
            output = {"zero_point": -3, "wide": wide, **attrs.pop("output", {})}
            inputs: list[Any] = [x, weight, bias, scale, None, None]
            if residual:
                inputs[4] = case_int8(rng, (*shape[:-1], n))
                attrs["residual_add"] = {"a_scale": 0.75, "b_scale": 0.4375001, "offset": 1.25, "lo": -120, "hi": 99}
            if table:
                inputs[5] = case_int8(rng, (256,))
            while inputs[-1] is None:
                inputs.pop()
            return Case(inputs, {"output": output, **attrs}, (1, 2, 3), rtol=0, atol=0)

        return [
            case((1, 1280), 1000),
            case((1, 37), 5, output={"lo": -3}),
            case((37,), 19),
            case((2, 3, 64), 130, table=True),
            case((3, 17), 16, residual=True),
            case((29, 31), 7, residual=True, table=True, output={"lo": -3, "hi": 90}),
            case((128, 64), 192),
            case((100, 96), 24),
            case((13, 1), 33),
            case((5, 100), 1, large_sums=True),
            case((0, 8), 4),
            case((7, 8), 300, large_sums=True, residual=True),
            case((31, 256), 64, extreme=True),
            case((9, 50), 40, x_zero_point=-7, weight_zero_point=5),
            case((17, 512), 96, x_zero_point=12, weight_zero_point=-4, residual=True),
        ]
