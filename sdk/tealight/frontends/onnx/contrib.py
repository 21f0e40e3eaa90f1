# SPDX-License-Identifier: Apache-2.0
"""Converters of the fused ops (domain com.microsoft) that optimisers and exporters of transformers write."""

from __future__ import annotations

from collections.abc import Sequence

from tealight.frontends.onnx.context import NodeContext, RefusedError
from tealight.frontends.onnx.math import product
from tealight.frontends.onnx.nn import conv
from tealight.frontends.onnx.norm import normalized
from tealight.frontends.onnx.registry import converts
from tealight.ir.graph import Value
from tealight.ir.types import DType

_MS = "com.microsoft"


@converts("FusedConv", domain=_MS)
def fused_conv(c: NodeContext) -> Value:
    """Conv, then an optional sum and activation."""
    y = conv(c)
    if c.optional(3) is not None:
        y = c.binary("add", y, c.input(3))
    parameters = [float(v) for v in c.attrs.get("activation_params", [])]
    name = c.text("activation", "")
    kinds = {
        "Relu": "relu", "Tanh": "tanh", "Sigmoid": "sigmoid", "LeakyRelu": "leaky_relu", "Clip": "clip",
        "HardSigmoid": "hard_sigmoid",
    }  # fmt: skip
    if name and name not in kinds:
        raise RefusedError(f"activation {name}, expected one of {sorted(kinds)}")
    return c.unary(kinds[name], y, *parameters[:2]) if name else y


@converts("FusedMatMul", domain=_MS)
def fused_matmul(c: NodeContext) -> Value:
    """MatMul of transposed and scaled operands."""
    if c.integer("transBatchA", 0) or c.integer("transBatchB", 0):
        raise RefusedError("transposed batch dims, expected plain batches")
    a, b = c.input(0), c.input(1)
    flags = bool(c.integer("transA", 0)), bool(c.integer("transB", 0))
    if not any(flags):
        return product(c, a, b, c.number("alpha", 1.0))
    return c.add("matmul", [a, b], {"transpose_a": flags[0], "transpose_b": flags[1], "alpha": c.number("alpha", 1.0)})


@converts("DynamicQuantizeMatMul", "MatMulIntegerToFloat", domain=_MS)
def scaled_integer_matmul(c: NodeContext) -> Value:
    """A @ B + bias with B as integers, and A too or quantized while running."""
    a_zero: Value | None
    if c.op == "DynamicQuantizeMatMul":
        a, a_scale, a_zero = c.emit("dynamic_quantize", [c.input(0)], {}, outputs=3)
        scale, zero, bias = c.input(2), c.optional(3), c.optional(4)
    else:
        a, a_scale, a_zero = c.input(0), c.input(2), c.optional(4)
        scale, zero, bias = c.input(3), c.optional(5), c.optional(6)
    operands: list[Value | None] = [a, c.input(1), a_zero, zero]
    while operands[-1] is None:
        operands.pop()
    sums = c.add("matmul_integer", operands)
    y = c.binary("mul", c.cast(sums, DType.FLOAT32), c.binary("mul", a_scale, scale))
    return y if bias is None else c.binary("add", y, bias)


@converts("QuickGelu", domain=_MS)
def quick_gelu(c: NodeContext) -> Value:
    """X * sigmoid(alpha * x)."""
    x = c.input(0)
    return c.binary("mul", x, c.unary("sigmoid", c.binary("mul", x, c.scalar(c.number("alpha", 1.702), x))))


@converts("FastGelu", "BiasGelu", domain=_MS)
def bias_gelu(c: NodeContext) -> Value:
    """Gelu (by tanh for FastGelu) of x + bias."""
    x, bias = c.input(0), c.optional(1)
    if bias is not None:
        x = c.binary("add", x, bias)
    return c.unary("gelu_tanh" if c.op == "FastGelu" else "gelu", x)


@converts("SkipLayerNormalization", "SkipSimplifiedLayerNormalization", domain=_MS)
def skip_layer_norm(c: NodeContext) -> Sequence[Value | None]:
    """LayerNormalization (or RMS) of x + skip + bias; result 3 is the sum."""
    rms = c.op == "SkipSimplifiedLayerNormalization"
    total = c.binary("add", c.input(0), c.input(1))
    bias = c.optional(3 if rms else 4)
    if bias is not None:
        total = c.binary("add", total, bias)
    beta = None if rms else c.optional(3)
    y = normalized(c, total, c.input(2), beta, -1, c.number("epsilon", 1e-12), rms=rms)
    return [y, None, None, total]
