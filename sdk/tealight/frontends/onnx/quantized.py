# SPDX-License-Identifier: Apache-2.0
"""Converters of quantized ops: QuantizeLinear and DequantizeLinear, QLinear ops, and products of integers.

Ops that compute on quantized tensors become the float op between dequantize and quantize nodes; later steps turn that
into integer ops, whatever spelling a model had.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from onnx import TensorProto

from tealight import ops
from tealight.frontends.onnx.context import NodeContext, RefusedError, dtype_of
from tealight.frontends.onnx.math import linear, product
from tealight.frontends.onnx.nn import convolve
from tealight.frontends.onnx.registry import converts
from tealight.frontends.onnx.window import kernel_of, padded_window, weight_of, window_of
from tealight.ir.graph import Value
from tealight.ir.types import DType
from tealight.ops._dequantized import DequantizedConstant
from tealight.quant import numerics

_MS = "com.microsoft"
_FLOAT8 = "float8 quantization has no kernels, expected int8, uint8, int16, uint16, int4 or uint4"


# ---- between float and integers ----


@converts("QuantizeLinear")
@converts("QuantizeLinear", domain=_MS)
def quantize_linear(c: NodeContext) -> Value:
    """To the dtype of the zero point, or output_dtype, or uint8."""
    x, zero_point = c.cast(c.input(0), DType.FLOAT32), c.optional(2)
    to = DType.UINT8
    if zero_point is not None:
        to = stored_dtype(c, zero_point)
    elif c.integer("output_dtype", 0):
        to = _integer_dtype(c.integer("output_dtype"))
    return quantize(c, x, c.input(1), zero_point, to, _axis(c, x), c.integer("block_size", 0))


@converts("DequantizeLinear")
@converts("DequantizeLinear", domain=_MS)
def dequantize_linear(c: NodeContext) -> Value:
    """(x - zero_point) * scale."""
    x = c.input(0)
    return dequantize(c, x, c.input(1), c.optional(2), _axis(c, x), c.integer("block_size", 0))


@converts("DynamicQuantizeLinear")
def dynamic_quantize_linear(c: NodeContext) -> Sequence[Value]:
    """Uint8 with a scale and a zero point taken from x while running."""
    if "dynamic_quantize" not in ops.names():
        raise RefusedError("no kernel for this op, expected static quantization", "import the float model")
    return c.emit("dynamic_quantize", [c.input(0)], {}, outputs=3)


def _axis(c: NodeContext, x: Value) -> int:
    """Returns the axis of the channels; scalars have none."""
    axis = c.integer("axis", 1)
    if not -len(x.shape) <= axis < len(x.shape):
        return 0
    return axis % len(x.shape)


def _integer_dtype(number: int) -> DType:
    if "FLOAT8" in _type_name(number) or "FLOAT4" in _type_name(number):
        raise RefusedError(_FLOAT8)
    known = {TensorProto.INT4: DType.INT4, TensorProto.UINT4: DType.UINT4}
    return known.get(number) or dtype_of(number)


def _type_name(number: int) -> str:
    return next((k for k, v in TensorProto.DataType.items() if v == number), str(number))


def stored_dtype(c: NodeContext, value: Value) -> DType:
    """Returns the dtype of a value in the model: 4-bit integers are kept in 8 bits while importing."""
    return c.scope.importer.four_bit.get(value, value.dtype)


def quantize(
    c: NodeContext, x: Value, scale: Value, zero_point: Value | None, to: DType, axis: int = 1, block_size: int = 0
) -> Value:
    """Adds a quantize node."""
    if to not in numerics.LIMITS:
        raise RefusedError(f"integers of {to.label}, expected one of {', '.join(d.label for d in numerics.LIMITS)}")
    attrs = {"axis": axis, "block_size": block_size, "to": to.value}
    y = c.add("quantize", _operands(c, x, scale, zero_point), attrs)
    if to in (DType.INT4, DType.UINT4):
        c.scope.importer.four_bit[y] = to
    return y


def dequantize(
    c: NodeContext, x: Value, scale: Value, zero_point: Value | None, axis: int = 1, block_size: int = 0
) -> Value:
    """Adds a dequantize node; constants of four bits are packed again."""
    if x.dtype not in numerics.LIMITS:
        raise RefusedError(
            f"integers of {x.dtype.label}, expected one of {', '.join(d.label for d in numerics.LIMITS)}"
        )
    narrow = stored_dtype(c, x)
    if narrow is not x.dtype and x.const is not None:
        x = c.constant(x.const.astype(narrow.numpy), name=x.name)
        zero_point = None if zero_point is None else _narrowed(c, zero_point, narrow)
    elif zero_point is not None and zero_point.dtype is not x.dtype:
        zero_point = c.cast(zero_point, x.dtype)
    if x.const is not None and x.dtype is DType.UINT8 and (zero_point is None or zero_point.is_const):
        x, zero_point = _signed(c, x, scale, zero_point)
    return c.add("dequantize", _operands(c, x, scale, zero_point), {"axis": axis, "block_size": block_size})


def _signed(c: NodeContext, x: Value, scale: Value, zero_point: Value | None) -> tuple[Value, Value]:
    """Returns a uint8 constant and its zero point 128 lower, as int8: integer kernels want that."""
    points = np.zeros([int(d) for d in scale.shape], np.uint8) if zero_point is None else zero_point.const
    assert x.const is not None and points is not None
    return c.constant(signed_bytes(x.const), name=x.name), c.constant(signed_bytes(points))


def signed_bytes(array: np.ndarray) -> np.ndarray:
    """Returns uint8 less 128 as int8."""
    return np.asarray((array.astype(np.int16) - 128).astype(np.int8))


def _narrowed(c: NodeContext, zero_point: Value, dtype: DType) -> Value:
    array = c.known_array(zero_point)
    return zero_point if array is None else c.constant(array.astype(dtype.numpy))


def _operands(c: NodeContext, x: Value, scale: Value, zero_point: Value | None) -> list[Value]:
    if scale.dtype is not DType.FLOAT32:
        raise RefusedError(f"scale of {scale.dtype.label}, expected a float type")
    if zero_point is None:
        return [x, scale]
    if zero_point.shape != scale.shape and zero_point.type.is_static and zero_point.type.elements == 1:
        zero_point = c.reshape(zero_point, c.dims(scale))  # [] and [1] are used alike
    return [x, scale, zero_point]


# ---- QLinear ops ----


@dataclasses.dataclass
class _Steps:
    """Scale and zero point operands."""

    scale: Value
    zero_point: Value | None


def _steps(c: NodeContext, i: int) -> _Steps:
    """Returns operands i and i + 1."""
    return _Steps(c.input(i), c.optional(i + 1))


def _real(c: NodeContext, i: int, axis: int = 1) -> Value:
    """Returns operand i as what it stands for; i + 1 and i + 2 are its scale and zero point."""
    return _real_of(c, c.input(i), _steps(c, i + 1), axis)


def _real_of(c: NodeContext, x: Value, steps: _Steps, axis: int = 1) -> Value:
    return dequantize(c, x, steps.scale, steps.zero_point, axis)


def _back(c: NodeContext, y: Value, steps: _Steps, like: Value, axis: int = 1) -> Value:
    """Returns a float result as integers: of the zero point's dtype, or that of an operand."""
    to = like.dtype if steps.zero_point is None else steps.zero_point.dtype
    return quantize(c, y, steps.scale, steps.zero_point, to, axis)


@converts("QLinearConv")
def qlinear_conv(c: NodeContext) -> Value:
    """Operands: x and its steps, weight and its steps, steps of y, int32 bias in steps of x times weight."""
    x, weight = _real(c, 0), _real(c, 3, axis=0)
    inner = _with_operands(c, [x, weight])
    weight = weight_of(inner, x)
    bias = None
    if c.optional(8) is not None:
        scale = c.array(1, "scale of x").reshape(-1) * c.array(4, "scale of the weight").reshape(-1)
        per_channel = c.constant(scale.astype(np.float32).reshape(() if scale.size == 1 else (-1,)))
        bias = dequantize(c, c.input(8), per_channel, None, 0)
    x, window = padded_window(inner, x, c.integers("kernel_shape", kernel_of(weight)), 0.0)
    return _back(c, convolve(c, x, weight, bias, window), _steps(c, 6), c.input(0))


def _with_operands(c: NodeContext, values: Sequence[Value | None], attrs: dict[str, Any] | None = None) -> NodeContext:
    """Returns the node with other operands, for the converter of its float op."""
    return NodeContext(c.scope, c.op, c.name, c.opset, values, c.attrs if attrs is None else attrs, c.wanted)


@converts("QLinearMatMul")
def qlinear_matmul(c: NodeContext) -> Value:
    """Operands: a and its steps (per row), b and its steps (per column), steps of y."""
    a, b = c.input(0), c.input(3)
    a_real = _real(c, 0, axis=max(len(a.shape) - 2, 0))
    b_real = _real(c, 3, axis=max(len(b.shape) - 1, 0))
    y = product(c, a_real, b_real)
    return _back(c, y, _steps(c, 6), a, axis=max(len(y.shape) - 2, 0))


_BINARY = {"QLinearAdd": "add", "QLinearMul": "mul"}


@converts(*_BINARY, domain=_MS)
def qlinear_binary(c: NodeContext) -> Value:
    """A and its steps, b and its steps, steps of y."""
    return _back(c, c.binary(_BINARY[c.op], _real(c, 0), _real(c, 3)), _steps(c, 6), c.input(0))


@converts("QLinearSigmoid", "QLinearLeakyRelu", domain=_MS)
def qlinear_unary(c: NodeContext) -> Value:
    """X and its steps, steps of y."""
    x = _real(c, 0)
    y = c.unary("sigmoid", x) if c.op == "QLinearSigmoid" else c.unary("leaky_relu", x, c.number("alpha", 0.01))
    return _back(c, y, _steps(c, 3), c.input(0))


@converts("QLinearSoftmax", domain=_MS)
def qlinear_softmax(c: NodeContext) -> Value:
    """X and its steps, steps of y; before opset 13 over all dims from `axis` on."""
    x, axis = _real(c, 0), c.integer("axis", -1)
    axis %= len(x.shape)
    if c.integer("opset", 13) < 13 and axis != len(x.shape) - 1:
        flat = c.reshape(x, [*c.dims(x)[:axis], -1])
        y = c.reshape(c.add("softmax", [flat], {"axis": axis}), c.dims(x))
    else:
        y = c.add("softmax", [x], {"axis": axis})
    return _back(c, y, _steps(c, 3), c.input(0))


def _channels_first(c: NodeContext, x: Value, convert: Callable[[Value], Value]) -> Value:
    """Applies what works on [n, c, ...] to an operand that may be channels-last."""
    if not c.integer("channels_last", 0):
        return convert(x)
    return c.to_last(convert(c.to_first(x)))


@converts("QLinearGlobalAveragePool", domain=_MS)
def qlinear_global_average_pool(c: NodeContext) -> Value:
    """X and its steps, steps of y."""

    def pool(x: Value) -> Value:
        if len(x.shape) not in (3, 4):
            return c.reduce("mean", x, list(range(2, len(x.shape))))
        return c.from_image(c.reduce("mean", c.to_image(x), [1, 2]), len(x.shape))

    return _back(c, _channels_first(c, _real(c, 0), pool), _steps(c, 3), c.input(0))


@converts("QLinearAveragePool", domain=_MS)
def qlinear_average_pool(c: NodeContext) -> Value:
    """X and its steps, steps of y."""

    def pool(x: Value) -> Value:
        window = window_of(c, x, c.integers("kernel_shape"))
        attrs = {
            **window.attrs(),
            "ceil_mode": bool(c.integer("ceil_mode", 0)),
            "count_include_pad": bool(c.integer("count_include_pad", 0)),
        }
        return c.from_image(c.add("average_pool2d", [c.to_image(x)], attrs), len(x.shape))

    return _back(c, _channels_first(c, _real(c, 0), pool), _steps(c, 3), c.input(0))


@converts("QLinearConcat", domain=_MS)
def qlinear_concat(c: NodeContext) -> Value:
    """Steps of y, then each operand and its steps."""
    values = [_real(c, i) for i in range(2, len(c.inputs), 3)]
    return _back(c, c.concat(values, c.integer("axis")), _steps(c, 0), c.input(2))


@converts("QGemm", domain=_MS)
def qgemm(c: NodeContext) -> Value:
    """Alpha * A' B' + C; operands: a, b with their steps, int32 c in steps of a times b, steps of y (else float)."""
    trans_a, trans_b = bool(c.integer("transA", 0)), bool(c.integer("transB", 0))
    a, b = _real(c, 0), _real(c, 3, axis=0 if trans_b else 1)
    if trans_a:
        a = c.transpose(a, [1, 0])
    alpha = c.number("alpha", 1.0)
    if trans_b:
        b = c.transpose(b, [1, 0])
    bias = None
    if c.optional(6) is not None:
        scale = c.array(1, "scale of a").reshape(-1) * c.array(4, "scale of b").reshape(-1)
        per_column = c.constant(scale.astype(np.float32).reshape(() if scale.size == 1 else (-1,)))
        bias = dequantize(c, c.input(6), per_column, None, len(c.input(6).shape) - 1)
    if c.is_weight(b) and bias is not None and len(bias.shape) == 1 and alpha == 1.0:
        y = linear(c, a, c.rearranged(b, lambda w: w.T, "weight"), bias)
    else:
        y = product(c, a, b)
        y = y if bias is None else c.binary("add", y, bias)
        y = y if alpha == 1.0 else c.binary("mul", y, c.scalar(alpha, y))
    return y if c.optional(7) is None else _back(c, y, _steps(c, 7), c.input(0))


# ---- products of integers ----


@converts("MatMulInteger")
def matmul_integer(c: NodeContext) -> Value:
    """Int32 sums of (a - a_zero_point) * (b - b_zero_point)."""
    _need("matmul_integer")
    return c.add("matmul_integer", _trimmed([c.input(0), c.input(1), c.optional(2), c.optional(3)]))


@converts("ConvInteger")
def conv_integer(c: NodeContext) -> Value:
    """Int32 sums over windows of (x - x_zero_point) * (w - w_zero_point)."""
    _need("conv_integer")
    x, weight = c.input(0), c.array(1, "weight")
    window = window_of(c, x, c.integers("kernel_shape", weight.shape[2:]))
    weight = weight[:, :, None, :] if weight.ndim == 3 else weight
    operands = [c.to_image(x), c.constant(np.ascontiguousarray(weight.transpose(0, 2, 3, 1))), *_points(c)]
    y = c.add("conv_integer", _trimmed(operands), {**window.attrs(), "group": c.integer("group", 1)})
    return c.from_image(y, len(x.shape))


def _points(c: NodeContext) -> list[Value | None]:
    return [c.optional(2), c.optional(3)]


def _trimmed(values: list[Value | None]) -> list[Value | None]:
    while values and values[-1] is None:
        values.pop()
    return values


def _need(op: str) -> None:
    if op not in ops.names():
        raise RefusedError("no kernel for this op, expected static quantization", "import the float model")


@converts("MatMulNBits", domain=_MS)
def matmul_nbits(c: NodeContext) -> Value:
    """Product with a weight [n, k] of 4 or 8 bits in blocks along k; operand 1 holds it packed [n, blocks, bytes]."""
    n, k, bits, block = (c.integer(a) for a in ("N", "K", "bits", "block_size"))
    if bits not in (4, 8) or c.optional(4) is not None:
        raise RefusedError(f"{bits} bits or reordered rows, expected 4 or 8 bits in order")
    blocks = -(-k // block)
    dtype = DType.UINT4 if bits == 4 else DType.UINT8
    integers = _unpacked(c.array(1, "weight").reshape(n, -1), bits)[:, :k]
    scale = c.array(2, "scales").reshape(n, blocks).astype(np.float32)
    zero_point = np.full((n, blocks), 1 << (bits - 1))
    if c.optional(3) is not None:
        given = c.array(3, "zero points")
        if given.dtype != np.uint8:
            raise RefusedError(f"zero points of {given.dtype}, expected uint8")
        zero_point = _unpacked(given.reshape(n, -1), bits)[:, :blocks]
    held = DequantizedConstant(
        np.ascontiguousarray(integers).astype(dtype.numpy), scale, zero_point.astype(dtype.numpy), 1, block
    )
    operands = [c.input(0), c.dequantized(held, f"{c.name}.weight")]
    return c.add("fully_connected", operands if c.optional(5) is None else [*operands, c.input(5)])


def _unpacked(data: np.ndarray, bits: int) -> np.ndarray:
    """Returns rows of bytes as rows of integers; two of four bits a byte, the first in the low half."""
    if bits == 8:
        return data
    return np.stack([data & 15, data >> 4], -1).reshape(data.shape[0], -1)
