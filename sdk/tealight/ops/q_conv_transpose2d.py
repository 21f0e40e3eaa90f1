# SPDX-License-Identifier: Apache-2.0
"""QConvTranspose2d: the int8 transpose of a convolution, requantized, channels-last."""

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
from tealight.ops._registry import Case, OpDef, get, register


@register
class QConvTranspose2d(OpDef):
    """y[o] = epilogue(bias + sum over taps of (x[i] - x_zero_point) * (weight[tap] - weight_zero_point)).

    Taps and sizes as ConvTranspose2d. x int8 [n, h, w, c], weight int8 [oc, kh, kw, c / group], bias int32 [oc]
    (nothing folded in), scale float32 [oc], table int8 [256]?. epilogue: requantize by `output`, look up in table.
    """

    name = "q_conv_transpose2d"
    inputs = ("x", "weight", "bias", "scale", "table?")
    required = ("kernel_shape",)
    defaults = {
        "strides": [1, 1], "pads": [0, 0, 0, 0], "dilations": [1, 1], "output_padding": [0, 0], "group": 1,
        "x_zero_point": 0, "weight_zero_point": 0, "output": None,
    }  # fmt: skip
    layouts = {"weight": Layout.CONV_TRANSPOSE_N32K4, "bias": Layout.PAD_N32, "scale": Layout.PAD_N32}

    def layout_groups(self, node: Node) -> int:
        """Returns the number of groups."""
        return int(node.attrs.get("group", 1))

    def infer(self, *inputs: TensorType | None, **attrs: Any) -> TensorType:
        """Returns int8 [n, oh, ow, oc]."""
        x, weight, bias, scale, table = (*inputs, None)[:5]
        assert x is not None and weight is not None and bias is not None and scale is not None
        if x.dtype is not DType.INT8 or weight.dtype is not DType.INT8:
            raise self.error("dtype", found=f"{x.dtype.label} and {weight.dtype.label}", expected="int8")
        like_float = get("conv_transpose2d").infer(
            TensorType(DType.FLOAT32, x.shape), TensorType(DType.FLOAT32, weight.shape), **_window(attrs)
        )
        assert isinstance(like_float, TensorType)
        check_channels(self.error, "bias", bias, DType.INT32, weight.shape[0])
        check_channels(self.error, "scale", scale, DType.FLOAT32, weight.shape[0])
        check_int8(self.error, x_zero_point=attrs["x_zero_point"], weight_zero_point=attrs["weight_zero_point"])
        check_output(self.error, attrs["output"])
        y = TensorType(DType.INT8, like_float.shape)
        check_epilogue(self.error, y, None, table, None)
        return y

    def reference(self, *inputs: np.ndarray | None, **attrs: Any) -> np.ndarray:
        """Scatters every input pixel, exact: integers below 2^53 in float64."""
        x, weight, bias, scale, table = (*inputs, None)[:5]
        assert x is not None and weight is not None and bias is not None and scale is not None
        n, h, w, _ = x.shape
        oc, kh, kw, c = weight.shape
        y = self.infer(*(None if i is None else TensorType(DType.of(i.dtype), i.shape) for i in inputs), **attrs)
        _, oh, ow, _ = (int(d) for d in y.shape)
        (sh, sw), (dh, dw), (top, left) = attrs["strides"], attrs["dilations"], attrs["pads"][:2]
        high, wide = max((h - 1) * sh + kh * dh + sh, oh + top), max((w - 1) * sw + kw * dw + sw, ow + left)
        full = np.zeros((n, high, wide, oc))
        for g in range(attrs["group"]):
            own = slice(g * (oc // attrs["group"]), (g + 1) * (oc // attrs["group"]))
            part = x[..., g * c : (g + 1) * c].astype(np.float64) - attrs["x_zero_point"]
            for i in range(kh):
                for j in range(kw):
                    to = full[:, i * dh : i * dh + (h - 1) * sh + 1 : sh, j * dw : j * dw + (w - 1) * sw + 1 : sw, own]
                    to += part @ (weight[own, i, j].astype(np.float64) - attrs["weight_zero_point"]).T
        sums = full[:, top : top + oh, left : left + ow].astype(np.int64) + bias
        return epilogue(sums, scale, attrs["output"], None, table, None)

    def macs(self, node: Node) -> int:
        """Returns elements of the weight times input pixels."""
        return get("conv_transpose2d").macs(node)

    def cases(self) -> list[Case]:
        """Strides with and without remainder, kernels smaller than the stride, padding, dilation, groups."""
        rng = np.random.default_rng(13)

        def case(
            shape: tuple[int, int, int, int], oc: int, kernel: tuple[int, int], strides: tuple[int, int] = (1, 1),
            pads: tuple[int, int, int, int] = (0, 0, 0, 0), table: bool = False, **more: Any,
        ) -> Case:  # fmt: skip
            attrs = {
                "kernel_shape": list(kernel), "strides": list(strides), "pads": list(pads), "x_zero_point": 21, **more
            }  # fmt: skip
            weight = case_int8(rng, (oc, *kernel, shape[3] // attrs.get("group", 1)), -127)
            bias, scale, wide = case_channels(rng, weight)
            attrs["output"] = {"zero_point": -6, "lo": -100, "wide": wide}
            inputs = [case_int8(rng, shape), weight, bias, scale]
            if table:
                inputs.append(case_int8(rng, (256,)))
            return Case(inputs, attrs, (1, 2, 3), rtol=0, atol=0)

        return [
            case((1, 5, 6, 7), 9, (3, 3)),
            case((2, 7, 5, 16), 32, (2, 2), (2, 2), table=True),
            case((1, 6, 6, 36), 19, (3, 3), (2, 2), (1, 1, 1, 1), output_padding=[1, 1]),
            case((1, 4, 4, 8), 40, (4, 4), (2, 2), (1, 1, 1, 1)),
            case((1, 4, 5, 6), 5, (2, 3), (3, 4)),
            case((1, 4, 5, 6), 5, (3, 3), (2, 1), (0, 2, 1, 0)),
            case((1, 4, 5, 8), 10, (3, 3), (2, 2), (2, 2, 2, 2), dilations=[2, 2]),
            case((1, 4, 5, 6), 10, (3, 2), (2, 3), (1, 0, 0, 1), dilations=[3, 2], weight_zero_point=9),
            case((1, 4, 5, 12), 18, (3, 3), (2, 2), (1, 1, 1, 1), group=3, weight_zero_point=-2),
            case((1, 1, 1, 50), 40, (5, 5), (1, 1), (1, 1, 1, 1)),
            case((1, 1, 23, 11), 13, (1, 8), (1, 4), (0, 2, 0, 2)),
            case((1, 3, 3, 4), 1, (1, 1), (2, 2)),
        ]


def _window(attrs: dict[str, Any]) -> dict[str, Any]:
    """Returns the attributes that ConvTranspose2d has too, and its other defaults."""
    float_op = get("conv_transpose2d")
    own = {key: attrs[key] for key in (*float_op.defaults, *float_op.required) if key in attrs}
    return float_op.complete(own)
