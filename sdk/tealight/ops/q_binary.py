# SPDX-License-Identifier: Apache-2.0
"""QBinary: the sum, difference, product or PReLU of two int8 tensors, with NumPy broadcasting."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tealight.ir.types import DType, TensorType
from tealight.ops._broadcast import broadcast_shapes
from tealight.ops._quantized import case_int8, check_int8, check_output, requantize
from tealight.ops._registry import Case, OpDef, register
from tealight.quant import numerics


@register
class QBinary(OpDef):
    """kind add: y = rescaled_add(a, b) by the table `add` (a difference has a negative b_scale).

    kind mul: y = requantize((a - a_zero_point) * (b - b_zero_point)) with `scale`, by the table `output`.
    kind prelu: the same where a < a_zero_point, else y = requantize(a - a_zero_point) with `positive_scale`; not wide.
    """

    name = "q_binary"
    inputs = ("a", "b")
    required = ("kind",)
    defaults = {
        "add": None, "a_zero_point": 0, "b_zero_point": 0, "scale": 0.0, "output": None, "positive_scale": 0.0,
    }  # fmt: skip
    in_place = True

    def infer(self, *inputs: TensorType | None, **attrs: Any) -> TensorType:
        """Returns int8 of the broadcast shape."""
        a, b = inputs
        assert a is not None and b is not None
        if attrs["kind"] not in ("add", "mul", "prelu"):
            raise self.error("kind", found=attrs["kind"], expected="add, mul or prelu")
        if a.dtype is not DType.INT8 or b.dtype is not DType.INT8:
            raise self.error("dtype", found=f"{a.dtype.label} and {b.dtype.label}", expected="int8")
        if attrs["kind"] == "add" and attrs["add"] is None:
            raise self.error("add", found="none", expected="its scales")
        add = attrs["add"] or {}
        check_int8(self.error, **{f"add {k}": int(add[k]) for k in ("lo", "hi") if k in add})
        check_int8(self.error, a_zero_point=attrs["a_zero_point"], b_zero_point=attrs["b_zero_point"])
        check_output(self.error, attrs["output"])
        if attrs["kind"] == "prelu" and (attrs["output"] or {}).get("wide"):
            raise self.error("output", found="wide", expected="scales that are not, for prelu")
        shape = broadcast_shapes(a.shape, b.shape)
        if shape is None:
            raise self.error("b", found=b, expected=f"a shape that broadcasts with {a}")
        return TensorType(DType.INT8, shape)

    def reference(self, *inputs: np.ndarray | None, **attrs: Any) -> np.ndarray:
        """Exact."""
        a, b = inputs
        assert a is not None and b is not None
        if attrs["kind"] == "add":
            return numerics.rescaled_add(a, b, **attrs["add"])
        scale = np.array(attrs["scale"], np.float32)
        product = (a.astype(np.int64) - attrs["a_zero_point"]) * (b.astype(np.int64) - attrs["b_zero_point"])
        if attrs["kind"] == "prelu":
            positive = np.broadcast_to(a.astype(np.int64) - attrs["a_zero_point"], product.shape)
            product = np.where(positive < 0, product, positive)
            scale = np.where(positive < 0, scale, np.array(attrs["positive_scale"], np.float32))
        return requantize(product, scale, attrs["output"])

    def cases(self) -> list[Case]:
        """Every broadcast form, tails, every pair of values, clamps, scales far apart, wide products."""
        rng = np.random.default_rng(44)
        shapes: list[tuple[tuple[int, ...], tuple[int, ...]]] = [
            ((3, 5, 7), (3, 5, 7)), ((2, 113, 67), (67,)), ((67,), (2, 113, 67)), ((5, 1, 9), (5, 4, 1)),
            ((2, 6, 5, 16), (2, 1, 1, 16)), ((2, 6, 5, 19), (2, 6, 5, 1)), ((1,), (3, 4)), ((3, 4), ()), ((), ()),
            ((2, 1, 3, 1, 5), (1, 4, 1, 2, 1)), ((4, 1), (1, 3)), ((0, 3), (3,)), ((40001,), (40001,)),
            ((300, 3), (3,)), ((1, 1, 130), (5, 130)), ((9, 200), (9, 1)),
        ]  # fmt: skip
        add = {"kind": "add", "add": {"a_scale": 0.73, "b_scale": 0.51, "offset": -7.3, "lo": -128, "hi": 127}}
        scale = float(numerics.odd_scale(0.0051))
        mul: dict[str, Any] = {"kind": "mul", "a_zero_point": 3, "b_zero_point": -11, "scale": scale}
        mul["output"] = {"zero_point": -9, "lo": -128, "hi": 127, "wide": False}
        prelu = {**mul, "kind": "prelu", "positive_scale": float(numerics.odd_scale(0.83))}
        cases = []
        for a, b in shapes:
            for attrs in (add, mul, prelu):
                cases.append(Case([case_int8(rng, a), case_int8(rng, b)], attrs))
        every = np.arange(-128, 128).astype(np.int8)
        pairs: list[Any] = [every.reshape(256, 1), every]
        for a_scale, b_scale, offset in ((1.0, -1.0, 0.5), (0.5, 0.5, 0.0), (1e-3, 40.0, 3.0), (1e6, 1e-6, 0.0)):
            table = {"a_scale": a_scale, "b_scale": b_scale, "offset": offset, "lo": -100, "hi": 90}
            cases.append(Case(pairs, {"kind": "add", "add": table}))
        for value, wide in ((1 / 128, False), (0.02, False), (-0.02, False), (60.0, False), (0.004, True), (3e3, True)):
            sign = -1.0 if value < 0 else 1.0
            attrs = {"kind": "mul", "a_zero_point": -128, "b_zero_point": 127}
            attrs |= {"scale": sign * float(numerics.odd_scale(abs(value)))}
            attrs["output"] = {"zero_point": 20, "lo": -120, "hi": 101, "wide": wide}
            cases.append(Case(pairs, attrs))
        for value, positive in ((0.0051, 0.83), (30.0, 8000.0), (-0.02, 0.004)):
            scales = {"scale": math.copysign(float(numerics.odd_scale(abs(value))), value)}
            scales["positive_scale"] = float(numerics.odd_scale(positive))
            cases.append(Case(pairs, {**prelu, **scales}))
        return cases
