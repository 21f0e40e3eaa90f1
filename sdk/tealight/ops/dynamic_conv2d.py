# SPDX-License-Identifier: Apache-2.0
"""DynamicConv2d: a float32 convolution with int8 weights, each image quantized while running."""

from __future__ import annotations

from typing import Any

import numpy as np

from tealight.ir.graph import Node
from tealight.ir.types import DType, Layout, TensorType
from tealight.ops._dynamic import quantize_rows, to_float
from tealight.ops._epilogue import finish
from tealight.ops._quantized import check_channels
from tealight.ops._registry import Case, OpDef, get, register
from tealight.ops._window import conv_shape, conv_sums, output_hw


@register
class DynamicConv2d(OpDef):
    """y = activation(fma(sum, x_scale * scale[c], bias[c]) + residual), sum = conv(q - x_zero_point) of integers.

    x float32 [n, h, w, c], weight int8 [oc, kh, kw, c / group], scale float32 [oc], bias float32 [oc]?, residual
    [n, oh, ow, oc]?. q, x_scale and x_zero_point of an image are those of numerics.dynamic_params, all of int8.
    """

    name = "dynamic_conv2d"
    inputs = ("x", "weight", "scale", "bias?", "residual?")
    required = ("kernel_shape",)
    defaults = {"strides": [1, 1], "pads": [0, 0, 0, 0], "dilations": [1, 1], "group": 1, "activation": None}
    layouts = {"weight": Layout.GEMM_N32K4, "scale": Layout.PAD_N32}

    def layout_groups(self, node: Node) -> int:
        """Returns the number of groups."""
        return int(node.attrs.get("group", 1))

    def infer(self, *inputs: TensorType | None, **attrs: Any) -> TensorType:
        """Returns float32 [n, oh, ow, oc]."""
        x, weight, scale, bias, residual = (*inputs, None, None)[:5]
        assert x is not None and weight is not None and scale is not None
        if x.dtype is not DType.FLOAT32 or weight.dtype is not DType.INT8:
            raise self.error("dtype", found=f"{x.dtype.label} and {weight.dtype.label}", expected="float32 and int8")
        shape = conv_shape(self.error, x, weight, attrs)
        oc = shape[3]
        check_channels(self.error, "scale", scale, DType.FLOAT32, oc)
        if bias is not None:
            check_channels(self.error, "bias", bias, DType.FLOAT32, oc)
        y = TensorType(x.dtype, shape)
        if residual is not None and residual.is_static and y.is_static and residual.shape != y.shape:
            raise self.error("residual", found=residual, expected=y)
        return y

    def reference(self, *inputs: np.ndarray | None, **attrs: Any) -> np.ndarray:
        """Exact but for the activation."""
        x, weight, scale, bias, residual = (*inputs, None, None)[:5]
        assert x is not None and weight is not None and scale is not None
        steps, x_scale, _ = quantize_rows(x.reshape(len(x), int(np.prod(x.shape[1:]))))
        sums = conv_sums(steps.reshape(x.shape), weight, attrs, 0.0)  # integers below 2^53
        y = to_float(sums, x_scale.reshape(-1, 1, 1, 1), scale, bias)
        return finish(y, None, residual, attrs["activation"])

    def macs(self, node: Node) -> int:
        """Returns elements of the weight times output pixels."""
        return get("conv2d").macs(node)

    def cases(self) -> list[Case]:
        """Every way the kernel reads the image; several images; groups; the epilogue."""
        rng = np.random.default_rng(37)

        def case(
            shape: tuple[int, int, int, int],
            oc: int,
            kernel: tuple[int, int] = (1, 1),
            pads: tuple[int, int, int, int] = (0, 0, 0, 0),
            **more: Any,
        ) -> Case:
            residual, bias, x = more.pop("residual", False), more.pop("bias", True), more.pop("x", None)
            attrs: dict[str, Any] = {"kernel_shape": list(kernel), "pads": list(pads), **more}
            window = {"strides": [1, 1], "dilations": [1, 1], **attrs}
            weight = rng.integers(-127, 128, (oc, *kernel, shape[3] // attrs.get("group", 1))).astype(np.int8)
            scale = (rng.uniform(0.5, 2, oc) / 127).astype(np.float32)
            x = (rng.standard_normal(shape) + 0.3).astype(np.float32) if x is None else x
            x = x * np.linspace(1, 2, len(x), dtype=np.float32).reshape(-1, 1, 1, 1)
            inputs: list[Any] = [x, weight, scale, rng.standard_normal(oc).astype(np.float32) if bias else None]
            if residual:
                oh, ow = output_hw(shape[1], shape[2], window)
                inputs.append(rng.standard_normal((shape[0], int(oh), int(ow), oc)).astype(np.float32))
            exact = attrs.get("activation", {"kind": "relu"})["kind"] in ("relu", "clip")
            constants = (1, 2, 3) if bias else (1, 2)
            return Case(inputs, attrs, constants, rtol=0 if exact else 1e-5, atol=0 if exact else 1e-5)

        same = (1, 1, 1, 1)
        relu = {"kind": "relu", "alpha": 0.0, "beta": 0.0}
        return [
            case((1, 7, 7, 16), 32, activation={"kind": "clip", "alpha": 0.0, "beta": 6.0}),
            case((2, 5, 7, 19), 37, activation=relu),
            case((1, 17, 19, 3), 32, (3, 3), (0, 0, 1, 1), strides=[2, 2]),
            case((3, 12, 13, 16), 48, (3, 3), same, residual=True, activation=relu),
            case((2, 6, 5, 31), 33, (3, 3), same, bias=False),
            case((1, 9, 10, 12), 18, (3, 3), (2, 6, 2, 6), dilations=[1, 6], group=3),
            case((1, 8, 8, 24), 36, (3, 3), same, group=4, residual=True),
            case((1, 1, 41, 13), 29, (1, 9), (0, 4, 0, 4), strides=[1, 2]),
            case((1, 5, 5, 8), 50, activation={"kind": "silu", "alpha": 0.0, "beta": 0.0}),
            case((0, 5, 5, 4), 6, (3, 3), same),
            case((2, 4, 4, 4), 6, (3, 3), same, x=np.zeros((2, 4, 4, 4), np.float32)),
        ]
