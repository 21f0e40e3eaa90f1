# SPDX-License-Identifier: Apache-2.0
"""DynamicFullyConnected: a float32 matrix product with int8 or int4 weights, its rows quantized while running."""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np

from tealight.ir.graph import Node
from tealight.ir.types import DType, Layout, TensorType
from tealight.ops._dynamic import quantize_rows, to_float
from tealight.ops._epilogue import finish
from tealight.ops._quantized import check_channels
from tealight.ops._registry import Case, OpDef, register


@register
class DynamicFullyConnected(OpDef):
    """y[..., j] = activation(fma(sum[..., j], x_scale * scale[j], bias[j]) + residual[..., j]).

    x float32 [..., k], weight int8 or int4 [n, k], scale float32 [n], bias float32 [n]?, residual [..., n]?.
    q, x_scale and x_zero_point of a row are those of numerics.dynamic_params, all of int8 (per_row false: of x as a
    whole); sum[j] = sum over i of (q[i] - x_zero_point) * weight[j, i] is exact.
    """

    name = "dynamic_fully_connected"
    inputs = ("x", "weight", "scale", "bias?", "residual?")
    defaults = {"per_row": True, "activation": None}
    layouts = {"weight": Layout.GEMM_N32K4, "scale": Layout.PAD_N32}

    def infer(self, *inputs: TensorType | None, **attrs: Any) -> TensorType:
        """Returns float32 [..., n]."""
        x, weight, scale, bias, residual = (*inputs, None, None)[:5]
        assert x is not None and weight is not None and scale is not None
        if x.dtype is not DType.FLOAT32 or weight.dtype not in (DType.INT8, DType.INT4):
            found = f"{x.dtype.label} and {weight.dtype.label}"
            raise self.error("dtype", found=found, expected="float32 and int8 or int4")
        if x.rank < 1 or weight.rank != 2 or (isinstance(x.shape[-1], int) and x.shape[-1] != weight.shape[1]):
            raise self.error("weight", found=f"{weight} for x {x}", expected="[n, k] for x [..., k]")
        check_channels(self.error, "scale", scale, DType.FLOAT32, weight.shape[0])
        if bias is not None:
            check_channels(self.error, "bias", bias, DType.FLOAT32, weight.shape[0])
        y = TensorType(x.dtype, (*x.shape[:-1], weight.shape[0]))
        if residual is not None and residual.is_static and y.is_static and residual.shape != y.shape:
            raise self.error("residual", found=residual, expected=y)
        return y

    def reference(self, *inputs: np.ndarray | None, **attrs: Any) -> np.ndarray:
        """Exact but for the activation."""
        x, weight, scale, bias, residual = (*inputs, None, None)[:5]
        assert x is not None and weight is not None and scale is not None
        rows = x.reshape(-1, x.shape[-1]) if attrs["per_row"] else x.reshape(1, -1)
        steps, x_scale, _ = quantize_rows(rows)
        sums = steps.reshape(-1, x.shape[-1]) @ weight.astype(np.int64).T
        y = to_float(sums, x_scale, scale, bias).reshape(*x.shape[:-1], weight.shape[0])
        return finish(y, None, residual, attrs["activation"])

    def macs(self, node: Node) -> int:
        """Returns elements of y times k."""
        y, weight = node.outputs[0], node.inputs[1]
        if y is None or weight is None or not y.type.is_static:
            return 0
        return y.type.elements * int(weight.shape[1])

    def cases(self) -> list[Case]:
        """One row, few and many; tails of k and n; both weight dtypes; rows of one sign, of zeros, with NaN."""
        rng = np.random.default_rng(31)

        def case(x: tuple[int, ...] | np.ndarray, n: int, bias: bool = True, **more: Any) -> Case:
            array = rng.standard_normal(x).astype(np.float32) if isinstance(x, tuple) else x
            limit, dtype = (8, ml_dtypes.int4) if more.pop("int4", False) else (128, np.int8)
            weight = rng.integers(1 - limit, limit, (n, array.shape[-1])).astype(dtype)
            scale = (rng.uniform(0.5, 2, n) / limit).astype(np.float32)
            inputs: list[Any] = [array, weight, scale, rng.standard_normal(n).astype(np.float32) if bias else None]
            if more.pop("residual", False):
                inputs.append(rng.standard_normal((*array.shape[:-1], n)).astype(np.float32))
            exact = more.get("activation", {"kind": "relu"})["kind"] in ("relu", "clip")
            constants = (1, 2, 3) if bias else (1, 2)
            return Case(inputs, more, constants, rtol=0 if exact else 1e-5, atol=0 if exact else 1e-5)

        gelu = {"kind": "gelu", "alpha": 0.0, "beta": 0.0}
        relu = {"kind": "relu", "alpha": 0.0, "beta": 0.0}
        special = rng.standard_normal((6, 40)).astype(np.float32)
        special[0] = 0
        special[1], special[2] = np.abs(special[1]), -np.abs(special[2])
        special[3, 5] = np.nan
        special[4] *= np.float32(1e30)
        special[5] *= np.float32(1e-40)
        return [
            case((1, 1280), 1000),
            case((1, 37), 5, bias=False, activation=relu),
            case((37,), 19),
            case((2, 3, 64), 130, activation=gelu),
            case((3, 17), 16, residual=True),
            case((29, 31), 7, residual=True, activation={"kind": "clip", "alpha": -0.5, "beta": 6.0}),
            case((128, 64), 192),
            case((13, 2048), 70, per_row=False),
            case((0, 8), 4),
            case(special, 33),
            case(special[3:], 33, per_row=False, bias=False),
            case((1, 512), 300, int4=True),
            case((2, 45), 33, int4=True, bias=False, residual=True),
            *(case((m, 24), 100, int4=True) for m in (3, 4, 7, 13)),
            case((29, 130), 70, int4=True, activation=gelu),
            case((128, 64), 192, int4=True, activation=relu),
        ]
