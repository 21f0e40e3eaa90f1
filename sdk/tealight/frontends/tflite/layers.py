# SPDX-License-Identifier: Apache-2.0
"""Converters of layers with weights, and of pools. Images are channels-last in the file as they are here."""

from __future__ import annotations

import dataclasses
import struct
from collections.abc import Callable

import numpy as np

from tealight.frontends.problems import RefusedError
from tealight.frontends.tflite.context import OperatorContext, same_params
from tealight.frontends.tflite.registry import converts
from tealight.frontends.tflite.schema import ACTIVATIONS
from tealight.ir.graph import Value
from tealight.ir.types import DType, QuantParams
from tealight.ops._dequantized import DequantizedConstant

#: Padding (1: SAME, 2: VALID), stride along w, stride along h.
_TRANSPOSE_OPTIONS = struct.Struct("<3i")


def weight_of(c: OperatorContext, i: int, change: Callable[[np.ndarray], np.ndarray], axis: int | None = None) -> Value:
    """Returns constant operand i, its elements rearranged by `change`; dequantized where it is quantized.

    Args:
        c: The operator.
        i: Which operand.
        change: Returns the rearranged array.
        axis: Of the channels after `change`; None where it is as before.
    """
    array, params = c.weight(i)
    value = c.constant(change(array))
    if params is None:
        if value.dtype in (DType.FLOAT16, DType.BFLOAT16, DType.FLOAT64):
            value = c.cast(value, DType.FLOAT32)
        if value.dtype is not DType.FLOAT32:
            raise RefusedError(f"weight of {value.dtype.label} without quantization, expected scales")
        return value
    if params.axis >= 0 and axis is not None:
        params = dataclasses.replace(params, axis=axis)
    return c.emitter.dequantize(c.name, value, params)


def bias_of(c: OperatorContext, i: int, channels: int, *, weight: int = 1, x: int = 0) -> Value | None:
    """Returns the bias operand as float: an integer one has the scale of x times that of the weights."""
    if not c.has(i):
        return None
    value = c.stored(i)
    if value.shape != (channels,):
        raise RefusedError(f"bias of shape {list(value.shape)}, expected [{channels}]")
    if value.dtype.is_float:
        return c.real(i)
    x_params, w_params = c.params(x), c.params(weight)
    if x_params is None or w_params is None:
        return c.floats(i)
    scale = (np.asarray(x_params.scale, np.float64) * np.asarray(w_params.scale, np.float64)).astype(np.float32)
    if value.dtype is DType.INT64:  # of 16-bit models
        return c.constant((c.array(i, "bias").astype(np.float64) * scale).astype(np.float32))
    params = QuantParams(scale, np.zeros(scale.shape, np.int32), 0 if scale.ndim else -1)
    return c.emitter.dequantize(c.name, value, params)


@converts("CONV_2D")
def conv_2d(c: OperatorContext) -> Value:
    """Weight [oc, kh, kw, ic / group]."""
    x = c.image(0)
    oc, kh, kw, per_group = c.dims(c.stored(1), "the weight")
    channels = c.dims(x, "the image")[3]
    if per_group < 1 or channels % per_group:
        raise RefusedError(f"weight of {per_group} input channels for {channels}, expected a divisor")
    attrs = {**c.window(x, [kh, kw], dilated=True), "group": channels // per_group}
    weight = weight_of(c, 1, lambda w: w)
    return c.activated(c.add("conv2d", [x, weight, bias_of(c, 2, oc)], attrs))


@converts("DEPTHWISE_CONV_2D")
def depthwise_conv_2d(c: OperatorContext) -> Value:
    """Weight [1, kh, kw, ic * multiplier]; with a multiplier above 1 it is a grouped convolution."""
    x = c.image(0)
    one, kh, kw, oc = c.dims(c.stored(1), "the weight")
    channels = c.dims(x, "the image")[3]
    if one != 1 or channels < 1 or oc % channels:
        raise RefusedError(f"weight [{one}, {kh}, {kw}, {oc}] for {channels} channels, expected a multiple of them")
    attrs: dict[str, object] = dict(c.window(x, [kh, kw], dilated=True))
    bias = bias_of(c, 2, oc)
    if oc == channels:
        weight = weight_of(c, 1, lambda w: np.ascontiguousarray(w[0].transpose(2, 0, 1)), 0)
        return c.activated(c.add("depthwise_conv2d", [x, weight, bias], attrs))
    weight = weight_of(c, 1, lambda w: np.ascontiguousarray(w.transpose(3, 1, 2, 0)), 0)
    return c.activated(c.add("conv2d", [x, weight, bias], {**attrs, "group": channels}))


@converts("TRANSPOSE_CONV")
def transpose_conv(c: OperatorContext) -> Value:
    """Operands: output shape, weight [oc, kh, kw, ic], x, bias?."""
    return c.activated(_transposed(c, c.ints(0, "output shape"), 2))


@converts("CUSTOM Convolution2DTransposeBias")
def transpose_conv_with_bias(c: OperatorContext) -> Value:
    """As TRANSPOSE_CONV, of x, weight, bias; the file tells the shape of the result. Its options are three ints."""
    data = b"" if c.operator.custom is None else c.operator.custom.tobytes()
    if len(data) < _TRANSPOSE_OPTIONS.size:
        raise RefusedError(f"{len(data)} bytes of options, expected padding and strides")
    padding, width, height = _TRANSPOSE_OPTIONS.unpack_from(data)
    c.options = {"padding": padding - 1, "stride_h": height, "stride_w": width}
    return _transposed(c, list(c.results[0].shape), 0)


def _transposed(c: OperatorContext, out: list[int], at: int) -> Value:
    """Returns the transposed convolution of operand `at` with weight 1 and bias behind them."""
    x = c.image(at)
    oc, kh, kw, _ = c.dims(c.stored(1), "the weight")
    strides = [c.option("stride_h", 1), c.option("stride_w", 1)]
    if len(out) != 4 or min(strides) < 1:
        raise RefusedError(f"output shape {out} and strides {strides}, expected 4 dims and strides of at least 1")
    pads, extra = [0, 0, 0, 0], [0, 0]
    for i, size in enumerate(c.dims(x, "the image")[1:3]):
        total = (size - 1) * strides[i] + (kh, kw)[i] - out[1 + i]
        if total < 0:
            extra[i] = -total
        elif c.is_same_padding() or total:
            pads[i], pads[2 + i] = total // 2, total - total // 2
    attrs = {"kernel_shape": [kh, kw], "strides": strides, "pads": pads, "output_padding": extra}
    operands = [x, weight_of(c, 1, lambda w: w), bias_of(c, 3 if at == 2 else 2, oc, x=at)]
    return c.add("conv_transpose2d", operands, attrs)


@converts("FULLY_CONNECTED")
def fully_connected(c: OperatorContext) -> Value:
    """Weight [n, k]; x is taken as rows of k elements."""
    if c.option("weights_format"):
        raise RefusedError("shuffled weights, expected plain ones")
    x = c.floats(0)
    weights = c.stored(1)
    n, k = c.dims(weights, "the weight")
    if not c.option("keep_num_dims") and len(x.shape) != 2:
        x = c.reshape(x, [-1, k])
    if not weights.is_const and DequantizedConstant.of(weights) is None:
        y = c.add("matmul", [x, c.floats(1)], {"transpose_b": True})
        bias = bias_of(c, 2, n)
        return c.activated(y if bias is None else c.binary("add", y, bias))
    return c.activated(c.add("fully_connected", [x, weight_of(c, 1, lambda w: w), bias_of(c, 2, n)]))


@converts("BATCH_MATMUL")
def batch_matmul(c: OperatorContext) -> Value:
    """Product of the last two dims, each operand transposed on demand."""
    attrs = {"transpose_a": bool(c.option("adj_x")), "transpose_b": bool(c.option("adj_y"))}
    return c.add("matmul", [c.floats(0), c.floats(1)], attrs)


@converts("MAX_POOL_2D")
def max_pool_2d(c: OperatorContext) -> Value:
    """The largest element of each window; integers stay as they are."""
    is_moved = not c.option("activation") and c.stored(0).dtype is not DType.INT16
    x = c.moved() if is_moved else c.floats(0)
    if len(x.shape) != 4:
        raise RefusedError(f"operand of rank {len(x.shape)}, expected [n, h, w, c]")
    attrs = c.window(x, [c.option("filter_height", 1), c.option("filter_width", 1)])
    return c.activated(c.add("max_pool2d", [x], attrs))


@converts("AVERAGE_POOL_2D")
def average_pool_2d(c: OperatorContext) -> Value:
    """The mean of each window; the padding does not count.

    Of integers LiteRT takes the mean as they are stored, ties away from zero: here they stand for a little more than
    themselves, too little to move a mean that is no tie.
    """
    height, width = c.option("filter_height", 1), c.option("filter_width", 1)
    attrs = {**c.window(c.image(0), [height, width]), "count_include_pad": False}
    stored, plain = c.stored(0), ACTIVATIONS.get(c.option("activation")) == "NONE"
    if not plain or not same_params(c.params(0), c.result_params()) or stored.dtype not in (DType.INT8, DType.UINT8):
        return c.activated(c.add("average_pool2d", [c.image(0)], attrs))
    more = 2.0 ** max(-10 - (height * width).bit_length(), -23)
    x = c.emitter.dequantize(c.name, stored, QuantParams(np.array(1 + more, np.float32), np.array(0, np.int32)))
    ones = QuantParams(np.array(1, np.float32), np.array(0, np.int32))
    return c.emitter.quantize(c.name, c.add("average_pool2d", [x], attrs), ones, stored.dtype)


@converts("L2_POOL_2D")
def l2_pool_2d(c: OperatorContext) -> Value:
    """The root of the mean of each window's squares; the padding does not count."""
    x = c.image(0)
    attrs = c.window(x, [c.option("filter_height", 1), c.option("filter_width", 1)])
    mean = c.add("average_pool2d", [c.unary("square", x)], {**attrs, "count_include_pad": False})
    return c.activated(c.unary("sqrt", mean))
