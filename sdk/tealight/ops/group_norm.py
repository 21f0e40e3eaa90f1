# SPDX-License-Identifier: Apache-2.0
"""GroupNorm, channels-last (ONNX GroupNormalization-21); num_groups = c is InstanceNormalization."""

from __future__ import annotations

from typing import Any

import numpy as np

from tealight.ir.types import DType, TensorType
from tealight.ops._epilogue import activate
from tealight.ops._registry import Case, OpDef, register


@register
class GroupNorm(OpDef):
    """y = activation((x - mean) / sqrt(var + epsilon) * scale + bias), mean and var per sample and channel group.

    x float32 [n, ..., c]; scale and bias [c]; num_groups divides c.
    """

    name = "group_norm"
    inputs = ("x", "scale?", "bias?")
    required = ("num_groups",)
    defaults = {"epsilon": 1e-5, "activation": None}
    in_place = True

    def infer(self, *inputs: TensorType | None, **attrs: Any) -> TensorType:
        """Returns the type of x."""
        x, scale, bias = (*inputs, None, None)[:3]
        assert x is not None
        if x.dtype is not DType.FLOAT32 or x.rank < 2:
            raise self.error("x", found=x, expected="float32 [n, ..., c]")
        channels = x.shape[-1]
        if attrs["num_groups"] < 1 or (isinstance(channels, int) and channels % attrs["num_groups"]):
            raise self.error("num_groups", found=attrs["num_groups"], expected=f"a divisor of {channels}")
        for name, operand in (("scale", scale), ("bias", bias)):
            if operand is not None and (operand.dtype is not DType.FLOAT32 or operand.rank != 1):
                raise self.error(name, found=operand, expected=f"float32[{channels}]")
            if operand is not None and isinstance(channels, int) and operand.shape[0] != channels:
                raise self.error(name, found=operand, expected=f"float32[{channels}]")
        return TensorType(x.dtype, x.shape)

    def reference(self, *inputs: np.ndarray | None, **attrs: Any) -> np.ndarray:
        """Computes in float64."""
        x, scale, bias = (*inputs, None, None)[:3]
        assert x is not None
        groups = attrs["num_groups"]
        if x.size == 0:
            return x.copy()
        wide = x.astype(np.float64).reshape(x.shape[0], -1, groups, x.shape[-1] // groups)
        with np.errstate(all="ignore"):
            centred = wide - wide.mean(axis=(1, 3), keepdims=True)
            y = centred / np.sqrt((centred * centred).mean(axis=(1, 3), keepdims=True) + attrs["epsilon"])
            y = y.reshape(x.shape)
            y = y if scale is None else y * scale
            y = np.asarray(y if bias is None else y + bias).astype(np.float32)
        return activate(y, attrs["activation"])

    def cases(self) -> list[Case]:
        """Instance norm, groups of several channels, one group, tails, fused activation."""
        relu = {"kind": "relu", "alpha": 0.0, "beta": 0.0}

        def case(shape: tuple[int, ...], groups: int, **attrs: Any) -> Case:
            c = (shape[-1],)
            return Case([shape, c, c], {"num_groups": groups, **attrs}, constants=(1, 2), rtol=3e-5, atol=1e-5)

        return [
            case((1, 8, 9, 19), 19), case((2, 5, 7, 64), 64, activation=relu), case((2, 6, 5, 24), 4),
            case((1, 4, 4, 30), 1), case((3, 50, 12), 3, epsilon=1e-3), case((2, 8), 2), case((1, 33, 31, 16), 16),
            Case([(1, 6, 6, 8)], {"num_groups": 8}, rtol=3e-5, atol=1e-5), case((1, 1, 1, 5), 5),
            case((3, 1, 129, 40), 8), case((0, 4, 6), 2), case((1, 3, 3, 3, 6), 2), case((2, 65, 3), 3),
        ]  # fmt: skip
