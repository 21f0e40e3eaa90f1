# SPDX-License-Identifier: Apache-2.0
"""QLayerNorm: layer norm of int8 over the trailing axes, requantized."""

from __future__ import annotations

from typing import Any

import numpy as np

from tealight.ir.types import DType, TensorType
from tealight.ops._quantized import case_int8, check_int8, check_output
from tealight.ops._registry import Case, OpDef, register
from tealight.ops.layer_norm import normalized_tail
from tealight.quant import numerics

#: Longest row or group.
MAX_NORMALIZED = 8 << 20


@register
class QLayerNorm(OpDef):
    """y = rint(clamp(fma(t, scale, bias + zero_point), lo, hi)), t = fma(x, r, -mean * r), over axes [axis, rank).

    r and mean by numerics.norm_factor in float64, each rounded to float32 once; the rest in float32. x int8; scale
    and bias float32 in units of y's scale, as many elements as the normalised axes; `output` gives zero_point, lo, hi.
    """

    name = "q_layer_norm"
    inputs = ("x", "scale?", "bias?")
    defaults = {"axis": -1, "epsilon": 1e-5, "rms": False, "x_zero_point": 0, "x_scale": 1.0, "output": None}
    in_place = True

    def infer(self, *inputs: TensorType | None, **attrs: Any) -> TensorType:
        """Returns int8 of the shape of x."""
        x, scale, bias = (*inputs, None, None)[:3]
        assert x is not None
        if x.dtype is not DType.INT8:
            raise self.error("x", found=x.dtype.label, expected="int8")
        check_int8(self.error, x_zero_point=attrs["x_zero_point"])
        check_output(self.error, attrs["output"])
        tail = normalized_tail(self.error, x, attrs["axis"], scale, bias)
        if tail.is_static and tail.elements > MAX_NORMALIZED:
            raise self.error("x", found=f"{tail.elements} elements in a row", expected=f"at most {MAX_NORMALIZED}")
        return TensorType(DType.INT8, x.shape)

    def reference(self, *inputs: np.ndarray | None, **attrs: Any) -> np.ndarray:
        """Exact."""
        x, scale, bias = (*inputs, None, None)[:3]
        assert x is not None
        output = attrs["output"] or {}
        axes = tuple(range(attrs["axis"] % x.ndim, x.ndim))
        tail = [x.shape[a] for a in axes]
        r, centre = numerics.norm_factor(
            x, axes, attrs["x_scale"], attrs["x_zero_point"], attrs["epsilon"], attrs["rms"]
        )
        one, zero = np.ones(tail, np.float32), np.zeros(tail, np.float32)
        with np.errstate(all="ignore"):
            t = numerics.fma(x.astype(np.float32), r.astype(np.float32), (-centre * r).astype(np.float32))
            shift = (zero if bias is None else bias.reshape(tail)) + np.float32(output.get("zero_point", 0))
            y = numerics.fma(t, one if scale is None else scale.reshape(tail), shift)
        return numerics.clamp_round(y, int(output.get("lo", -128)), int(output.get("hi", 127)))

    def cases(self) -> list[Case]:
        """Tails, several axes, constant rows, with and without scale and bias, clamps."""
        rng = np.random.default_rng(46)

        def case(shape: tuple[int, ...], parts: int = 2, x: np.ndarray | None = None, **attrs: Any) -> Case:
            tail = shape[attrs.get("axis", -1) :]
            inputs: list[Any] = [case_int8(rng, shape) if x is None else x]
            if parts:
                inputs.append((rng.standard_normal(tail) * 30).astype(np.float32))
                inputs.append((rng.standard_normal(tail) * 9).astype(np.float32))
            if parts == 1:
                inputs[1] = None
            attrs = {"x_zero_point": -5, "x_scale": 0.03, "output": {"zero_point": 7, "lo": -120, "hi": 125}, **attrs}
            return Case(inputs, attrs, tuple(i for i in (1, 2) if i < len(inputs) and inputs[i] is not None), rtol=0)

        cases = [case((4, n), rms=rms) for n in (1, 7, 31, 64, 65, 192, 256, 300) for rms in (False, True)]
        cases += [case((2, 3, 4, 5), axis=1), case((2, 3, 70), axis=-2), case((3, 17), 0), case((3, 17), 1)]
        cases += [case((0, 8)), case((1, 70001)), case((5, 768), epsilon=1e-12, x_scale=1e-3)]
        constant = np.full((3, 40), 9, np.int8)
        cases += [case((3, 40), x=constant), case((3, 40), x=constant, epsilon=0.0)]
        wild = case((3, 50), x_scale=1e30, epsilon=1e-30)
        return [*cases, wild, case((2, 48), x_zero_point=127, output=None)]
