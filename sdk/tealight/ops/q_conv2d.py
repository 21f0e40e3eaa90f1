# SPDX-License-Identifier: Apache-2.0
"""QConv2d: int8 2-d convolution with any number of groups, requantized, channels-last."""

from __future__ import annotations

import functools
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
from tealight.ops._window import conv_shape, conv_sums, output_hw


def _case(
    rng: np.random.Generator, shape: tuple[int, int, int, int], oc: int, kernel: tuple[int, int] = (1, 1),
    strides: tuple[int, int] = (1, 1), pads: tuple[int, int, int, int] = (0, 0, 0, 0),
    dilations: tuple[int, int] = (1, 1), residual: bool = False, table: bool = False,
    large_sums: bool = False, **more: Any,
) -> Case:  # fmt: skip
    """Returns a case over uniform int8; more: attributes."""
    attrs: dict[str, Any] = {
        "kernel_shape": list(kernel), "strides": list(strides), "pads": list(pads),
        "dilations": list(dilations), "x_zero_point": -9, **more,
    }  # fmt: skip
    weight = case_int8(rng, (oc, *kernel, shape[3] // attrs.get("group", 1)), -127)
    bias, scale, wide = case_channels(rng, weight, large_sums)
    attrs["output"] = {"zero_point": 5, "wide": wide, **more.get("output", {})}
    inputs: list[Any] = [case_int8(rng, shape), weight, bias, scale, None, None]
    if residual:
        oh, ow = output_hw(shape[1], shape[2], attrs)
        inputs[4] = case_int8(rng, (shape[0], int(oh), int(ow), oc))
        attrs["residual_add"] = {"a_scale": 0.61, "b_scale": 0.83, "offset": -4.5, "lo": -4, "hi": 127}
    if table:
        inputs[5] = case_int8(rng, (256,))
    while inputs[-1] is None:
        inputs.pop()
    return Case(inputs, attrs, (1, 2, 3), rtol=0, atol=0)


@register
class QConv2d(OpDef):
    """y = epilogue(bias + conv(x)), elements in the padding being x_zero_point.

    x int8 [n, h, w, c], weight int8 [oc, kh, kw, c / group], bias int32 [oc] with -x_zero_point * sum(weight) folded
    in, scale float32 [oc], residual int8 [n, oh, ow, oc]?, table int8 [256]?. With weight_zero_point the sum also gets
    -weight_zero_point * (sum of the window - k * x_zero_point). epilogue: requantize by `output`, look up in table, add
    the residual.
    """

    name = "q_conv2d"
    inputs = ("x", "weight", "bias", "scale", "residual?", "table?")
    required = ("kernel_shape",)
    defaults = {
        "strides": [1, 1], "pads": [0, 0, 0, 0], "dilations": [1, 1], "group": 1, "x_zero_point": 0,
        "weight_zero_point": 0, "output": None, "residual_add": None,
    }  # fmt: skip
    layouts = {"weight": Layout.GEMM_N32K4, "bias": Layout.PAD_N32, "scale": Layout.PAD_N32}

    def layout_groups(self, node: Node) -> int:
        """Returns the number of groups."""
        return int(node.attrs.get("group", 1))

    def infer(self, *inputs: TensorType | None, **attrs: Any) -> TensorType:
        """Returns int8 [n, oh, ow, oc]."""
        x, weight, bias, scale, residual, table = (*inputs, None, None)[:6]
        assert x is not None and weight is not None and bias is not None and scale is not None
        if x.dtype is not DType.INT8 or weight.dtype is not DType.INT8:
            raise self.error("dtype", found=f"{x.dtype.label} and {weight.dtype.label}", expected="int8")
        shape = conv_shape(self.error, x, weight, attrs)
        oc = shape[3]
        check_channels(self.error, "bias", bias, DType.INT32, oc)
        check_channels(self.error, "scale", scale, DType.FLOAT32, oc)
        check_int8(self.error, x_zero_point=attrs["x_zero_point"], weight_zero_point=attrs["weight_zero_point"])
        check_output(self.error, attrs["output"])
        y = TensorType(DType.INT8, shape)
        check_epilogue(self.error, y, residual, table, attrs["residual_add"])
        return y

    def reference(self, *inputs: np.ndarray | None, **attrs: Any) -> np.ndarray:
        """Exact: the products and their float64 sums are integers below 2^53."""
        x, weight, bias, scale, residual, table = (*inputs, None, None)[:6]
        assert x is not None and weight is not None and bias is not None and scale is not None
        centred = weight.astype(np.float64) - attrs["weight_zero_point"]
        products = conv_sums(x, centred, attrs, attrs["x_zero_point"])
        folded = bias + attrs["weight_zero_point"] * attrs["x_zero_point"] * weight[0].size
        sums = products.astype(np.int64) + folded
        return epilogue(sums, scale, attrs["output"], residual, table, attrs["residual_add"])

    def macs(self, node: Node) -> int:
        """Returns elements of the weight times output pixels."""
        y, weight = node.outputs[0], node.inputs[1]
        if y is None or weight is None or not y.type.is_static:
            return 0
        return y.type.elements * int(np.prod([int(d) for d in weight.shape[1:]]))

    def cases(self) -> list[Case]:
        """Every way the kernel reads the image (rows, row taps, column taps, copies) with tails of all kinds."""
        case = functools.partial(_case, np.random.default_rng(12))
        same = (1, 1, 1, 1)
        return [
            case((1, 7, 7, 16), 32),
            case((2, 5, 7, 19), 37, output={"lo": 5}),
            case((1, 3, 5, 24), 24, output={"lo": 5, "hi": 80}),
            case((1, 13, 11, 5), 8),
            case((1, 1, 1, 67), 131, residual=True),
            case((1, 9, 9, 40), 40, residual=True, table=True),
            case((3, 1, 1, 3), 1),
            case((1, 14, 14, 64), 96, table=True),
            case((1, 12, 11, 96), 16, residual=True),
            case((1, 5, 5, 8), 50, residual=True, large_sums=True),
            case((1, 8, 9, 32), 17, strides=(2, 2)),
            case((1, 8, 9, 33), 17, strides=(2, 2)),
            case((1, 17, 19, 3), 32, (3, 3), (2, 2), (0, 0, 1, 1)),
            case((1, 15, 16, 3), 16, (7, 7), (2, 2), (3, 3, 3, 3)),
            case((1, 6, 21, 4), 24, (3, 3), (2, 2), same),
            case((1, 12, 13, 16), 48, (3, 3), pads=same, residual=True),
            case((2, 7, 7, 31), 33, (3, 3), pads=same),
            case((1, 6, 5, 64), 20, (3, 3), pads=same, table=True),
            case((1, 4, 4, 6), 10, (5, 5), pads=(4, 4, 4, 4)),
            case((1, 2, 3, 8), 10, (5, 3), pads=(2, 3, 2, 3)),
            case((1, 9, 10, 12), 18, (3, 3), pads=(2, 2, 2, 2), dilations=(2, 2)),
            case((1, 9, 10, 6), 18, (3, 2), (2, 1), (0, 1, 2, 0), (2, 1)),
            case((1, 9, 10, 12), 18, (3, 3), pads=(2, 6, 2, 6), dilations=(1, 6), group=3),
            case((1, 8, 8, 24), 36, (3, 3), pads=same, group=4, residual=True),
            case((1, 5, 5, 20), 20, group=10),
            case((1, 6, 6, 8), 16, (3, 3), pads=same, group=8),
            case((1, 1, 41, 13), 29, (1, 9), (1, 2), (0, 4, 0, 4)),
            case((1, 37, 1, 13), 29, (4, 1), (3, 1), (1, 0, 2, 0)),
            case((0, 5, 5, 4), 6, (3, 3), pads=same),
            case((1, 8, 8, 16), 32, (3, 3), pads=same, weight_zero_point=-6),
            case((1, 7, 6, 7), 12, (3, 3), pads=same, weight_zero_point=11, x_zero_point=30),
            case((1, 7, 6, 10), 12, (2, 2), (2, 2), weight_zero_point=3, group=2),
        ]
