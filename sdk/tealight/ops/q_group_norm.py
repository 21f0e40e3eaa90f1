# SPDX-License-Identifier: Apache-2.0
"""QGroupNorm: group and instance norm of int8, channels-last, requantized."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tealight.ir.types import DType, TensorType
from tealight.ops._quantized import case_int8, check_int8, check_output
from tealight.ops._registry import Case, OpDef, register
from tealight.ops.q_layer_norm import MAX_NORMALIZED
from tealight.quant import numerics


@register
class QGroupNorm(OpDef):
    """y = rint(clamp(fma(x, factor, offset), lo, hi)) over each sample's positions and groups of channels.

    r and mean by numerics.norm_factor; in float64 factor = r * scale, offset = bias + zero_point - mean * factor, each
    rounded to float32. x int8 [n, ..., c]; scale and bias float32 [c] in units of y's scale.
    """

    name = "q_group_norm"
    inputs = ("x", "scale?", "bias?")
    required = ("num_groups",)
    defaults = {"epsilon": 1e-5, "x_zero_point": 0, "x_scale": 1.0, "output": None}
    in_place = True

    def infer(self, *inputs: TensorType | None, **attrs: Any) -> TensorType:
        """Returns int8 of the shape of x."""
        x, scale, bias = (*inputs, None, None)[:3]
        assert x is not None
        if x.dtype is not DType.INT8 or x.rank < 2:
            raise self.error("x", found=x, expected="int8 [n, ..., c]")
        c, groups = x.shape[-1], attrs["num_groups"]
        if groups < 1 or (isinstance(c, int) and c % groups):
            raise self.error("num_groups", found=groups, expected=f"a divisor of {c} channels")
        check_int8(self.error, x_zero_point=attrs["x_zero_point"])
        check_output(self.error, attrs["output"])
        sample = TensorType(DType.INT8, x.shape[1:])
        if sample.is_static and sample.elements // groups > MAX_NORMALIZED:
            raise self.error("x", found=f"{sample.elements} elements", expected=f"at most {MAX_NORMALIZED} in a group")
        for name, operand in (("scale", scale), ("bias", bias)):
            if operand is not None and (operand.dtype is not DType.FLOAT32 or operand.shape not in ((c,), (1, c))):
                raise self.error(name, found=operand, expected=f"float32[{c}]")
        return TensorType(DType.INT8, x.shape)

    def reference(self, *inputs: np.ndarray | None, **attrs: Any) -> np.ndarray:
        """Exact."""
        x, scale, bias = (*inputs, None, None)[:3]
        assert x is not None
        output = attrs["output"] or {}
        c, groups = x.shape[-1], attrs["num_groups"]
        grouped = x.reshape(x.shape[0], math.prod(x.shape[1:-1]), groups, c // groups)
        r, centre = numerics.norm_factor(
            grouped, (1, 3), attrs["x_scale"], attrs["x_zero_point"], attrs["epsilon"]
        )  # [n, 1, groups, 1]
        with np.errstate(all="ignore"):
            factor = r if scale is None else r * scale.reshape(groups, -1).astype(np.float64)
            shift = np.zeros((groups, 1)) if bias is None else bias.reshape(groups, -1).astype(np.float64)
            offset = (shift + output.get("zero_point", 0)) - centre * factor
            y = numerics.fma(grouped.astype(np.float32), factor.astype(np.float32), offset.astype(np.float32))
        return numerics.clamp_round(y, int(output.get("lo", -128)), int(output.get("hi", 127))).reshape(x.shape)

    def cases(self) -> list[Case]:
        """Instance norm, groups, tails of channels, more than one block of positions, constant input."""
        rng = np.random.default_rng(47)

        def case(shape: tuple[int, ...], groups: int, affine: bool = True, **attrs: Any) -> Case:
            inputs: list[Any] = [case_int8(rng, shape)]
            if affine:
                inputs += [(rng.standard_normal(shape[-1]) * s).astype(np.float32) for s in (30, 9)]
            attrs = {"x_zero_point": 4, "x_scale": 0.02, "output": {"zero_point": -9, "lo": -9, "hi": 126}, **attrs}
            return Case(inputs, {"num_groups": groups, **attrs}, (1, 2) if affine else (), rtol=0)

        cases = [case((2, 5, 7, c), g) for c, g in ((6, 3), (6, 6), (6, 1), (64, 64), (67, 67), (130, 2), (1, 1))]
        cases += [case((1, 33, 40, 35), 35), case((1, 19, 31, 64), 64), case((3, 8), 4), case((2, 9, 32), 32, False)]
        cases += [case((0, 3, 4), 4), case((2, 0, 4), 4), case((1, 1, 8), 8, epsilon=0.0), case((1, 300, 12), 4)]
        return [*cases, case((1, 16, 16, 256), 256, x_scale=1e-4), case((1, 20, 48), 48, output=None)]
