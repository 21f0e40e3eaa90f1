# SPDX-License-Identifier: Apache-2.0
"""Finds layers that quantize their input while running, as exporters of dynamically quantized models spell them."""

from __future__ import annotations

import dataclasses

import numpy as np

from tealight.ir.graph import Graph, Node, Value
from tealight.ir.types import DType
from tealight.passes._editor import Editor, is_plain, out, producer
from tealight.passes._manager import Options

_TO_LAST, _TO_FIRST = [0, 2, 3, 1], [0, 3, 1, 2]


def recognise_dynamic(graph: Graph, options: Options) -> int:
    """Replaces quantization, integer product and scaling by one layer.

    Given:
        %q, %s, %z = dynamic_quantize(%x); %i = matmul_integer(%q, const int8 [k, n], %z)
        %y = binary(cast(%i), binary(%s, const [n], kind=mul), kind=mul); %r = binary(%y, const [n], kind=add)
    Result:
        %r = dynamic_fully_connected(%x, const int8 [n, k], const [n], const [n], per_row=False)
    Requires:
        Weights whose zero point is 0, or 128 of uint8. Convolutions have one image: dynamic_conv2d quantizes each by
        itself. Runs before transposes move.
    """
    editor = Editor(graph)
    for node in editor.nodes():
        if node.op != "binary" or node.attrs["kind"] != "mul" or out(node).dtype is not DType.FLOAT32:
            continue
        if not is_plain(node):
            continue
        found = _scaled_sums(out(node))
        if found is not None:
            _replace(editor, node, found)
    return editor.rewrites


@dataclasses.dataclass
class _Sums:
    """An integer product whose left operand is quantized while running, and the scale of its weights."""

    node: Node
    quantize: Node
    scale: np.ndarray


def _factors(value: Value | None, depth: int = 3) -> list[Value]:
    """Returns the operands of nested products."""
    node = producer(value, "binary", kind="mul")
    if node is None or not depth or not is_plain(node):
        return [] if value is None else [value]
    return [f for v in node.inputs for f in _factors(v, depth - 1)]


def _scaled_sums(value: Value) -> _Sums | None:
    """Returns the sums when a value is cast(sums) * scale of x * constant scales."""
    sums: Node | None = None
    quantize: Node | None = None
    scale = np.ones(1, np.float32)
    for factor in _factors(value):
        node = factor.producer
        if factor.const is not None and factor.const.size == (factor.const.shape[-1] if factor.shape else 1):
            scale = scale * factor.const.reshape(-1)
        elif node is not None and node.op == "cast" and sums is None:
            inner = node.inputs[0]
            move = producer(inner, "transpose", perm=_TO_FIRST)
            sums = (inner if move is None else move.inputs[0]).producer  # type: ignore[union-attr]
        elif node is not None and node.op == "dynamic_quantize" and factor is node.outputs[1] and quantize is None:
            quantize = node
        else:
            return None
    if sums is None or quantize is None or sums.op not in ("matmul_integer", "conv_integer"):
        return None
    if sums.input(2) is not quantize.outputs[2] or _source(sums) is not quantize.outputs[0]:
        return None
    return _Sums(sums, quantize, scale.astype(np.float32))


def _source(sums: Node) -> Value | None:
    """Returns the quantized operand, for a convolution the one that is channels-first."""
    x = sums.inputs[0]
    if sums.op == "matmul_integer":
        return x
    move = producer(x, "transpose", perm=_TO_LAST)
    return None if move is None else move.inputs[0]


def _weight(sums: Node) -> np.ndarray | None:
    """Returns the weights as int8 with the zero point 0; None when they cannot be that."""
    value, zero = sums.inputs[1], sums.input(3)
    array = None if value is None else value.const
    points = np.zeros(1) if zero is None else zero.const
    if array is None or points is None:
        return None
    middle = 128 if array.dtype == np.uint8 else 0
    if np.any(points != middle):
        return None
    return np.asarray(array.astype(np.int16) - middle).astype(np.int8)


def _replace(editor: Editor, node: Node, found: _Sums) -> None:
    weight, x = _weight(found.node), found.quantize.inputs[0]
    if weight is None or x is None or len(x.shape) != len(out(node).shape):
        return
    is_conv = found.node.op == "conv_integer"
    if is_conv and (len(x.shape) != 4 or x.shape[0] != 1):
        return
    if not is_conv and (weight.ndim != 2 or len(x.shape) < 2):
        return
    channels = weight.shape[0] if is_conv else weight.shape[1]
    if found.scale.size not in (1, channels) or (is_conv and found.scale.size != 1):
        return
    scale = np.array(np.broadcast_to(found.scale, (channels,)))
    last, bias = _bias(editor, node, channels, is_conv)
    operands: list[Value | None] = [x]
    if is_conv:
        operands[0] = editor.add("transpose", [x], {"perm": _TO_LAST}, before=last, name=node.name)
    operands += [editor.const(weight if is_conv else weight.T, f"{node.name}.weight"), editor.const(scale, "scale")]
    operands.append(None if bias is None else editor.const(bias, f"{node.name}.bias"))
    op = "dynamic_conv2d" if is_conv else "dynamic_fully_connected"
    attrs = dict(found.node.attrs) if is_conv else {"per_row": False}
    y = editor.add(op, operands, attrs, before=last, name=node.name)
    if is_conv:
        y = editor.add("transpose", [y], {"perm": _TO_FIRST}, before=last, name=node.name)
    editor.swap(last, y)


def _bias(editor: Editor, node: Node, channels: int, is_conv: bool) -> tuple[Node, np.ndarray | None]:
    """Returns the sum with a constant per channel behind a node and the constant; the node where there is none."""
    add = editor.only_user(out(node))
    if add is None or add.op != "binary" or add.attrs["kind"] != "add" or not is_plain(add):
        return node, None
    other = next((v for v in add.inputs if v is not out(node)), None)
    array = None if other is None else other.const
    if array is None or len(out(add).shape) != len(out(node).shape) or array.size != channels:
        return node, None
    axis = 1 if is_conv else len(out(node).shape) - 1
    full = [1] * (len(out(node).shape) - array.ndim) + list(array.shape)
    if array.ndim > len(out(node).shape) or full[axis] != channels:
        return node, None
    return add, array.reshape(-1).astype(np.float32)
