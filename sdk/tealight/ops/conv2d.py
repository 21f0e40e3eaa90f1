# SPDX-License-Identifier: Apache-2.0
"""Conv2d: 2-d convolution with any number of groups (ONNX Conv-11), channels-last; 1-d signals have h = 1."""

from __future__ import annotations

from typing import Any

import numpy as np

from tealight.ir.graph import Node
from tealight.ir.types import DType, Layout, TensorType
from tealight.ops._epilogue import finish
from tealight.ops._registry import Case, OpDef, register
from tealight.ops._stored import check_stored, restore, stored_cases
from tealight.ops._window import conv_shape, conv_sums, output_hw


def _act(kind: str, alpha: float = 0.0, beta: float = 0.0) -> dict[str, Any]:
    """Returns an activation attribute."""
    return {"kind": kind, "alpha": alpha, "beta": beta}


def _case(
    shape: tuple[int, int, int, int],
    oc: int,
    kernel: tuple[int, int] = (1, 1),
    strides: tuple[int, int] = (1, 1),
    pads: tuple[int, int, int, int] = (0, 0, 0, 0),
    dilations: tuple[int, int] = (1, 1),
    **more: Any,
) -> Case:
    """Returns a case over normal values; `more`: attributes, x, weight, bias (bool), residual (bool)."""
    attrs: dict[str, Any] = {
        "kernel_shape": list(kernel), "strides": list(strides), "pads": list(pads), "dilations": list(dilations)
    }  # fmt: skip
    attrs.update({k: more.pop(k) for k in ("group", "activation", "winograd") if k in more})
    weight: Any = more.pop("weight", (oc, *kernel, shape[3] // attrs.get("group", 1)))
    inputs: list[Any] = [more.pop("x", shape), weight, (oc,) if more.pop("bias", True) else None]
    if more.pop("residual", False):
        oh, ow = output_hw(shape[1], shape[2], attrs)
        inputs.append((shape[0], int(oh), int(ow), oc))
    constants = (1, 2) if inputs[2] is not None else (1,)
    tolerance = 1e-3 if attrs.get("winograd") == 4 else 5e-5
    return Case(inputs, attrs, constants, rtol=1e-5, atol=tolerance, why="chains of up to 2000 float32 steps")


@register
class Conv2d(OpDef):
    """y = activation(conv(x) + bias + residual).

    x [n, h, w, c], weight [oc, kh, kw, c / group], bias [oc]?, residual [n, oh, ow, oc]?. Each output element is one
    chain of fused multiply-adds over kernel row, kernel column, input channel that starts at the bias (or +0);
    elements in the padding multiply +0. The residual is added last. With winograd = m > 0 (3x3, stride 1, one group)
    the sum is that of F(m x m, 3 x 3) instead (native/kernels/winograd/winograd.h has the sequence).
    Kernels of another dtype are then transformed while running.
    A weight of another dtype stands for float32(q - zero_point) * scale, with scale and zero_point [oc]?, or
    [oc, ceil(kh * kw * c / group / block_size)]?; see ops.fbs.
    """

    name = "conv2d"
    inputs = ("x", "weight", "bias?", "residual?", "scale?", "zero_point?")
    required = ("kernel_shape",)
    defaults = {
        "strides": [1, 1], "pads": [0, 0, 0, 0], "dilations": [1, 1], "group": 1, "activation": None, "winograd": 0,
        "block_size": 0,
    }  # fmt: skip

    def layout(self, node: Node, operand: str) -> Layout:
        """Returns the packed layout of the weight and its scales."""
        if operand in ("scale", "zero_point"):
            return Layout.GEMM_N16
        if operand != "weight":
            return Layout.PLAIN
        weight = node.input(1)
        transformed = bool(node.attrs.get("winograd", 0)) and weight is not None and weight.dtype is DType.FLOAT32
        return Layout.WINOGRAD_N16 if transformed else Layout.GEMM_N16

    def layout_groups(self, node: Node) -> int:
        """Returns the number of groups."""
        return int(node.attrs.get("group", 1))

    def infer(self, *inputs: TensorType | None, **attrs: Any) -> TensorType:
        """Returns float32 [n, oh, ow, oc]."""
        x, weight, bias, residual, scale, zero_point = (*inputs, *[None] * 4)[:6]
        assert x is not None and weight is not None
        if x.dtype is not DType.FLOAT32:
            raise self.error("x", found=x.dtype.label, expected="float32")
        check_stored(self.error, weight, scale, zero_point, attrs["block_size"])
        shape = conv_shape(self.error, x, weight, attrs)
        oc = shape[3]
        if bias is not None and bias.shape != (oc,):
            raise self.error("bias", found=bias, expected=f"[{oc}]")
        if attrs["winograd"] not in (0, 2, 4):
            raise self.error("winograd", found=attrs["winograd"], expected="0, 2 or 4")
        if attrs["winograd"] and (
            attrs["kernel_shape"] != [3, 3]
            or attrs["group"] != 1
            or attrs["strides"] != [1, 1]
            or attrs["dilations"] != [1, 1]
        ):
            raise self.error("winograd", found=attrs, expected="a 3x3 kernel with stride, dilation and group 1")
        y = TensorType(x.dtype, shape)
        if residual is not None and residual.is_static and y.is_static and residual.shape != y.shape:
            raise self.error("residual", found=residual, expected=y)
        return y

    def reference(self, *inputs: np.ndarray | None, **attrs: Any) -> np.ndarray:
        """Sums in float64."""
        x, weight, bias, residual, scale, zero_point = (*inputs, *[None] * 4)[:6]
        assert x is not None and weight is not None
        weight = restore(weight, scale, zero_point, attrs["block_size"])
        return finish(conv_sums(x, weight, attrs, 0.0), bias, residual, attrs["activation"])

    def macs(self, node: Node) -> int:
        """Returns elements of the weight times output pixels."""
        y, weight = node.outputs[0], node.inputs[1]
        if y is None or weight is None or not y.type.is_static:
            return 0
        return y.type.elements * int(np.prod([int(d) for d in weight.shape[1:]]))

    def cases(self) -> list[Case]:
        """Every way the kernel reads the image (pointwise, row taps, column taps) with tails of rows and columns."""
        special = np.random.default_rng(5).standard_normal((1, 5, 6, 7)).astype(np.float32)
        special[0, 2, 3, :4] = [np.nan, np.inf, -np.inf, -0.0]
        same = (1, 1, 1, 1)
        relu = {"activation": _act("relu")}
        three = {"kernel": (3, 3), "pads": same}
        stored: list[tuple[Any, ...]] = [
            (DType.FLOAT16, 0, False, ((1, 7, 7, 19), 37), relu),
            (DType.FLOAT16, 0, False, ((1, 1, 1, 40), 70), {}),
            (DType.FLOAT16, 0, False, ((1, 6, 6, 8), 16), {**three, "group": 8}),
            (DType.INT8, 0, False, ((1, 9, 9, 40), 40), {"residual": True}),
            (DType.INT8, 0, True, ((1, 2, 2, 67), 131), {}),
            (DType.INT8, 32, False, ((2, 5, 5, 31), 33), three),
            (DType.INT4, 0, False, ((1, 12, 13, 16), 48), {**three, **relu}),
            (DType.INT4, 32, False, ((1, 8, 8, 24), 36), {**three, "group": 4, "residual": True}),
            (DType.INT4, 64, False, ((1, 1, 2, 200), 150), {"bias": False}),
            (DType.UINT4, 32, True, ((1, 14, 14, 64), 96), relu),
            (DType.UINT4, 128, True, ((1, 1, 3, 300), 90), {}),
            (DType.UINT4, 16, True, ((1, 3, 1, 7), 21), {**three, "bias": False}),
            (DType.FLOAT16, 0, False, ((1, 14, 11, 20), 37), {**three, **relu, "winograd": 4}),
            (DType.INT8, 0, False, ((2, 9, 8, 16), 16), {**three, "winograd": 2, "residual": True}),
            (DType.UINT4, 32, True, ((1, 8, 8, 64), 70), {**three, "winograd": 4}),
        ]
        return [
            _case((1, 7, 7, 16), 32),
            _case((2, 5, 7, 19), 37, activation=_act("relu")),
            _case((1, 3, 5, 24), 24, activation=_act("clip", 0.0, 6.0)),
            _case((1, 13, 11, 5), 8, bias=False),
            _case((1, 1, 1, 67), 131, residual=True, activation=_act("relu")),
            _case((1, 9, 9, 40), 40, residual=True),
            _case((3, 1, 1, 3), 1),
            _case((1, 14, 14, 64), 96, activation=_act("hard_swish")),
            _case((1, 5, 5, 8), 50, activation=_act("silu"), residual=True),
            _case((1, 8, 9, 33), 17, strides=(2, 2)),
            _case((1, 17, 19, 3), 32, (3, 3), (2, 2), (0, 0, 1, 1), activation=_act("clip", 0.0, 6.0)),
            _case((1, 15, 16, 3), 16, (7, 7), (2, 2), (3, 3, 3, 3), activation=_act("relu")),
            _case((1, 12, 13, 16), 48, (3, 3), pads=same, residual=True),
            _case((2, 7, 7, 31), 33, (3, 3), pads=same),
            _case((1, 6, 5, 64), 20, (3, 3), pads=same, activation=_act("leaky_relu", 0.1)),
            _case((1, 4, 4, 6), 10, (5, 5), pads=(4, 4, 4, 4)),
            _case((1, 2, 3, 6), 10, (5, 3), pads=(2, 3, 2, 3)),
            _case((1, 9, 10, 12), 18, (3, 3), pads=(2, 2, 2, 2), dilations=(2, 2)),
            _case((1, 9, 10, 12), 18, (3, 2), (2, 1), (0, 1, 2, 0), (2, 1)),
            _case((1, 9, 10, 12), 18, (3, 3), pads=(2, 6, 2, 6), dilations=(1, 6), group=3),
            _case((1, 8, 8, 24), 36, (3, 3), pads=same, group=4, residual=True),
            _case((1, 5, 5, 20), 20, group=10),
            _case((1, 6, 6, 8), 16, (3, 3), pads=same, group=8),
            _case((1, 1, 41, 13), 29, (1, 9), (1, 2), (0, 4, 0, 4)),
            _case((1, 37, 1, 13), 29, (4, 1), (3, 1), (1, 0, 2, 0)),
            _case((0, 5, 5, 4), 6, (3, 3), pads=same),
            _case((1, 5, 6, 7), 21, (3, 3), pads=same, x=special, activation=_act("clip", 0.0, 6.0)),
            _case((1, 8, 8, 16), 32, (3, 3), pads=same, winograd=4),
            _case((2, 7, 10, 19), 21, (3, 3), pads=same, winograd=4, residual=True, activation=_act("relu")),
            _case((1, 5, 3, 33), 70, (3, 3), winograd=4, bias=False, activation=_act("silu")),
            _case((1, 14, 14, 64), 80, (3, 3), pads=(0, 1, 2, 0), winograd=4),
            _case((1, 6, 5, 40), 24, (3, 3), pads=same, winograd=2, activation=_act("clip", 0.0, 6.0)),
            _case((2, 9, 7, 7), 9, (3, 3), pads=(2, 2, 2, 2), winograd=2, residual=True),
            *stored_cases(_case, stored),
        ]  # fmt: skip
