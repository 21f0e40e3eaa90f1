# SPDX-License-Identifier: Apache-2.0
"""ConvInteger: 2-d convolution of 8-bit integers with int32 results (ONNX ConvInteger-10), channels-last."""

from __future__ import annotations

from typing import Any

import numpy as np

from tealight.ir.graph import Node
from tealight.ir.types import DType, TensorType
from tealight.ops._registry import Case, OpDef, register
from tealight.ops._window import check_window, output_hw, windows
from tealight.ops.matmul_integer import BYTES


@register
class ConvInteger(OpDef):
    """y = sum over taps and channels of (x - x_zero_point) * (weight - weight_zero_point), int32, wraps around.

    x int8 or uint8 [n, h, w, c], weight int8 or uint8 [oc, kh, kw, c / group]; zero points of their operand's dtype:
    x's one element, the weight's one or [oc]. Padding adds nothing.
    """

    name = "conv_integer"
    inputs = ("x", "weight", "x_zero_point?", "weight_zero_point?")
    required = ("kernel_shape",)
    defaults = {"strides": [1, 1], "pads": [0, 0, 0, 0], "dilations": [1, 1], "group": 1}

    def infer(self, *inputs: TensorType | None, **attrs: Any) -> TensorType:
        """Returns int32 [n, oh, ow, oc]."""
        x, weight, x_zero, weight_zero = (*inputs, None, None)[:4]
        assert x is not None and weight is not None
        check_window(self.error, attrs)
        for name, operand in (("x", x), ("weight", weight)):
            if operand.dtype not in BYTES or operand.rank != 4:
                raise self.error(name, found=operand, expected="int8 or uint8 of 4 dims")
        (kh, kw), group = attrs["kernel_shape"], attrs["group"]
        oc, c = weight.shape[0], x.shape[3]
        if not isinstance(oc, int) or group < 1 or oc % group:
            raise self.error("group", found=group, expected=f"a divisor of oc = {oc}")
        if weight.shape[1:3] != (kh, kw) or (isinstance(c, int) and weight.shape[3] * group != c):
            raise self.error("weight", found=weight, expected=f"[oc, {kh}, {kw}, {c} / {group}]")
        for name, zero, operand, many in (
            ("x_zero_point", x_zero, x, 1), ("weight_zero_point", weight_zero, weight, oc)
        ):  # fmt: skip
            if zero is not None and (
                zero.dtype is not operand.dtype or (zero.is_static and zero.elements not in (1, many))
            ):
                raise self.error(name, found=zero, expected=f"1 or {many} elements of {operand.dtype.label}")
        oh, ow = output_hw(x.shape[1], x.shape[2], attrs)
        if any(isinstance(d, int) and d < 1 for d in (oh, ow)):
            raise self.error("x", found=x, expected="room for one window")
        return TensorType(DType.INT32, (x.shape[0], oh, ow, oc))

    def reference(self, *inputs: np.ndarray | None, **attrs: Any) -> np.ndarray:
        """Exact."""
        x, weight, x_zero, weight_zero = (*inputs, None, None)[:4]
        assert x is not None and weight is not None
        wide = x.astype(np.int64) - (0 if x_zero is None else int(x_zero.reshape(-1)[0]))
        kernel = weight.astype(np.int64)
        if weight_zero is not None:
            kernel = kernel - weight_zero.reshape(-1, 1, 1, 1).astype(np.int64)
        oc, kh, kw, c = weight.shape
        group = attrs["group"]
        taps, parts = windows(wide, attrs, 0), []
        for g in range(group):
            own = kernel[g * (oc // group) : (g + 1) * (oc // group)]
            sums: Any = 0
            for i in range(kh):
                for j in range(kw):
                    sums = sums + taps[i][j][..., g * c : (g + 1) * c] @ own[:, i, j].T
            parts.append(sums)
        return np.concatenate(parts, axis=-1).astype(np.int32)

    def macs(self, node: Node) -> int:
        """Returns elements of the weight times output pixels."""
        y, weight = node.outputs[0], node.inputs[1]
        if y is None or weight is None or not y.type.is_static or not weight.type.is_static:
            return 0
        return weight.type.elements * y.type.elements // int(weight.shape[0])

    def cases(self) -> list[Case]:
        """Every pair of dtypes; strides, pads, dilations, groups; zero points; tails."""
        rng = np.random.default_rng(50)

        def data(shape: tuple[int, ...], dtype: DType) -> np.ndarray:
            return rng.integers(0, 256, shape).astype(np.uint8).view(dtype.numpy)

        def case(
            x: tuple[int, ...], weight: tuple[int, ...], dtypes: tuple[DType, DType] = (DType.UINT8, DType.INT8),
            points: tuple[Any, Any] = (None, None), constants: tuple[int, ...] = (), **attrs: Any,
        ) -> Case:  # fmt: skip
            inputs = [data(x, dtypes[0]), data(weight, dtypes[1])]
            zeros = [None if p is None else data(p, d) for p, d in zip(points, dtypes, strict=True)]
            return Case([*inputs, *zeros], {"kernel_shape": list(weight[1:3]), **attrs}, constants)

        cases = []
        for left in BYTES:
            for right in BYTES:
                cases.append(case((2, 7, 9, 5), (33, 3, 3, 5), (left, right), ((), ()), pads=[1, 1, 1, 1]))
                cases.append(case((1, 6, 5, 8), (12, 1, 1, 8), (left, right), ((1,), (12,))))
        cases += [
            case((1, 11, 13, 3), (16, 3, 3, 3), points=((), None), strides=[2, 2], pads=[0, 1, 1, 2], constants=(1,)),
            case((1, 9, 9, 6), (4, 3, 2, 3), points=((), (4,)), group=2, dilations=[2, 1]),
            case((1, 8, 8, 6), (6, 3, 3, 1), points=((), (6,)), group=6, pads=[2, 2, 2, 2]),
            case((0, 4, 4, 2), (3, 2, 2, 2)),
            case((1, 1, 40, 4), (70, 1, 5, 4), points=((), ())),
        ]
        return cases
