# SPDX-License-Identifier: Apache-2.0
"""Weights that a model brings as integers and that multiply float tensors stay integers, stored in the layer."""

from __future__ import annotations

import numpy as np

from tealight.ir.graph import Node, Value
from tealight.ir.types import DType
from tealight.quant.integerize._context import Context, parameters

#: Where the weight is, and its scale (the zero point follows).
_LAYERS = {"conv2d": (1, 4), "depthwise_conv2d": (1, 4), "conv_transpose2d": (1, 3), "fully_connected": (1, 4)}
_BLOCKED = ("conv2d", "fully_connected")


def store_weights(context: Context) -> None:
    """Gives layers the integers behind a dequantized weight, with their scales and zero points.

    Given:
        %w = dequantize(const int4 [n, k], scale [n, k / 32], axis=1, block_size=32); %y = fully_connected(%x, %w)
    Result:
        %y = fully_connected(%x, const int4 [n, k], scale, block_size=32)
    Requires:
        A scale per tensor, per row of the weight, or per block of a row of two dims. matmul(%x, %w [k, n]) becomes
        fully_connected first.
    """
    for node in context.editor.nodes():
        if node.op == "matmul":
            _from_matmul(context, node)
        elif node.op in _LAYERS:
            _store(context, node)


def _from_matmul(context: Context, node: Node) -> None:
    """Makes a fully connected layer of x [..., k] times a dequantized constant [k, n]."""
    x, weight = node.inputs[:2]
    source = None if weight is None else weight.producer
    if x is None or source is None or source.op != "dequantize" or source.inputs[0] is None:
        return
    array = source.inputs[0].const
    attrs = node.attrs
    if array is None or array.ndim != 2 or x.type.rank < 2 or x.dtype is not DType.FLOAT32 or attrs["transpose_a"]:
        return
    if attrs["alpha"] != 1:
        return
    block_size = int(source.attrs["block_size"])
    scale, zero_point = source.input(1), source.input(2)
    if scale is None or scale.const is None or (zero_point is not None and zero_point.const is None):
        return
    axis = int(source.attrs["axis"]) % 2
    if not attrs["transpose_b"]:
        array, axis = array.T, 1 - axis
    operands = [scale.const, *([] if zero_point is None or zero_point.const is None else [zero_point.const])]
    if not attrs["transpose_b"]:
        operands = [o.T for o in operands]
    editor = context.editor
    turned = editor.add(
        "dequantize",
        [editor.const(array, source.inputs[0].name), *(editor.const(o, scale.name) for o in operands)],
        {"axis": axis, "block_size": block_size},
        before=node,
        name=source.name,
    )
    y = editor.add("fully_connected", [x, turned], {}, before=node, name=node.name)
    editor.swap(node, y)
    if y.producer is not None:
        _store(context, y.producer)


def _store(context: Context, node: Node) -> None:
    at, scale_at = _LAYERS[node.op]
    weight = node.inputs[at]
    source = None if weight is None else weight.producer
    if source is None or source.op != "dequantize" or source.inputs[0] is None or source.inputs[0].const is None:
        return
    found, array = parameters(source), source.inputs[0].const
    if found is None:
        return
    integers = _integers(array, source.inputs[0].dtype, found[1])
    shape = _scale_shape(array, source, node.op in _BLOCKED)
    if integers is None or shape is None:
        return
    q, zero_point = integers
    scale = np.ascontiguousarray(np.broadcast_to(found[0].reshape(-1) if found[0].size == 1 else found[0], shape))
    operands: list[Value | None] = [context.const(q, source.inputs[0].name)]
    operands.append(context.const(scale.astype(np.float32), f"{source.name}.scale"))
    zeros = np.broadcast_to(zero_point.reshape(-1) if zero_point.size == 1 else zero_point, shape)
    operands.append(context.const(zeros.astype(q.dtype), f"{source.name}.zero_point") if zero_point.any() else None)
    inputs = [*node.inputs, *[None] * (scale_at + 2 - len(node.inputs))]
    for i, v in zip((at, scale_at, scale_at + 1), operands, strict=True):
        inputs[i] = v
    while inputs[-1] is None:
        inputs.pop()
    node.inputs = inputs
    if len(shape) == 2:
        node.attrs["block_size"] = int(source.attrs["block_size"])


def _integers(array: np.ndarray, dtype: DType, zero_point: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
    """Returns the weights in a dtype that layers take, and their zero points; None for other integers."""
    if dtype is DType.UINT8:
        return (array.astype(np.int16) - 128).astype(np.int8), zero_point - 128
    return (array, zero_point) if dtype in (DType.INT8, DType.INT4, DType.UINT4) else None


def _scale_shape(array: np.ndarray, source: Node, may_block: bool) -> tuple[int, ...] | None:
    """Returns the shape of the layer's scales; None where the layer has none like them."""
    scale = source.inputs[1]
    assert scale is not None and scale.const is not None
    block_size, axis = int(source.attrs["block_size"]), int(source.attrs["axis"]) % max(array.ndim, 1)
    if block_size:
        fits = may_block and array.ndim == 2 and axis == 1
        return (array.shape[0], -(-array.shape[1] // block_size)) if fits else None
    return array.shape[:1] if scale.const.size == 1 or axis == 0 else None
