# SPDX-License-Identifier: Apache-2.0
"""Converters of elementwise ops, casts, reductions and matrix products."""

from __future__ import annotations

import math

import numpy as np

from tealight.frontends.onnx.context import NodeContext, RefusedError, dtype_of, internal_dtype
from tealight.frontends.onnx.registry import converts
from tealight.ir.graph import Value
from tealight.ir.types import DType

_INF = math.inf

#: Foreign op -> kind of unary, for those without parameters.
_UNARY = {
    "Abs": "abs", "Neg": "neg", "Sign": "sign", "Floor": "floor", "Ceil": "ceil", "Round": "round", "Sqrt": "sqrt",
    "Reciprocal": "reciprocal", "Exp": "exp", "Log": "log", "Sin": "sin", "Cos": "cos", "Tan": "tan", "Asin": "asin",
    "Acos": "acos", "Atan": "atan", "Sinh": "sinh", "Cosh": "cosh", "Tanh": "tanh", "Asinh": "asinh",
    "Acosh": "acosh", "Atanh": "atanh", "Erf": "erf", "Sigmoid": "sigmoid", "Relu": "relu", "Softplus": "softplus",
    "Softsign": "softsign", "HardSwish": "hard_swish", "Mish": "mish", "Not": "not_", "BitwiseNot": "bitwise_not",
    "IsNaN": "is_nan",
}  # fmt: skip

#: Foreign op -> kind of unary, and its parameters: (attribute, default) for alpha and beta.
_PARAMETRIC: dict[str, tuple[str, tuple[tuple[str, float], ...]]] = {
    "LeakyRelu": ("leaky_relu", (("alpha", 0.01),)),
    "Elu": ("elu", (("alpha", 1.0),)),
    "Celu": ("celu", (("alpha", 1.0),)),
    "HardSigmoid": ("hard_sigmoid", (("alpha", 0.2), ("beta", 0.5))),
    "ThresholdedRelu": ("thresholded_relu", (("alpha", 1.0),)),
    "Shrink": ("shrink", (("lambd", 0.5), ("bias", 0.0))),
}

_BINARY = {
    "Add": "add", "Sub": "sub", "Mul": "mul", "Div": "div", "Equal": "equal", "Less": "less", "LessOrEqual":
    "less_or_equal", "Greater": "greater", "GreaterOrEqual": "greater_or_equal", "And": "and_", "Or": "or_",
    "Xor": "xor_", "BitwiseAnd": "bitwise_and", "BitwiseOr": "bitwise_or", "BitwiseXor": "bitwise_xor",
}  # fmt: skip

_VARIADIC = {"Sum": "add", "Max": "max", "Min": "min", "Mean": "add"}

_REDUCE = {
    "ReduceSum": "sum", "ReduceMean": "mean", "ReduceMax": "max", "ReduceMin": "min", "ReduceProd": "prod",
    "ReduceL1": "l1", "ReduceL2": "l2", "ReduceSumSquare": "sum_square", "ReduceLogSum": "log_sum",
    "ReduceLogSumExp": "log_sum_exp",
}  # fmt: skip

#: What a reduction does to a single element, for noop_with_empty_axes.
_SINGLE = {"l1": ("abs",), "l2": ("abs",), "sum_square": ("square",), "log_sum": ("log",)}


@converts(*_UNARY)
def unary(c: NodeContext) -> Value:
    """One-to-one functions."""
    return c.unary(_UNARY[c.op], c.input(0))


@converts(*_PARAMETRIC)
def parametric(c: NodeContext) -> Value:
    """Functions with parameters."""
    kind, parameters = _PARAMETRIC[c.op]
    return c.unary(kind, c.input(0), *[c.number(name, default) for name, default in parameters])


@converts("Selu")
def selu(c: NodeContext) -> Value:
    """Selu; opset 1 had rounded defaults."""
    old = c.opset < 6
    alpha = c.number("alpha", 1.6732 if old else 1.67326319217681884765625)
    return c.unary("selu", c.input(0), alpha, c.number("gamma", 1.0507 if old else 1.05070102214813232421875))


@converts("Gelu")
@converts("Gelu", domain="com.microsoft")
def gelu(c: NodeContext) -> Value:
    """Gelu, by erf or by tanh."""
    return c.unary("gelu_tanh" if c.text("approximate", "none") == "tanh" else "gelu", c.input(0))


@converts("Swish")
def swish(c: NodeContext) -> Value:
    """X * sigmoid(alpha * x)."""
    x, alpha = c.input(0), c.number("alpha", 1.0)
    if alpha == 1.0:
        return c.unary("silu", x)
    return c.binary("mul", x, c.unary("sigmoid", c.binary("mul", x, c.scalar(alpha, x))))


@converts("IsInf")
def is_inf(c: NodeContext) -> Value:
    """IsInf with its two flags."""
    return c.unary("is_inf", c.input(0), c.integer("detect_negative", 1), c.integer("detect_positive", 1))


@converts("Clip")
def clip_v1(c: NodeContext) -> Value:
    """Clip with attribute bounds."""
    return _clip(c, c.input(0), c.number("min", -3.4028234663852886e38), c.number("max", 3.4028234663852886e38))


@converts("Clip", since=11)
def clip_v11(c: NodeContext) -> Value:
    """Clip with operand bounds."""
    x = c.input(0)
    lo, hi = c.optional(1), c.optional(2)
    if x.dtype.is_float and all(v is None or v.is_const for v in (lo, hi)):
        return _clip(c, x, -_INF if lo is None else _item(lo), _INF if hi is None else _item(hi))
    if lo is not None:
        x = c.binary("max", x, lo)
    return x if hi is None else c.binary("min", x, hi)


def _item(v: Value) -> float:
    array = v.const
    assert array is not None
    if array.size != 1:
        raise RefusedError(f"bound '{v.name}' of shape {list(array.shape)}, expected a scalar")
    return float(array.reshape(-1)[0])


def _clip(c: NodeContext, x: Value, lo: float, hi: float) -> Value:
    if not x.dtype.is_float:
        return c.binary("min", c.binary("max", x, c.scalar(lo, x)), c.scalar(hi, x))
    if lo == 0 and hi == _INF:
        return c.unary("relu", x)
    return x if (lo, hi) == (-_INF, _INF) else c.unary("clip", x, lo, hi)


# ---- two operands ----


def legacy_broadcast(c: NodeContext, a: Value, b: Value) -> Value:
    """Returns b shaped for NumPy broadcasting, from the `broadcast` and `axis` attributes of opsets before 7."""
    if not c.integer("broadcast", 0) or not c.has("axis"):
        return b
    axis = c.integer("axis")
    rank = len(a.shape)
    axis += rank if axis < 0 else 0
    trailing = rank - axis - len(b.shape)
    if trailing < 0:
        raise RefusedError(f"axis {axis} for operands of rank {rank} and {len(b.shape)}, expected b to fit inside a")
    return c.reshape(b, [*c.dims(b), *[1] * trailing]) if trailing else b


@converts(*_BINARY)
def binary(c: NodeContext) -> Value:
    """Two-operand functions."""
    a, b = c.input(0), c.input(1)
    if c.opset < 7:
        b = legacy_broadcast(c, a, b)
    return c.binary(_BINARY[c.op], a, b)


@converts(*_VARIADIC)
def variadic(c: NodeContext) -> Value:
    """Sum, Max, Min, Mean over any number of operands."""
    y = c.input(0)
    for i in range(1, len(c.inputs)):
        y = c.binary(_VARIADIC[c.op], y, c.input(i))
    if c.op == "Mean" and len(c.inputs) > 1:
        y = c.binary("div", y, c.scalar(len(c.inputs), y))
    return y


@converts("Pow")
def power(c: NodeContext) -> Value:
    """Pow; since opset 12 the exponent may have another dtype, and the result has that of the base."""
    a, b = c.input(0), c.input(1)
    if c.opset < 7:
        b = legacy_broadcast(c, a, b)
    exponent = b.const
    if exponent is not None and exponent.size == 1 and len(b.shape) <= len(a.shape) and a.dtype.is_float:
        if float(exponent.reshape(-1)[0]) == 2.0:
            return c.unary("square", a)
        if float(exponent.reshape(-1)[0]) == 1.0:
            return a
    if a.dtype == b.dtype:
        return c.binary("pow", a, b)
    if a.dtype.is_float:
        return c.binary("pow", a, c.cast(b, a.dtype))
    if b.dtype.is_float:
        return c.cast(c.binary("pow", c.cast(a, b.dtype), b), a.dtype)
    return c.binary("pow", a, c.cast(b, a.dtype))


@converts("Mod")
def mod(c: NodeContext) -> Value:
    """Mod: the sign of the divisor, or of the dividend with fmod."""
    return c.binary("fmod" if c.integer("fmod", 0) else "mod", c.input(0), c.input(1))


@converts("BitShift")
def bit_shift(c: NodeContext) -> Value:
    """BitShift; to the right, signed numbers keep their sign and shifts out of range move everything out."""
    x, amount = c.input(0), c.input(1)
    if c.text("direction") == "LEFT":
        return c.binary("shift_left", x, amount)
    if x.dtype.numpy.kind == "i":
        unsigned = DType.of(np.dtype(f"uint{8 * x.dtype.size}"))
        largest = c.constant(np.array(8 * x.dtype.size - 1, unsigned.numpy))
        amount = c.cast(c.binary("min", c.cast(amount, unsigned), largest), x.dtype)
    return c.binary("shift_right", x, amount)


@converts("PRelu")
def prelu(c: NodeContext) -> Value:
    """PRelu; before opset 7 the slope is per channel (axis 1)."""
    x, slope = c.input(0), c.input(1)
    if c.opset < 7 and len(slope.shape) == 1 and slope.shape[0] != 1:
        slope = c.reshape(slope, [*c.dims(slope), *[1] * (len(x.shape) - 2)])
    return c.binary("prelu", x, slope)


@converts("Where")
def where(c: NodeContext) -> Value:
    """Where."""
    return c.add("where", [c.input(0), c.input(1), c.input(2)])


# ---- casts ----


@converts("Cast")
def cast(c: NodeContext) -> Value:
    """Cast; opset 1 named the dtype by a string."""
    to = c.attrs.get("to")
    if isinstance(to, str):
        import onnx

        to = onnx.TensorProto.DataType.Value(to.upper())
    return _cast(c, c.input(0), dtype_of(c.integer("to") if to is None else int(to)))


@converts("CastLike", since=15)
def cast_like(c: NodeContext) -> Value:
    """CastLike: the dtype of another operand."""
    return _cast(c, c.input(0), c.input(1).dtype)


def _cast(c: NodeContext, x: Value, dtype: DType) -> Value:
    if internal_dtype(dtype) != dtype:
        c.scope.importer.note(f"casts to {dtype.label}: computed in float32")
    return c.cast(x, internal_dtype(dtype))


# ---- reductions ----


@converts(*_REDUCE)
def reduce(c: NodeContext) -> Value:
    """ReduceX; axes are an attribute before opset 18 (ReduceSum: 13), an operand since."""
    x, kind = c.input(0), _REDUCE[c.op]
    keepdims = bool(c.integer("keepdims", 1))
    axes: Value | None
    if c.opset >= (13 if c.op == "ReduceSum" else 18):
        axes = c.optional(1)
        if axes is not None and axes.const is not None:
            axes = c.int64s(axes.const.reshape(-1).tolist())
    else:
        axes = c.int64s(c.integers("axes")) if c.has("axes") else None
    empty = axes is None or axes.shape == (0,)
    if empty and c.integer("noop_with_empty_axes", 0):
        for name in _SINGLE.get(kind, ()):
            x = c.unary(name, x)
        return x
    if x.dtype is DType.BOOL and kind in ("max", "min"):
        kind = "any" if kind == "max" else "all"
    return c.add("reduce", [x] if empty else [x, axes], {"kind": kind, "keepdims": keepdims})


@converts("ArgMax", "ArgMin")
def arg_reduce(c: NodeContext) -> Value:
    """ArgMax and ArgMin."""
    attrs = {
        "is_min": c.op == "ArgMin",
        "axis": c.integer("axis", 0),
        "keepdims": bool(c.integer("keepdims", 1)),
        "select_last_index": bool(c.integer("select_last_index", 0)),
    }
    return c.add("arg_reduce", [c.input(0)], attrs)


@converts("CumSum")
def cum_sum(c: NodeContext) -> Value:
    """CumSum."""
    flags = {"exclusive": bool(c.integer("exclusive", 0)), "reverse": bool(c.integer("reverse", 0))}
    return c.add("cum_sum", [c.input(0), c.input(1)], flags)


# ---- matrix products ----


def linear(c: NodeContext, x: Value, weight: Value, bias: Value | None) -> Value:
    """Adds y = x @ weight.T + bias, with a constant weight [n, k]."""
    operands = [x, weight]
    return c.add("fully_connected", operands if bias is None else [*operands, bias])


@converts("MatMul")
def matmul(c: NodeContext) -> Value:
    """MatMul of any ranks; a constant matrix on the right makes a fully connected layer."""
    return product(c, c.input(0), c.input(1))


def product(c: NodeContext, a: Value, b: Value, alpha: float = 1.0) -> Value:
    """Adds a @ b (numpy rules) scaled by alpha."""
    vector_a, vector_b = len(a.shape) == 1, len(b.shape) == 1
    if vector_a:
        a = c.unsqueeze(a, [0])
    if c.is_weight(b) and len(b.shape) <= 2 and not a.is_const and alpha == 1.0:
        weight = c.rearranged(b, lambda w: w[None, :] if vector_b else w.T, "weight")
        y = linear(c, a, weight, None)
    else:
        if vector_b:
            b = c.unsqueeze(b, [1])
        y = c.add("matmul", [a, b], {"alpha": alpha})
    gone = ([-2] if vector_a else []) + ([-1] if vector_b else [])
    return c.squeeze(y, gone) if gone else y


@converts("Gemm")
def gemm(c: NodeContext) -> Value:
    """Gemm: alpha * A' B' + beta * C."""
    a, b, bias = c.input(0), c.input(1), c.optional(2)
    alpha, beta = c.number("alpha", 1.0), c.number("beta", 1.0)
    trans_a, trans_b = bool(c.integer("transA", 0)), bool(c.integer("transB", 0))
    if not c.is_weight(b) or a.is_const:
        y = c.add("matmul", [a, b], {"transpose_a": trans_a, "transpose_b": trans_b, "alpha": alpha})
        return _add_scaled(c, y, bias, beta)
    if alpha != 1.0:
        b = c.constant(np.asarray(c.known_array(b)) * np.float32(alpha))
    weight = c.rearranged(b, lambda w: w if trans_b else w.T, "weight")
    if trans_a:
        a = c.transpose(a, [1, 0])
    n = int(weight.shape[0])
    fused = None
    if bias is not None and c.is_weight(bias) and beta != 0 and bias.shape in ((n,), (1, n), (1,), (1, 1), ()):
        if beta != 1.0:
            bias = c.constant(np.asarray(c.known_array(bias)) * np.float32(beta))
        fused, bias = c.rearranged(bias, lambda v: np.broadcast_to(v.reshape(-1), (n,)), "bias"), None
    y = linear(c, a, weight, fused)
    return _add_scaled(c, y, bias, beta)


def _add_scaled(c: NodeContext, y: Value, bias: Value | None, beta: float) -> Value:
    if bias is None or beta == 0:
        return y
    if beta != 1.0:
        bias = c.binary("mul", bias, c.scalar(beta, bias))
    return c.binary("add", y, bias)
