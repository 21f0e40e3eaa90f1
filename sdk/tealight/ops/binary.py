# SPDX-License-Identifier: Apache-2.0
"""Binary: y = f(a, b) with NumPy broadcasting, then an optional activation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tealight.ir.types import DType, TensorType
from tealight.ops._broadcast import broadcast_shapes
from tealight.ops._registry import Case, OpDef, get, register

_FLOATS = (DType.FLOAT32, DType.FLOAT16, DType.BFLOAT16, DType.FLOAT64)
_INTS = (
    DType.INT8, DType.UINT8, DType.INT16, DType.UINT16, DType.INT32, DType.UINT32, DType.INT64, DType.UINT64,
)  # fmt: skip


def _is_int(a: np.ndarray) -> bool:
    return a.dtype.kind in "iu"


def _div(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Integers truncate toward zero; x / 0 is 0 there."""
    if not _is_int(a):
        return np.asarray(a / b)
    safe = np.where(b == 0, 1, b).astype(b.dtype)
    quotient, rest = np.floor_divide(a, safe), np.remainder(a, safe)
    up = (rest != 0) & ((a < 0) != (safe < 0))
    return np.where(b == 0, 0, quotient + up).astype(a.dtype)


def _mod(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    if not _is_int(a):
        return np.asarray(np.mod(a, b))
    return np.where(b == 0, 0, np.mod(a, np.where(b == 0, 1, b).astype(b.dtype))).astype(a.dtype)


def _fmod(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    if not _is_int(a):
        return np.asarray(np.fmod(a, b))
    return np.where(b == 0, 0, np.fmod(a, np.where(b == 0, 1, b).astype(b.dtype))).astype(a.dtype)


def _pow(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Integers wrap around; a negative exponent gives the truncated quotient (0 unless |a| is 1)."""
    if not _is_int(a):
        return np.asarray(np.power(a, b))
    a, b = np.broadcast_arrays(a, b)
    bits = 8 * a.dtype.itemsize

    def power(x: int, y: int) -> int:
        if y >= 0:
            return pow(x, y, 1 << bits)
        return (0 if abs(x) != 1 else x if y % 2 else 1) % (1 << bits)

    flat = [power(int(x), int(y)) for x, y in zip(a.flat, b.flat, strict=True)]
    return np.array(flat, np.uint64).astype(f"u{a.dtype.itemsize}").view(a.dtype).reshape(a.shape)


def _shift(a: np.ndarray, b: np.ndarray, left: bool) -> np.ndarray:
    """Shifting by the width or more gives 0."""
    bits = 8 * a.dtype.itemsize
    amount = np.where((b < 0) | (b >= bits), 0, b).astype(a.dtype)
    y = np.left_shift(a, amount) if left else np.right_shift(a, amount)
    return np.where((b < 0) | (b >= bits), 0, y).astype(a.dtype)


#: kind -> f(a, b) over operands of one dtype (floats: float64).
FUNCTIONS: dict[str, Callable[[np.ndarray, np.ndarray], Any]] = {
    "add": lambda a, b: a + b,
    "sub": lambda a, b: a - b,
    "mul": lambda a, b: a * b,
    "div": _div,
    "pow": _pow,
    "max": lambda a, b: np.maximum(a, b),
    "min": lambda a, b: np.minimum(a, b),
    "mod": _mod,
    "fmod": _fmod,
    "equal": lambda a, b: a == b,
    "less": lambda a, b: a < b,
    "less_or_equal": lambda a, b: a <= b,
    "greater": lambda a, b: a > b,
    "greater_or_equal": lambda a, b: a >= b,
    "and_": lambda a, b: a & b,
    "or_": lambda a, b: a | b,
    "xor_": lambda a, b: a ^ b,
    "bitwise_and": lambda a, b: a & b,
    "bitwise_or": lambda a, b: a | b,
    "bitwise_xor": lambda a, b: a ^ b,
    "shift_left": lambda a, b: _shift(a, b, True),
    "shift_right": lambda a, b: _shift(a, b, False),
    "prelu": lambda a, b: np.where(a < 0, a * b, a),
}
COMPARISONS = ("equal", "less", "less_or_equal", "greater", "greater_or_equal")
_LOGIC = ("and_", "or_", "xor_")
_BITS = ("bitwise_and", "bitwise_or", "bitwise_xor", "shift_left", "shift_right")


def dtypes_of(kind: str) -> tuple[DType, ...]:
    """Returns the dtypes that a kind takes."""
    if kind in _LOGIC:
        return (DType.BOOL,)
    if kind in _BITS:
        return _INTS
    return (*_FLOATS, *_INTS, DType.BOOL) if kind == "equal" else (*_FLOATS, *_INTS)


@register
class Binary(OpDef):
    """y = activation(f(a, b)); a and b of one dtype, y of the same or bool.

    float16 and bfloat16 are computed in float32. Integers wrap around; x / 0 and x mod 0 are 0. NaN wins in max and
    min. An activation is for float32 only.
    """

    name = "binary"
    inputs = ("a", "b")
    required = ("kind",)
    defaults = {"activation": None}
    in_place = True

    def infer(self, *inputs: TensorType | None, **attrs: Any) -> TensorType:
        """Returns the broadcast shape."""
        a, b = inputs
        assert a is not None and b is not None
        kind = attrs["kind"]
        if kind not in FUNCTIONS:
            raise self.error("kind", found=kind, expected=f"one of {sorted(FUNCTIONS)}")
        if a.dtype != b.dtype:
            raise self.error(f"{kind} b", found=b.dtype.label, expected=f"{a.dtype.label} as a")
        if a.dtype not in dtypes_of(kind):
            expected = ", ".join(d.label for d in dtypes_of(kind))
            raise self.error(f"{kind} a", found=a.dtype.label, expected=expected)
        shape = broadcast_shapes(a.shape, b.shape)
        if shape is None:
            raise self.error(f"{kind} b", found=b, expected=f"a shape that broadcasts with {a}")
        dtype = DType.BOOL if kind in COMPARISONS else a.dtype
        if attrs.get("activation") is not None and dtype is not DType.FLOAT32:
            raise self.error("activation", found=dtype.label, expected="a float32 result")
        return TensorType(dtype, shape)

    def reference(self, *inputs: np.ndarray | None, **attrs: Any) -> np.ndarray:
        """Computes floats in float64 and rounds once."""
        a, b = inputs
        assert a is not None and b is not None
        kind = attrs["kind"]
        dtype = a.dtype
        if DType.of(dtype).is_float:
            a, b = a.astype(np.float64), b.astype(np.float64)
        with np.errstate(all="ignore"):
            y = np.asarray(FUNCTIONS[kind](a, b))
            y = y.astype(np.bool_ if kind in COMPARISONS else dtype)
        activation = attrs.get("activation")
        return y if activation is None else np.asarray(get("unary").reference(y, **activation))

    def cases(self) -> list[Case]:
        """Every broadcast form of the fast paths and general ones, every kind, every dtype."""
        rng = np.random.default_rng(12)
        add, mul = {"kind": "add"}, {"kind": "mul"}
        special = np.array([0.0, -0.0, np.nan, np.inf, -np.inf, 1.0, -1.0, 2.0, -3.0, 0.5, 1e-40, 3e38], np.float32)
        exact: dict[str, Any] = {"rtol": 0.0, "atol": 0.0, "why": "one IEEE operation"}
        shapes: list[tuple[tuple[int, ...], tuple[int, ...]]] = [
            ((3, 5, 7), (3, 5, 7)), ((2, 113, 67), (67,)), ((67,), (2, 113, 67)), ((5, 1, 9), (5, 4, 1)),
            ((2, 6, 5, 16), (2, 1, 1, 16)), ((2, 6, 5, 19), (2, 6, 5, 1)), ((1,), (3, 4)), ((3, 4), ()), ((), ()),
            ((2, 1, 3, 1, 5), (1, 4, 1, 2, 1)), ((4, 1), (1, 3)), ((0, 3), (3,)), ((1, 1, 1), (1,)), ((7, 3), (7, 1)),
            ((40000,), (40000,)), ((300, 3), (3,)), ((1, 64, 300), (1, 64, 1)),
        ]  # fmt: skip
        cases = [Case([a, b], kind, **exact) for a, b in shapes for kind in (add, {"kind": "sub"})]
        a, b = (v.astype(np.float32) for v in np.meshgrid(special, special))
        for kind in FUNCTIONS:
            if DType.FLOAT32 in dtypes_of(kind):
                cases.append(Case([a, b], {"kind": kind}, rtol=1e-6, atol=0.0, why="pow rounds twice"))
        positive = np.abs(rng.standard_normal((9, 33))).astype(np.float32)
        for activation in ("relu", "silu", "sigmoid"):
            more = {"activation": {"kind": activation, "alpha": 0.0, "beta": 0.0}}
            cases.append(Case([(2, 9, 9, 35), (2, 9, 9, 35)], {**add, **more}))
            cases.append(Case([(2, 9, 9, 35), (35,)], {**mul, **more}))
        cases += [
            Case([positive, (33,)], {"kind": "pow"}, rtol=1e-6),
            *(Case([(9, 33), np.array(e, np.float32)], {"kind": "pow"}, rtol=1e-6) for e in (2, 3, -1, 1, 4)),
            *(Case([positive, np.array(e, np.float32)], {"kind": "pow"}, rtol=1e-6) for e in (0.5, -0.5, 0.7)),
            Case([(2, 7, 7, 33), (33,)], {"kind": "prelu"}, **exact),
            Case([(5, 4), (5, 4)], {"kind": "div", "activation": {"kind": "clip", "alpha": -1.0, "beta": 1.0}}),
        ]
        for dtype in _INTS:
            info = np.iinfo(dtype.numpy)
            full = rng.integers(info.min, info.max, (6, 11), dtype.numpy, endpoint=True)
            row = rng.integers(max(info.min, -5), 6, (11,)).astype(dtype.numpy)
            row[:3] = [0, 1, info.max]
            kinds = [k for k in FUNCTIONS if dtype in dtypes_of(k)]
            cases += [
                Case([full, row], {"kind": k}) for k in kinds if dtype.size in (1, 8) or k in ("add", "div", "less")
            ]
        bools = rng.integers(0, 2, (5, 1, 7)).astype(np.bool_), rng.integers(0, 2, (3, 7)).astype(np.bool_)
        cases += [Case([*bools], {"kind": k}) for k in (*_LOGIC, "equal")]
        half = {"rtol": 1e-3, "why": "one rounding to float16"}
        for kind in ("add", "div", "pow", "max", "less", "mod"):
            pair = [rng.standard_normal(s).astype(np.float16) for s in ((3, 700), (700,))]
            cases.append(Case([np.abs(pair[0]), pair[1]], {"kind": kind}, **half))  # type: ignore[arg-type]
            double = [np.abs(rng.standard_normal((3, 35))), rng.standard_normal((3, 1))]
            cases.append(Case([*double], {"kind": kind}, rtol=1e-12))
        brain = [rng.standard_normal((4, 9)).astype(DType.BFLOAT16.numpy) for _ in range(2)]
        cases.append(Case([*brain], mul, rtol=1e-2, why="one rounding to bfloat16"))
        return cases
