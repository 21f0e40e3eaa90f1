# SPDX-License-Identifier: Apache-2.0
"""FullyConnected: a matrix product with a constant (ONNX Gemm and MatMul with constant weights)."""

from __future__ import annotations

from typing import Any

import numpy as np

from tealight.ir.graph import Node
from tealight.ir.types import DType, Layout, TensorType
from tealight.ops._epilogue import finish
from tealight.ops._registry import Case, OpDef, register
from tealight.ops._stored import check_stored, restore, stored_cases


@register
class FullyConnected(OpDef):
    """y[..., j] = activation(bias[j] + sum over i of x[..., i] * weight[j, i] + residual[..., j]).

    x [..., k], weight [n, k], bias [n]?, residual [..., n]?. The sum is one chain of fused multiply-adds in ascending
    i that starts at the bias (or +0); the residual is added last. A weight of another dtype stands for
    float32(q - zero_point) * scale, with scale and zero_point [n]?, or [n, ceil(k / block_size)]?.
    """

    name = "fully_connected"
    inputs = ("x", "weight", "bias?", "residual?", "scale?", "zero_point?")
    defaults = {"activation": None, "block_size": 0}
    layouts = {"weight": Layout.GEMM_N16, "scale": Layout.GEMM_N16, "zero_point": Layout.GEMM_N16}

    def infer(self, *inputs: TensorType | None, **attrs: Any) -> TensorType:
        """Returns float32 [..., n]."""
        x, weight, bias, residual, scale, zero_point = (*inputs, *[None] * 4)[:6]
        assert x is not None and weight is not None
        if x.dtype is not DType.FLOAT32:
            raise self.error("x", found=x.dtype.label, expected="float32")
        if x.rank < 1 or weight.rank != 2 or (isinstance(x.shape[-1], int) and x.shape[-1] != weight.shape[1]):
            raise self.error("weight", found=f"{weight} for x {x}", expected="[n, k] for x [..., k]")
        check_stored(self.error, weight, scale, zero_point, attrs["block_size"])
        if bias is not None and bias.shape != weight.shape[:1]:
            raise self.error("bias", found=bias, expected=f"[{weight.shape[0]}]")
        y = TensorType(x.dtype, (*x.shape[:-1], weight.shape[0]))
        if residual is not None and residual.is_static and y.is_static and residual.shape != y.shape:
            raise self.error("residual", found=residual, expected=y)
        return y

    def reference(self, *inputs: np.ndarray | None, **attrs: Any) -> np.ndarray:
        """Sums in float64."""
        x, weight, bias, residual, scale, zero_point = (*inputs, *[None] * 4)[:6]
        assert x is not None and weight is not None
        weight = restore(weight, scale, zero_point, attrs["block_size"])
        return finish(x.astype(np.float64) @ weight.astype(np.float64).T, bias, residual, attrs["activation"])

    def macs(self, node: Node) -> int:
        """Returns elements of y times k."""
        y, weight = node.outputs[0], node.inputs[1]
        if y is None or weight is None or not y.type.is_static:
            return 0
        return y.type.elements * int(weight.shape[1])

    def cases(self) -> list[Case]:
        """One row (the vector product), few rows, many rows; column tails."""

        def case(x: tuple[int, ...], n: int, bias: bool = True, residual: bool = False, **attrs: Any) -> Case:
            inputs: list[Any] = [x, (n, x[-1]), (n,) if bias else None]
            if residual:
                inputs.append((*x[:-1], n))
            return Case(inputs, attrs, (1, 2) if bias else (1,), rtol=1e-5, atol=3e-5, why="chains of up to 1300 steps")

        gelu = {"kind": "gelu", "alpha": 0.0, "beta": 0.0}
        relu = {"kind": "relu", "alpha": 0.0, "beta": 0.0}
        stored: list[tuple[Any, ...]] = [
            (DType.FLOAT16, 0, False, ((1, 300), 131), {"residual": True}),
            (DType.FLOAT16, 0, False, ((128, 64), 192), {}),
            (DType.FLOAT16, 0, False, ((4, 31), 7), {"activation": relu}),
            (DType.INT8, 0, False, ((1, 1280), 1000), {}),
            (DType.INT8, 0, True, ((2, 37), 5), {"bias": False}),
            (DType.INT8, 32, False, ((3, 100), 33), {"residual": True}),
            (DType.INT8, 64, True, ((29, 130), 70), {"activation": gelu}),
            (DType.INT4, 0, False, ((1, 300), 131), {}),
            (DType.INT4, 32, False, ((1, 512), 100), {"residual": True, "activation": relu}),
            (DType.INT4, 128, False, ((5, 300), 50), {}),
            (DType.INT4, 8, True, ((37,), 19), {}),
            (DType.UINT4, 32, True, ((1, 256), 64), {}),
            (DType.UINT4, 64, True, ((2, 3, 100), 90), {}),
            (DType.UINT4, 32, False, ((0, 8), 4), {}),
        ]
        return [
            case((1, 1280), 1000),
            case((1, 37), 5, bias=False, activation=relu),
            case((37,), 19),
            case((2, 3, 64), 130, activation=gelu),
            case((3, 17), 16, residual=True),
            case((29, 31), 7, residual=True, activation=relu),
            case((128, 64), 192),
            case((13, 1), 33),
            case((5, 100), 1),
            case((0, 8), 4),
            case((7, 8), 300, bias=False),
            *stored_cases(case, stored),
        ]
