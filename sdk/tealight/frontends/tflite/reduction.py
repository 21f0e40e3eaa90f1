# SPDX-License-Identifier: Apache-2.0
"""Converters of reductions, softmax and normalizations."""

from __future__ import annotations

from tealight.frontends.problems import RefusedError
from tealight.frontends.tflite.context import OperatorContext
from tealight.frontends.tflite.registry import converts
from tealight.ir.graph import Value
from tealight.ir.types import DType

_REDUCE = {
    "MEAN": "mean", "SUM": "sum", "REDUCE_MAX": "max", "REDUCE_MIN": "min", "REDUCE_PROD": "prod",
    "REDUCE_ANY": "any", "REDUCE_ALL": "all",
}  # fmt: skip


@converts(*_REDUCE)
def reduce(c: OperatorContext) -> Value:
    """One value from all elements along the axes of operand 1."""
    kind = _REDUCE[c.op]
    x = c.moved() if kind in ("max", "min") else c.real(0)
    axes = sorted({c.axis(a, len(x.shape)) for a in c.ints(1, "axes")}) if x.shape else []
    if not axes:
        return x
    return c.add("reduce", [x, c.int64s(axes)], {"kind": kind, "keepdims": bool(c.option("keep_dims", False))})


@converts("ARG_MAX", "ARG_MIN")
def arg_reduce(c: OperatorContext) -> Value:
    """The index of the largest or smallest element along an axis; stored integers order like what they stand for."""
    x, (axis,) = c.stored(0), c.ints(1, "axis")
    y = c.add("arg_reduce", [x], {"axis": c.axis(axis, len(x.shape)), "is_min": c.op == "ARG_MIN", "keepdims": False})
    return c.cast(y, c.results[0].dtype or DType.INT64)


@converts("SOFTMAX")
def softmax(c: OperatorContext) -> Value:
    """Softmax of beta * x along the last axis."""
    x, beta = c.floats(0), float(c.option("beta", 1.0))
    if beta != 1.0:
        x = c.binary("mul", x, c.constant(beta, "float32"))
    return c.add("softmax", [x], {"axis": len(x.shape) - 1})


@converts("LOG_SOFTMAX")
def log_softmax(c: OperatorContext) -> Value:
    """The logarithm of the softmax along the last axis."""
    x = c.floats(0)
    return c.add("softmax", [x], {"axis": len(x.shape) - 1, "is_log": True})


@converts("L2_NORMALIZATION")
def l2_normalization(c: OperatorContext) -> Value:
    """X / sqrt(max(sum x^2 along the last axis, 1e-6)), as the reference kernels have it."""
    x = c.floats(0)
    total = c.add("reduce", [x, c.int64s([len(x.shape) - 1])], {"kind": "sum_square", "keepdims": True})
    bounded = c.binary("max", total, c.constant(1e-6, "float32"))
    return c.activated(c.binary("mul", x, c.unary("rsqrt", bounded)))


@converts("LOCAL_RESPONSE_NORMALIZATION")
def local_response_normalization(c: OperatorContext) -> Value:
    """X * (bias + alpha * sum over 2 radius + 1 channels of x^2)^-beta."""
    radius = int(c.option("radius"))
    if radius < 0 or radius > 1 << 16:
        raise RefusedError(f"radius {radius}, expected at least 0")
    size = 2 * radius + 1
    attrs = {"size": size, "alpha": c.option("alpha") * size, "beta": c.option("beta"), "bias": c.option("bias")}
    return c.add("lrn", [c.image(0)], attrs)


@converts("CUMSUM")
def cum_sum(c: OperatorContext) -> Value:
    """Sums of all elements up to each along an axis."""
    attrs = {"exclusive": bool(c.option("exclusive")), "reverse": bool(c.option("reverse"))}
    return c.add("cum_sum", [c.real(0), c.int64s(c.ints(1, "axis"))], attrs)


@converts("TOPK_V2")
def top_k(c: OperatorContext) -> list[Value]:
    """The k largest elements of the last axis, and their indices."""
    x = c.moved()
    k = c.int64s(c.ints(1, "k"))
    values, indices = c.emit("top_k", [x, k], {"axis": len(x.shape) - 1}, outputs=2)
    return [values, c.cast(indices, DType.INT32)]
