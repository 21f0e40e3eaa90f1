# SPDX-License-Identifier: Apache-2.0
"""Unary: y = f(x), element by element; the functions and their dtypes."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from tealight.ir.types import DType, TensorType
from tealight.ops._registry import Case, OpDef, register

_SMALL_FLOATS = (DType.FLOAT32, DType.FLOAT16, DType.BFLOAT16)
_FLOATS = (*_SMALL_FLOATS, DType.FLOAT64)
_SIGNED = (DType.INT8, DType.INT16, DType.INT32, DType.INT64)
_INTS = (*_SIGNED, DType.UINT8, DType.UINT16, DType.UINT32, DType.UINT64)

Function = Callable[[np.ndarray, float, float], Any]


def _sigmoid(x: np.ndarray) -> np.ndarray:
    e = np.exp(-np.abs(x))
    return np.asarray(np.where(x < 0, e, 1.0) / (1 + e))


def _softplus(x: np.ndarray) -> np.ndarray:
    return np.asarray(np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x))))


_erf = np.vectorize(math.erf, otypes=[np.float64])
_erfc = np.vectorize(math.erfc, otypes=[np.float64])
_GELU_TANH = 2 * math.sqrt(2 / math.pi)

#: kind -> f(x, alpha, beta) over float64; NaN in gives NaN out unless the function ignores x.
FUNCTIONS: dict[str, Function] = {
    "identity": lambda x, a, b: x,
    "abs": lambda x, a, b: np.abs(x),
    "neg": lambda x, a, b: -x,
    "sign": lambda x, a, b: np.sign(x),
    "floor": lambda x, a, b: np.floor(x),
    "ceil": lambda x, a, b: np.ceil(x),
    "round": lambda x, a, b: np.rint(x),
    "sqrt": lambda x, a, b: np.sqrt(x),
    "rsqrt": lambda x, a, b: 1 / np.sqrt(x),
    "reciprocal": lambda x, a, b: 1 / x,
    "exp": lambda x, a, b: np.exp(x),
    "log": lambda x, a, b: np.log(x),
    "log1p": lambda x, a, b: np.log1p(x),
    "expm1": lambda x, a, b: np.expm1(x),
    "sin": lambda x, a, b: np.sin(x),
    "cos": lambda x, a, b: np.cos(x),
    "tan": lambda x, a, b: np.tan(x),
    "asin": lambda x, a, b: np.arcsin(x),
    "acos": lambda x, a, b: np.arccos(x),
    "atan": lambda x, a, b: np.arctan(x),
    "sinh": lambda x, a, b: np.sinh(x),
    "cosh": lambda x, a, b: np.cosh(x),
    "tanh": lambda x, a, b: np.tanh(x),
    "asinh": lambda x, a, b: np.arcsinh(x),
    "acosh": lambda x, a, b: np.arccosh(x),
    "atanh": lambda x, a, b: np.arctanh(x),
    "erf": lambda x, a, b: _erf(x),
    "sigmoid": lambda x, a, b: _sigmoid(x),
    "relu": lambda x, a, b: np.where(x < 0, 0, x),
    "clip": lambda x, a, b: np.where(b < np.where(a > x, a, x), b, np.where(a > x, a, x)),
    "leaky_relu": lambda x, a, b: np.where(x < 0, a * x, x),
    "elu": lambda x, a, b: np.where(x < 0, a * np.expm1(np.minimum(x, 0)), x),
    "selu": lambda x, a, b: b * np.where(x < 0, a * np.expm1(np.minimum(x, 0)), x),
    "celu": lambda x, a, b: np.where(x < 0, 0, x) + np.minimum(0, a * np.expm1(np.minimum(x / a, 0))),
    "gelu": lambda x, a, b: 0.5 * x * _erfc(-x / math.sqrt(2)),
    "gelu_tanh": lambda x, a, b: x * _sigmoid(_GELU_TANH * (x + 0.044715 * x * x * x)),
    "silu": lambda x, a, b: x * _sigmoid(x),
    "hard_sigmoid": lambda x, a, b: np.clip(a * x + b, 0, 1),
    "hard_swish": lambda x, a, b: x * np.clip(x / 6 + 0.5, 0, 1),
    "mish": lambda x, a, b: x * np.tanh(_softplus(x)),
    "softplus": lambda x, a, b: _softplus(x),
    "softsign": lambda x, a, b: x / (1 + np.abs(x)),
    "thresholded_relu": lambda x, a, b: np.where(x > a, x, 0),
    "shrink": lambda x, a, b: np.where(x < -a, x + b, np.where(x > a, x - b, 0)),
    "square": lambda x, a, b: x * x,
    "not_": lambda x, a, b: np.logical_not(x),
    "bitwise_not": lambda x, a, b: np.invert(x),
    "is_nan": lambda x, a, b: np.isnan(x),
    "is_inf": lambda x, a, b: (np.isneginf(x) if a else False) | (np.isposinf(x) if b else False),
}

_INTEGER = {"abs", "neg", "sign", "relu", "square"}
#: Kinds with a double precision body.
_DOUBLE = {
    "abs", "neg", "sign", "floor", "ceil", "round", "sqrt", "rsqrt", "reciprocal", "exp", "log", "tanh", "sigmoid",
    "relu", "clip", "square", "is_nan", "is_inf",
}  # fmt: skip


def dtypes_of(kind: str) -> tuple[DType, ...]:
    """Returns the dtypes that a kind takes."""
    if kind == "identity":
        return tuple(d for d in DType if d not in (DType.INT4, DType.UINT4))
    if kind == "not_":
        return (DType.BOOL,)
    if kind == "bitwise_not":
        return _INTS
    if kind in _INTEGER:
        return (*_FLOATS, *_INTS)
    return _FLOATS if kind in _DOUBLE else _SMALL_FLOATS


@register
class Unary(OpDef):
    """y has the shape of x, and its dtype (bool for is_nan and is_inf).

    float16 and bfloat16 are computed in float32. Integers wrap around. alpha and beta: see UnaryKind in ops.fbs.
    Errors of float32: native/kernels/elementwise/math.h.
    """

    name = "unary"
    inputs = ("x",)
    required = ("kind",)
    defaults = {"alpha": 0.0, "beta": 0.0}
    in_place = True

    def infer(self, *inputs: TensorType | None, **attrs: Any) -> TensorType:
        """Returns the type of x, or bool."""
        (x,) = inputs
        assert x is not None
        kind = attrs["kind"]
        if kind not in FUNCTIONS:
            raise self.error("kind", found=kind, expected=f"one of {sorted(FUNCTIONS)}")
        if x.dtype not in dtypes_of(kind):
            expected = ", ".join(d.label for d in dtypes_of(kind))
            raise self.error(f"{kind} x", found=x.dtype.label, expected=expected)
        return TensorType(DType.BOOL if kind in ("is_nan", "is_inf") else x.dtype, x.shape)

    def reference(self, *inputs: np.ndarray | None, **attrs: Any) -> np.ndarray:
        """Computes floats in float64."""
        (x,) = inputs
        assert x is not None
        kind = attrs["kind"]
        alpha, beta = (float(np.float32(attrs.get(k, 0.0))) for k in ("alpha", "beta"))
        f = FUNCTIONS[kind]
        with np.errstate(all="ignore"):
            if kind == "identity":
                return x.copy()
            if DType.of(x.dtype).is_float:
                y = np.asarray(f(x.astype(np.float64), alpha, beta))
                if kind in ("is_nan", "is_inf"):
                    return np.broadcast_to(y, x.shape).astype(np.bool_)
            else:
                y = np.asarray(f(x, alpha, beta))
            return y.astype(x.dtype)

    def cases(self) -> list[Case]:
        """Every kind over special values, subnormals and a wide range of magnitudes; other dtypes; odd shapes."""
        rng = np.random.default_rng(11)
        special = np.array(
            [0.0, -0.0, np.nan, np.inf, -np.inf, 1e-45, -1e-45, 1.1754944e-38, -1e-39, 3.4e38, -3.4e38, 1, -1, 0.5,
             -0.5, 2.5, -2.5, 1.5, 88.7, -87.5, -103.0, 5.7, -5.7, 9.1, -9.1],
            np.float32,
        )  # fmt: skip
        normal = rng.standard_normal(1009) * 3
        wide = rng.standard_normal(300) * 10.0 ** rng.integers(-12, 4, 300)
        x = np.concatenate([special, normal, wide]).astype(np.float32)
        finite = np.where(np.isfinite(x), x, np.float32(0.25))
        parameters = {
            "clip": (-1.0, 2.5), "leaky_relu": (0.01, 0.0), "elu": (1.3, 0.0), "selu": (1.6732632, 1.050701),
            "celu": (0.7, 0.0), "hard_sigmoid": (0.2, 0.5), "thresholded_relu": (0.8, 0.0), "shrink": (0.5, 0.25),
            "is_inf": (1.0, 0.0),
        }  # fmt: skip
        at_infinity = {"gelu", "gelu_tanh", "silu", "mish", "softsign", "hard_swish"}  # inf * 0, inf / inf
        cases = []
        for kind in sorted(set(FUNCTIONS) - {"not_", "bitwise_not"}):
            alpha, beta = parameters.get(kind, (0.0, 0.0))
            attrs = {"kind": kind, "alpha": alpha, "beta": beta}
            data = finite if kind in at_infinity else x
            cases.append(Case([data], attrs, rtol=2e-6, atol=1e-6, why="a few ulp, see math.h"))
        clip = {"kind": "clip", "alpha": 0.0, "beta": 6.0}
        half: dict[str, Any] = {"rtol": 2e-3, "atol": 1e-6, "why": "one rounding to float16"}
        brain: dict[str, Any] = {"rtol": 1e-2, "atol": 1e-6, "why": "one rounding to bfloat16"}
        with np.errstate(over="ignore"):
            f16 = x.astype(np.float16)
        bools = rng.integers(0, 2, (3, 7)).astype(np.bool_)
        cases += [
            Case([(3, 5, 7)], {"kind": "relu"}, rtol=0.0, atol=0.0),
            Case([(1, 113, 113, 3)], clip, rtol=0.0, atol=0.0),
            Case([np.array(2.0, np.float32)], {"kind": "exp"}),
            Case([(0, 4)], {"kind": "sigmoid"}),
            Case([f16], {"kind": "tanh"}, **half),
            Case([f16.reshape(2, -1)], {"kind": "gelu"} if np.isfinite(f16).all() else {"kind": "sigmoid"}, **half),
            Case([f16], {"kind": "is_nan"}),
            Case([x.astype(DType.BFLOAT16.numpy)], {"kind": "sigmoid"}, **brain),
            Case([x.astype(np.float64)], {"kind": "exp"}, rtol=1e-12),
            Case([x.astype(np.float64)], {"kind": "log"}, rtol=1e-12),
            Case([x.astype(np.float64)], {"kind": "sign"}),
            Case([bools], {"kind": "not_"}),
            Case([bools], {"kind": "identity"}),
            Case([rng.integers(-128, 128, 77).astype(np.int8)], {"kind": "abs"}),
            Case([rng.integers(-(2**31), 2**31, 77).astype(np.int32)], {"kind": "neg"}),
            Case([rng.integers(-9, 9, (5, 11)).astype(np.int64)], {"kind": "sign"}),
            Case([rng.integers(-9, 9, (5, 11)).astype(np.int64)], {"kind": "relu"}),
            Case([rng.integers(0, 2**16, 19).astype(np.uint16)], {"kind": "square"}),
            Case([rng.integers(0, 2**63, 19).astype(np.uint64)], {"kind": "bitwise_not"}),
            Case([rng.integers(-9, 9, 600).astype(np.int64)], {"kind": "identity"}),
        ]
        return cases
