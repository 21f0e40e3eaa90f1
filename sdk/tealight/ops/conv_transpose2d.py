# SPDX-License-Identifier: Apache-2.0
"""ConvTranspose2d: the transpose of conv2d as a linear map (ONNX ConvTranspose-11), channels-last."""

from __future__ import annotations

from typing import Any

import numpy as np

from tealight.ir.graph import Node
from tealight.ir.types import Dim, DType, Layout, TensorType
from tealight.ops._epilogue import finish
from tealight.ops._registry import Case, OpDef, register
from tealight.ops._stored import check_stored, restore, stored_cases
from tealight.ops._window import check_conv, derived_dim


@register
class ConvTranspose2d(OpDef):
    """y[o] = activation(bias + sum over taps with o + pad = i * stride + tap * dilation of x[i] * weight[tap]).

    x [n, h, w, c], weight [oc, kh, kw, c / group], bias [oc]?;
    oh = (h - 1) * stride + (kh - 1) * dilation + 1 + output_padding - pads. Each element is one chain of fused
    multiply-adds over the taps of its phase ((o + pad) mod stride) by kernel row, kernel column, input channel that
    starts at the bias (or +0); taps of the phase that fall outside of x multiply +0. A weight of another dtype stands
    for float32(q - zero_point) * scale, with scale and zero_point [oc]?.
    """

    name = "conv_transpose2d"
    inputs = ("x", "weight", "bias?", "scale?", "zero_point?")
    required = ("kernel_shape",)
    defaults = {
        "strides": [1, 1], "pads": [0, 0, 0, 0], "dilations": [1, 1], "output_padding": [0, 0], "group": 1,
        "activation": None,
    }  # fmt: skip
    layouts = {
        "weight": Layout.CONV_TRANSPOSE_N16, "scale": Layout.GEMM_N16, "zero_point": Layout.GEMM_N16
    }  # fmt: skip

    def layout_groups(self, node: Node) -> int:
        """Returns the number of groups."""
        return int(node.attrs.get("group", 1))

    def infer(self, *inputs: TensorType | None, **attrs: Any) -> TensorType:
        """Returns float32 [n, oh, ow, oc]."""
        x, weight, bias, scale, zero_point = (*inputs, *[None] * 3)[:5]
        assert x is not None and weight is not None
        if x.dtype is not DType.FLOAT32:
            raise self.error("x", found=x.dtype.label, expected="float32")
        check_stored(self.error, weight, scale, zero_point)
        check_conv(self.error, x, weight, attrs)
        oc = weight.shape[0]
        if bias is not None and bias.shape != (oc,):
            raise self.error("bias", found=bias, expected=f"[{oc}]")
        if len(attrs["output_padding"]) != 2 or min(attrs["output_padding"]) < 0:
            raise self.error("output_padding", found=attrs["output_padding"], expected="2 numbers of at least 0")
        return TensorType(x.dtype, (x.shape[0], self._size(x.shape[1], attrs, 0), self._size(x.shape[2], attrs, 1), oc))

    def _size(self, size: Dim, attrs: dict[str, Any], axis: int) -> Dim:
        kernel, stride, dilation = (attrs[k][axis] for k in ("kernel_shape", "strides", "dilations"))
        pads = attrs["pads"][axis] + attrs["pads"][axis + 2]
        more = (kernel - 1) * dilation + 1 + attrs["output_padding"][axis] - pads
        if isinstance(size, str):
            return derived_dim("convt", size, stride, more)
        result = (size - 1) * stride + more if size > 0 else 0
        if result < 1 and size > 0:
            raise self.error("pads", found=attrs["pads"], expected="a result of at least one pixel")
        return result

    def reference(self, *inputs: np.ndarray | None, **attrs: Any) -> np.ndarray:
        """Scatters every input pixel, in float64."""
        x, weight, bias, scale, zero_point = (*inputs, *[None] * 3)[:5]
        assert x is not None and weight is not None
        weight = restore(weight, scale, zero_point)
        n, h, w, _ = x.shape
        oc, kh, kw, c = weight.shape
        group = attrs["group"]
        (sh, sw), (dh, dw), (top, left) = attrs["strides"], attrs["dilations"], attrs["pads"][:2]
        oh, ow = (int(self._size(d, attrs, i)) for i, d in enumerate((h, w)))
        full = np.zeros(
            (n, max((h - 1) * sh + kh * dh + sh, oh + top), max((w - 1) * sw + kw * dw + sw, ow + left), oc)
        )
        for g in range(group):
            own = slice(g * (oc // group), (g + 1) * (oc // group))
            part = x[..., g * c : (g + 1) * c].astype(np.float64)
            for i in range(kh):
                for j in range(kw):
                    to = full[:, i * dh : i * dh + (h - 1) * sh + 1 : sh, j * dw : j * dw + (w - 1) * sw + 1 : sw, own]
                    to += part @ weight[own, i, j].astype(np.float64).T
        y = full[:, top : top + oh, left : left + ow]
        return finish(y, bias, activation=attrs["activation"])

    def macs(self, node: Node) -> int:
        """Returns elements of the weight times input pixels."""
        x, weight = node.inputs[:2]
        if x is None or weight is None or not x.type.is_static:
            return 0
        return (
            x.type.elements
            // max(int(x.shape[3]), 1)
            * int(np.prod([int(d) for d in weight.shape]))
            // int(node.attrs.get("group", 1))
        )

    def cases(self) -> list[Case]:
        """Strides with and without remainder, kernels smaller than the stride, padding, dilation, groups."""

        def case(
            shape: tuple[int, int, int, int],
            oc: int,
            kernel: tuple[int, int],
            strides: tuple[int, int] = (1, 1),
            pads: tuple[int, int, int, int] = (0, 0, 0, 0),
            **more: Any,
        ) -> Case:
            bias = more.pop("bias", True)
            attrs = {"kernel_shape": list(kernel), "strides": list(strides), "pads": list(pads), **more}
            inputs = [shape, (oc, *kernel, shape[3] // attrs.get("group", 1)), (oc,) if bias else None]
            return Case(inputs, attrs, (1, 2) if bias else (1,), rtol=1e-5, atol=3e-5, why="chains of up to 500 steps")

        relu = {"kind": "relu", "alpha": 0.0, "beta": 0.0}
        silu = {"kind": "silu", "alpha": 0.0, "beta": 0.0}
        ones = (1, 1, 1, 1)
        stored: list[tuple[Any, ...]] = [
            (DType.FLOAT16, 0, False, ((1, 6, 6, 33), 19, (3, 3), (2, 2), ones), {"output_padding": [1, 1]}),
            (DType.INT8, 0, False, ((2, 7, 5, 16), 32, (2, 2), (2, 2)), {"activation": relu}),
            (DType.INT8, 0, True, ((1, 4, 5, 12), 18, (3, 3), (2, 2), ones), {"group": 3}),
            (DType.INT4, 0, False, ((1, 4, 5, 6), 5, (2, 3), (3, 4)), {"bias": False}),
            (DType.UINT4, 0, True, ((1, 4, 5, 6), 10, (3, 2), (2, 3), (1, 0, 0, 1)), {"dilations": [3, 2]}),
        ]
        return [
            case((1, 5, 6, 7), 9, (3, 3)),
            case((2, 7, 5, 16), 32, (2, 2), (2, 2), activation=relu),
            case((1, 6, 6, 33), 19, (3, 3), (2, 2), (1, 1, 1, 1), output_padding=[1, 1]),
            case((1, 4, 4, 8), 20, (4, 4), (2, 2), (1, 1, 1, 1), bias=False, activation=silu),
            case((1, 4, 5, 6), 5, (2, 3), (3, 4)),
            case((1, 4, 5, 6), 5, (3, 3), (2, 1), (0, 2, 1, 0)),
            case((1, 4, 5, 6), 10, (3, 3), (2, 2), (2, 2, 2, 2), dilations=[2, 2]),
            case((1, 4, 5, 6), 10, (3, 2), (2, 3), (1, 0, 0, 1), dilations=[3, 2]),
            case((1, 4, 5, 12), 18, (3, 3), (2, 2), (1, 1, 1, 1), group=3),
            case((1, 1, 1, 50), 40, (5, 5), (1, 1), (1, 1, 1, 1)),
            case((1, 1, 23, 11), 13, (1, 8), (1, 4), (0, 2, 0, 2)),
            case((1, 3, 3, 4), 1, (1, 1), (2, 2)),
            *stored_cases(case, stored, scale_index=3),
        ]
