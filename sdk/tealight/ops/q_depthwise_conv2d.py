# SPDX-License-Identifier: Apache-2.0
"""QDepthwiseConv2d: the int8 form of depthwise_conv2d, channels-last."""

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
from tealight.ops._window import check_window, output_hw, windows


@register
class QDepthwiseConv2d(OpDef):
    """y[n,i,j,c] = epilogue(bias[c] + sum over taps of x * w[c,tap] - weight_zero_point * sum of (x - x_zero_point)).

    x int8 [n, h, w, c], x_zero_point outside of the image; weight int8 [c, kh, kw]; bias int32 [c], which holds
    -x_zero_point * (sum of w); scale float32 [c]; residual int8 [n, oh, ow, c]?; table int8 [256]?. The int32 sum is
    exact; epilogue: requantized by `output` (quant/numerics.py), looked up in the table, added to the residual by
    residual_add.
    """

    name = "q_depthwise_conv2d"
    inputs = ("x", "weight", "bias", "scale", "residual?", "table?")
    required = ("kernel_shape",)
    defaults = {
        "strides": [1, 1], "pads": [0, 0, 0, 0], "dilations": [1, 1], "x_zero_point": 0, "weight_zero_point": 0,
        "output": None, "residual_add": None,
    }  # fmt: skip
    layouts = {"weight": Layout.DWCONV_C16R4, "bias": Layout.PAD_N32, "scale": Layout.PAD_N32}

    def infer(self, *inputs: TensorType | None, **attrs: Any) -> TensorType:
        """Returns int8 [n, oh, ow, c]."""
        x, weight, bias, scale, residual, table = (*inputs, None, None)[:6]
        assert x is not None and weight is not None and bias is not None and scale is not None
        check_window(self.error, attrs)
        check_int8(self.error, **{k: attrs[k] for k in ("x_zero_point", "weight_zero_point")})
        check_output(self.error, attrs["output"])
        if x.dtype is not DType.INT8 or weight.dtype is not DType.INT8:
            raise self.error("dtype", found=f"{x.dtype.label} and {weight.dtype.label}", expected="int8")
        if x.rank != 4:
            raise self.error("x", found=x, expected="[n, h, w, c]")
        kernel = tuple(attrs["kernel_shape"])
        if weight.shape[1:] != kernel or (isinstance(x.shape[3], int) and weight.shape[0] != x.shape[3]):
            raise self.error("weight", found=weight, expected=f"[{x.shape[3]}, {kernel[0]}, {kernel[1]}]")
        check_channels(self.error, "bias", bias, DType.INT32, weight.shape[0])
        check_channels(self.error, "scale", scale, DType.FLOAT32, weight.shape[0])
        oh, ow = output_hw(x.shape[1], x.shape[2], attrs)
        if any(isinstance(d, int) and d < 1 for d in (oh, ow)):
            raise self.error("x", found=x, expected="room for one window")
        y = TensorType(DType.INT8, (x.shape[0], oh, ow, weight.shape[0]))
        check_epilogue(self.error, y, residual, table, attrs["residual_add"])
        return y

    def reference(self, *inputs: np.ndarray | None, **attrs: Any) -> np.ndarray:
        """Sums integers."""
        x, weight, bias, scale, residual, table = (*inputs, None, None)[:6]
        assert x is not None and weight is not None and bias is not None and scale is not None
        zero_point = attrs["x_zero_point"]
        sums: Any = bias.astype(np.int64) + zero_point * weight.astype(np.int64).sum(axis=(1, 2))
        centered = windows(x.astype(np.int64) - zero_point, attrs, 0)
        taps = np.moveaxis(weight.astype(np.int64) - attrs["weight_zero_point"], 0, -1)
        for row, weights in zip(centered, taps, strict=True):
            for tap, w in zip(row, weights, strict=True):
                sums = sums + tap * w
        return epilogue(sums, scale, attrs["output"], residual, table, attrs["residual_add"])

    def macs(self, node: Node) -> int:
        """Returns taps times outputs."""
        y, weight = node.outputs[0], node.inputs[1]
        if y is None or weight is None or not y.type.is_static:
            return 0
        return y.type.elements * int(weight.shape[1]) * int(weight.shape[2])

    def cases(self) -> list[Case]:
        """Every specialised kernel (3x3 and 5x5, stride 1 and 2) and the general one, with channel and row tails."""
        case = _Cases().case
        k3, k5, s2 = (3, 3), (5, 5), (2, 2)
        return [
            case((1, 8, 8, 16), k3, output=_RELU6),
            case((2, 11, 13, 19), k3, output=_RELU6),
            case((1, 14, 15, 144), k3),
            case((1, 7, 7, 67), k3, s2, output=_RELU6),
            case((1, 10, 14, 33), k3, s2, (0, 0, 1, 1)),
            case((1, 9, 9, 200), k3, s2, residual=True),
            case((1, 6, 5, 5), k3, pads=(0, 0, 0, 0)),
            case((1, 9, 9, 24), k5, residual=True),
            case((1, 9, 10, 72), k5, table=True, residual=True),
            case((1, 12, 11, 31), k5, s2, output=_RELU6),
            case((1, 2, 2, 17), k5),
            case((1, 1, 1, 3), k3),
            case((1, 1, 1, 16), k5, s2),
            case((1, 9, 8, 20), k3, pads=(2, 2, 2, 2), dilations=(2, 2)),
            case((1, 15, 15, 8), (7, 7)),
            case((1, 12, 11, 72), (7, 7), s2),
            case((1, 12, 9, 35), (9, 9)),
            case((1, 1, 37, 12), (1, 9), (1, 2), (0, 4, 0, 4)),
            case((1, 13, 7, 21), (4, 2), (3, 1), (1, 0, 2, 1), residual=True),
            case((1, 9, 9, 18), k3, (1, 2)),
            case((1, 6, 6, 16), k3, pads=(4, 5, 4, 5)),
            case((0, 5, 5, 4), k3),
            case((1, 8, 9, 35), k3, table=True),
            case((1, 8, 9, 80), k3, large_sums=True, output={"zero_point": 5, "lo": -100, "hi": 90}),
            case((1, 5, 6, 48), k3, extreme=True),
            case((1, 6, 6, 40), k5, extreme=True),
            case((1, 8, 9, 35), k3, weight_zero_point=-17),
            case((1, 7, 7, 16), k5, s2, weight_zero_point=127),
        ]


_RELU6 = {"zero_point": -128, "lo": -128, "hi": 60}
_ADD = {"a_scale": 0.71, "b_scale": 1.13, "offset": -3.25, "lo": -128, "hi": 101}


class _Cases:
    def __init__(self) -> None:
        self.rng = np.random.default_rng(8)

    def case(
        self,
        shape: tuple[int, int, int, int],
        kernel: tuple[int, int],
        strides: tuple[int, int] = (1, 1),
        pads: tuple[int, int, int, int] | None = None,
        dilations: tuple[int, int] = (1, 1),
        **more: Any,
    ) -> Case:
        """Returns a case of random or extreme operands."""
        pads = pads or (kernel[0] // 2, kernel[1] // 2, kernel[0] // 2, kernel[1] // 2)
        attrs: dict[str, Any] = {
            "kernel_shape": list(kernel), "strides": list(strides), "pads": list(pads),
            "dilations": list(dilations), "x_zero_point": int(self.rng.integers(-128, 128)),
        }  # fmt: skip
        x, weight = case_int8(self.rng, shape), case_int8(self.rng, (shape[3], *kernel), -127)
        if more.pop("extreme", False):
            x = np.where(self.rng.random(shape) < 0.5, -128, 127).astype(np.int8)
            weight = np.where(self.rng.random(weight.shape) < 0.5, -127, 127).astype(np.int8)
        bias, scale, wide = case_channels(self.rng, weight, more.pop("large_sums", False))
        attrs["output"] = {**more.pop("output", {"zero_point": int(self.rng.integers(-20, 21))}), "wide": wide}
        inputs: list[Any] = [x, weight, bias, scale]
        constants = [1, 2, 3]
        if more.pop("residual", False):
            oh, ow = output_hw(shape[1], shape[2], attrs)
            inputs.append(case_int8(self.rng, (shape[0], int(oh), int(ow), shape[3])))
            attrs["residual_add"] = _ADD
        if more.pop("table", False):
            inputs += [None] * (5 - len(inputs)) + [case_int8(self.rng, (256,))]
            constants.append(5)
        return Case(inputs, {**attrs, **more}, tuple(constants), rtol=0.0, atol=0.0, why="integers are exact")
