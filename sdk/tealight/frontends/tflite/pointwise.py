# SPDX-License-Identifier: Apache-2.0
"""Converters of operators on elements, one by one or pairwise, and of dtypes."""

from __future__ import annotations

import numpy as np

from tealight.frontends.problems import RefusedError
from tealight.frontends.tflite.context import OperatorContext
from tealight.frontends.tflite.registry import converts
from tealight.frontends.tflite.schema import TYPES
from tealight.ir.graph import Value
from tealight.ir.types import DType

#: Operator -> kind, alpha, beta.
_UNARY = {
    "RELU": ("relu", 0.0, 0.0), "RELU6": ("clip", 0.0, 6.0), "RELU_N1_TO_1": ("clip", -1.0, 1.0),
    "RELU_0_TO_1": ("clip", 0.0, 1.0), "LOGISTIC": ("sigmoid", 0.0, 0.0), "TANH": ("tanh", 0.0, 0.0),
    "HARD_SWISH": ("hard_swish", 0.0, 0.0), "ELU": ("elu", 1.0, 0.0), "EXP": ("exp", 0.0, 0.0),
    "LOG": ("log", 0.0, 0.0), "SQRT": ("sqrt", 0.0, 0.0), "RSQRT": ("rsqrt", 0.0, 0.0), "ABS": ("abs", 0.0, 0.0),
    "NEG": ("neg", 0.0, 0.0), "SQUARE": ("square", 0.0, 0.0), "FLOOR": ("floor", 0.0, 0.0),
    "CEIL": ("ceil", 0.0, 0.0), "ROUND": ("round", 0.0, 0.0), "SIN": ("sin", 0.0, 0.0), "COS": ("cos", 0.0, 0.0),
    "SIGN": ("sign", 0.0, 0.0), "LOGICAL_NOT": ("not_", 0.0, 0.0),
}  # fmt: skip
_BINARY = {
    "ADD": "add", "SUB": "sub", "MUL": "mul", "DIV": "div", "POW": "pow", "MAXIMUM": "max", "MINIMUM": "min",
    "EQUAL": "equal", "LESS": "less", "LESS_EQUAL": "less_or_equal", "GREATER": "greater",
    "GREATER_EQUAL": "greater_or_equal", "LOGICAL_AND": "and_", "LOGICAL_OR": "or_", "FLOOR_MOD": "mod",
    "BITWISE_XOR": "bitwise_xor",
}  # fmt: skip


@converts(*_UNARY)
def unary(c: OperatorContext) -> Value:
    """Y = f(x)."""
    kind, alpha, beta = _UNARY[c.op]
    return c.unary(kind, c.real(0), alpha, beta)


@converts(*_BINARY)
def binary(c: OperatorContext) -> Value:
    """Y = activation(f(a, b)) with broadcasting."""
    a, b = c.real(0), c.real(1)
    if a.dtype is not b.dtype:
        raise RefusedError(f"operands of {a.dtype.label} and {b.dtype.label}, expected one dtype")
    return c.activated(c.binary(_BINARY[c.op], a, b))


@converts("NOT_EQUAL")
def not_equal(c: OperatorContext) -> Value:
    """Not (a == b)."""
    return c.unary("not_", c.binary("equal", c.real(0), c.real(1)))


@converts("FLOOR_DIV")
def floor_div(c: OperatorContext) -> Value:
    """Floor(a / b)."""
    a, b = c.real(0), c.real(1)
    if a.dtype.is_float:
        return c.unary("floor", c.binary("div", a, b))
    return c.binary("div", c.binary("sub", a, c.binary("mod", a, b)), b)


@converts("ATAN2")
def atan2(c: OperatorContext) -> Value:
    """The angle of the point (b, a): that in the right half plane, mirrored where b is negative."""
    y, x = c.floats(0), c.floats(1)
    zero, pi = c.constant(0.0, "float32"), c.constant(np.pi, "float32")
    angle = c.unary("atan", c.binary("div", y, c.unary("abs", x)))
    angle = c.add("where", [c.binary("equal", y, zero), zero, angle])
    half_turn = c.add("where", [c.binary("less", y, zero), c.unary("neg", pi), pi])
    return c.add("where", [c.binary("less", x, zero), c.binary("sub", half_turn, angle), angle])


@converts("DENSIFY")
def densify(c: OperatorContext) -> Value:
    """Its operand: sparse constants are read as dense ones."""
    return c.stored(0)


@converts("SQUARED_DIFFERENCE")
def squared_difference(c: OperatorContext) -> Value:
    """(a - b)^2."""
    return c.unary("square", c.binary("sub", c.real(0), c.real(1)))


@converts("ADD_N")
def add_n(c: OperatorContext) -> Value:
    """The sum of all operands."""
    total = c.real(0)
    for i in range(1, len(c.operands)):
        total = c.binary("add", total, c.real(i))
    return total


@converts("LEAKY_RELU")
def leaky_relu(c: OperatorContext) -> Value:
    """X, or alpha * x where it is negative."""
    return c.unary("leaky_relu", c.floats(0), float(c.option("alpha", 0.0)))


@converts("PRELU")
def prelu(c: OperatorContext) -> Value:
    """X, or alpha * x where it is negative; alpha broadcasts."""
    return c.binary("prelu", c.floats(0), c.floats(1))


@converts("GELU")
def gelu(c: OperatorContext) -> Value:
    """Gelu by erf, or by tanh."""
    return c.unary("gelu_tanh" if c.option("approximate", False) else "gelu", c.floats(0))


@converts("QUANTIZE", "DEQUANTIZE", "FAKE_QUANT")
def quantize(c: OperatorContext) -> Value:
    """Between quantizations and float: the importer adds what the result's type needs."""
    if c.op == "FAKE_QUANT":
        raise RefusedError("a training node, expected a converted model", "convert the model with its ranges")
    return c.stored(0) if c.result_params() is not None and c.params(0) is None else c.real(0)


@converts("CAST")
def cast(c: OperatorContext) -> Value:
    """The stored elements as another dtype."""
    to = c.results[0].dtype
    if to is None:
        raise RefusedError(f"result of {c.results[0].type_name}, expected a float or integer type")
    return c.cast(c.stored(0), to)


@converts("SELECT", "SELECT_V2")
def select(c: OperatorContext) -> Value:
    """A where the condition holds, else b."""
    condition = c.stored(0)
    a, b = c.real(1), c.real(2)
    if c.op == "SELECT" and len(condition.shape) == 1 and len(a.shape) > 1:
        condition = c.reshape(condition, [*c.dims(condition, "the condition"), *[1] * (len(a.shape) - 1)])
    return c.add("where", [condition, a, b])


@converts("ZEROS_LIKE")
def zeros_like(c: OperatorContext) -> Value:
    """Zeros of the shape of x."""
    x = c.real(0)
    zero = c.constant(np.zeros((), x.dtype.numpy))
    return c.add("expand", [zero, c.int64s(c.dims(x, "the operand"))])


@converts("SHAPE", "RANK")
def shape(c: OperatorContext) -> Value:
    """The dims of x, or how many there are."""
    x = c.stored(0)
    name = TYPES.get(c.option("out_type", 2)) if c.op == "SHAPE" else "int32"
    if name not in ("int32", "int64"):
        raise RefusedError(f"result of type {c.option('out_type')}, expected int32 or int64")
    if c.op == "RANK":
        return c.constant(np.array(len(x.shape), np.int32))
    return c.cast(c.add("shape", [x]), DType[name.upper()])
