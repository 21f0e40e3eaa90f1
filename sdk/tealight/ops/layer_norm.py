# SPDX-License-Identifier: Apache-2.0
"""LayerNorm over the trailing axes (ONNX LayerNormalization-17), and RMSNorm (ONNX RMSNormalization-23)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tealight.ir.types import DType, TensorType
from tealight.ops._registry import Case, OpDef, register


def normalized_tail(
    error: Callable[..., Exception], x: TensorType, axis: int, scale: TensorType | None, bias: TensorType | None
) -> TensorType:
    """Checks the operands of a norm over the dims of x from `axis` on and returns the float32 type of those dims."""
    if x.rank == 0 or not -x.rank <= axis < x.rank:
        raise error("axis", found=axis, expected=f"in [{-x.rank}, {x.rank})")
    tail = TensorType(DType.FLOAT32, x.shape[axis % x.rank :])
    for name, operand in (("scale", scale), ("bias", bias)):
        if operand is None:
            continue
        same = not operand.is_static or not tail.is_static or operand.elements == tail.elements
        if operand.dtype is not DType.FLOAT32 or not same:
            raise error(name, found=operand, expected=tail)
    return tail


@register
class LayerNorm(OpDef):
    """y = (x - mean) / sqrt(var + epsilon) * scale + bias over axes [axis, rank); rms: mean is taken as 0.

    x float32; scale and bias, when present, hold as many elements as the normalised axes.
    """

    name = "layer_norm"
    inputs = ("x", "scale?", "bias?")
    defaults = {"axis": -1, "epsilon": 1e-5, "rms": False}
    in_place = True

    def infer(self, *inputs: TensorType | None, **attrs: Any) -> TensorType:
        """Returns the type of x."""
        x, scale, bias = (*inputs, None, None)[:3]
        assert x is not None
        if x.dtype is not DType.FLOAT32:
            raise self.error("x", found=x.dtype.label, expected="float32")
        normalized_tail(self.error, x, attrs["axis"], scale, bias)
        return TensorType(x.dtype, x.shape)

    def reference(self, *inputs: np.ndarray | None, **attrs: Any) -> np.ndarray:
        """Computes in float64."""
        x, scale, bias = (*inputs, None, None)[:3]
        assert x is not None
        axes = tuple(range(attrs["axis"] % x.ndim, x.ndim))
        tail = [x.shape[a] for a in axes]
        wide = x.astype(np.float64)
        with np.errstate(all="ignore"):
            centred = wide if attrs["rms"] else wide - wide.mean(axis=axes, keepdims=True)
            y = centred / np.sqrt((centred * centred).mean(axis=axes, keepdims=True) + attrs["epsilon"])
            y = y if scale is None else y * scale.reshape(tail)
            return np.asarray(y if bias is None else y + bias.reshape(tail)).astype(np.float32)

    def cases(self) -> list[Case]:
        """Tails, several axes, with and without scale and bias, an offset that cancels badly."""
        offset = np.random.default_rng(6).standard_normal((3, 50)).astype(np.float32) + np.float32(100)
        tolerance: dict[str, Any] = {"rtol": 2e-5, "atol": 5e-6}
        cases = [Case([(2, 5, 37), (37,), (37,)], {"rms": rms}, constants=(1, 2), **tolerance) for rms in (False, True)]
        cases += [Case([(4, 256), (256,)], {"rms": True, "epsilon": 1e-6}, constants=(1,), **tolerance)]
        cases += [Case([(2, 3, 4, 5), (3, 4, 5), (3, 4, 5)], {"axis": 1}, constants=(1, 2), **tolerance)]
        cases += [Case([(3, 17)], {}, **tolerance), Case([(3, 17), None, (17,)], {}, constants=(2,), **tolerance)]
        cases += [Case([(5, 1), (1,), (1,)], {}, **tolerance), Case([(0, 8), (8,), (8,)], {}, **tolerance)]
        why = "the mean is 100 times the spread: cancellation of float32"
        return [*cases, Case([offset], {"epsilon": 1e-12}, rtol=1e-3, atol=1e-4, why=why)]
