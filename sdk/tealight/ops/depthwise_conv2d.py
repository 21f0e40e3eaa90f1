# SPDX-License-Identifier: Apache-2.0
"""DepthwiseConv2d: every channel is filtered by its own kernel (ONNX Conv with group = c = oc), channels-last."""

from __future__ import annotations

from typing import Any

import numpy as np

from tealight.ir.graph import Node
from tealight.ir.types import DType, Layout, TensorType
from tealight.ops._epilogue import finish
from tealight.ops._registry import Case, OpDef, register
from tealight.ops._stored import check_stored, restore, stored_cases
from tealight.ops._window import check_window, output_hw, windows


@register
class DepthwiseConv2d(OpDef):
    """y[n,i,j,c] = activation(bias[c] + sum over taps of x[...] * weight[c,tap] + residual[n,i,j,c]).

    x [n, h, w, c], weight [c, kh, kw], bias [c]?, residual [n, oh, ow, c]?; pads [top, left, bottom, right].
    The sum is one chain of fused multiply-adds over the taps in row-major order that starts at the bias (or +0); a
    tap in the padding is left out. The residual is added last. A weight of another dtype stands for
    float32(q - zero_point) * scale, with scale and zero_point [c]?.
    """

    name = "depthwise_conv2d"
    inputs = ("x", "weight", "bias?", "residual?", "scale?", "zero_point?")
    required = ("kernel_shape",)
    defaults = {"strides": [1, 1], "pads": [0, 0, 0, 0], "dilations": [1, 1], "activation": None}
    layouts = {"weight": Layout.DWCONV_C16, "scale": Layout.GEMM_N16, "zero_point": Layout.GEMM_N16}

    def infer(self, *inputs: TensorType | None, **attrs: Any) -> TensorType:
        """Returns float32 [n, oh, ow, c]."""
        x, weight, bias, residual, scale, zero_point = (*inputs, *[None] * 4)[:6]
        assert x is not None and weight is not None
        check_window(self.error, attrs)
        if x.dtype is not DType.FLOAT32:
            raise self.error("x", found=x.dtype.label, expected="float32")
        check_stored(self.error, weight, scale, zero_point)
        if x.rank != 4:
            raise self.error("x", found=x, expected="[n, h, w, c]")
        kernel = tuple(attrs["kernel_shape"])
        if weight.shape[1:] != kernel or (isinstance(x.shape[3], int) and weight.shape[0] != x.shape[3]):
            raise self.error("weight", found=weight, expected=f"[{x.shape[3]}, {kernel[0]}, {kernel[1]}]")
        if bias is not None and bias.shape != weight.shape[:1]:
            raise self.error("bias", found=bias, expected=f"[{weight.shape[0]}]")
        oh, ow = output_hw(x.shape[1], x.shape[2], attrs)
        if any(isinstance(d, int) and d < 1 for d in (oh, ow)):
            raise self.error("x", found=x, expected="room for one window")
        y = TensorType(x.dtype, (x.shape[0], oh, ow, weight.shape[0]))
        if residual is not None and residual.is_static and y.is_static and residual.shape != y.shape:
            raise self.error("residual", found=residual, expected=y)
        return y

    def reference(self, *inputs: np.ndarray | None, **attrs: Any) -> np.ndarray:
        """Sums in float64."""
        x, weight, bias, residual, scale, zero_point = (*inputs, *[None] * 4)[:6]
        assert x is not None and weight is not None
        weight = restore(weight, scale, zero_point)
        acc: Any = 0.0 if bias is None else bias.astype(np.float64)
        for row, weights in zip(windows(x, attrs, 0.0), np.moveaxis(weight, 0, -1), strict=True):
            for tap, w in zip(row, weights, strict=True):
                acc = acc + tap.astype(np.float64) * w
        return finish(acc, None, residual, attrs["activation"])

    def macs(self, node: Node) -> int:
        """Returns taps times outputs."""
        y, weight = node.outputs[0], node.inputs[1]
        if y is None or weight is None or not y.type.is_static:
            return 0
        return y.type.elements * int(weight.shape[1]) * int(weight.shape[2])

    def cases(self) -> list[Case]:
        """Every specialised kernel (3x3 and 5x5, stride 1 and 2) and the general one, with channel and row tails."""
        relu6 = {"kind": "clip", "alpha": 0.0, "beta": 6.0}
        swish = {"kind": "hard_swish", "alpha": 0.0, "beta": 0.0}

        def case(
            shape: tuple[int, int, int, int],
            kernel: tuple[int, int],
            strides: tuple[int, int] = (1, 1),
            pads: tuple[int, int, int, int] = (0, 0, 0, 0),
            dilations: tuple[int, int] = (1, 1),
            **more: Any,
        ) -> Case:
            attrs: dict[str, Any] = {
                "kernel_shape": list(kernel), "strides": list(strides), "pads": list(pads), "dilations": list(dilations)
            }  # fmt: skip
            c = shape[3]
            inputs: list[Any] = [more.pop("x", shape), (c, *kernel)]
            inputs.append((c,) if more.pop("bias", True) else None)
            if more.pop("residual", False):
                oh, ow = output_hw(shape[1], shape[2], attrs)
                inputs.append((shape[0], int(oh), int(ow), c))
            attrs.update(more)
            return Case(inputs, attrs, constants=(1, 2) if inputs[2] is not None else (1,), rtol=1e-5, atol=1e-5)

        same = {"pads": (1, 1, 1, 1)}
        stored: list[tuple[Any, ...]] = [
            (DType.FLOAT16, 0, False, ((1, 8, 8, 35), (3, 3)), {**same, "activation": relu6}),
            (DType.INT8, 0, False, ((2, 7, 9, 24), (3, 3)), {**same, "residual": True}),
            (DType.INT8, 0, True, ((1, 9, 9, 67), (5, 5)), {"pads": (2, 2, 2, 2), "strides": (2, 2)}),
            (DType.INT4, 0, False, ((1, 1, 37, 12), (1, 9)), {"bias": False}),
            (DType.UINT4, 0, True, ((1, 6, 6, 16), (3, 3)), same),
        ]

        special = np.random.default_rng(5).standard_normal((1, 9, 11, 19)).astype(np.float32)
        special[0, 2, 3, :4] = [np.nan, np.inf, -np.inf, -0.0]
        return [
            case((1, 8, 8, 16), (3, 3), pads=(1, 1, 1, 1), activation=relu6),
            case((2, 11, 13, 19), (3, 3), pads=(1, 1, 1, 1), activation={"kind": "relu", "alpha": 0.0, "beta": 0.0}),
            case((1, 7, 7, 67), (3, 3), (2, 2), (1, 1, 1, 1), activation=relu6),
            case((1, 10, 14, 33), (3, 3), (2, 2), (0, 0, 1, 1)),
            case((1, 6, 5, 5), (3, 3), pads=(0, 0, 0, 0), bias=False),
            case((1, 9, 9, 24), (5, 5), pads=(2, 2, 2, 2), residual=True),
            case((1, 12, 11, 31), (5, 5), (2, 2), (2, 2, 2, 2), activation=relu6),
            case((1, 2, 2, 17), (5, 5), pads=(2, 2, 2, 2)),
            case((1, 1, 1, 3), (3, 3), pads=(1, 1, 1, 1)),
            case((1, 1, 1, 16), (5, 5), (2, 2), (2, 2, 2, 2)),
            case((1, 9, 8, 20), (3, 3), pads=(2, 2, 2, 2), dilations=(2, 2)),
            case((1, 15, 15, 8), (7, 7), pads=(3, 3, 3, 3)),
            case((1, 1, 37, 12), (1, 9), (1, 2), (0, 4, 0, 4)),
            case((1, 13, 7, 21), (4, 2), (3, 1), (1, 0, 2, 1), residual=True),
            case((1, 9, 9, 18), (3, 3), (1, 2), (1, 1, 1, 1)),
            case((1, 6, 6, 16), (3, 3), pads=(4, 5, 4, 5)),
            case((0, 5, 5, 4), (3, 3), pads=(1, 1, 1, 1)),
            case((1, 9, 11, 19), (3, 3), pads=(1, 1, 1, 1), x=special, activation=relu6),
            case((1, 8, 9, 35), (3, 3), pads=(1, 1, 1, 1), activation=swish),
            case((1, 8, 9, 35), (3, 3), pads=(1, 1, 1, 1), activation={"kind": "silu", "alpha": 0.0, "beta": 0.0}),
            *stored_cases(case, stored),
        ]  # fmt: skip
