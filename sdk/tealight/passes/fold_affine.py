# SPDX-License-Identifier: Apache-2.0
"""Folds products and sums with per-channel constants (BatchNormalization) into the layer before or after them."""

from __future__ import annotations

import numpy as np

from tealight.ir.graph import Graph, Node, Value
from tealight.ir.types import DType
from tealight.passes._editor import Editor, is_plain, out, per_channel
from tealight.passes._manager import Options

#: Axis of the output channels of the weight, by op.
_OUT_AXIS = {"conv2d": 0, "depthwise_conv2d": 0, "conv_transpose2d": 0, "fully_connected": 0}


def fold_affine(graph: Graph, options: Options) -> int:
    """Folds y * a + b, with a and b constant or constant per channel, into weight and bias.

    Given:
        %y = conv2d(%x, const w, const b); %z = binary(%y, const s, kind=mul); %r = binary(%z, const t, kind=add)
    Result:
        %r = conv2d(%x, const w * s, const b * s + t)
    Given:
        %s = binary(%x, const s, kind=mul); %t = binary(%s, const t, kind=add)
        %y = fully_connected(%t, const w, const b)
    Result:
        %y = fully_connected(%x, const w * s, const b + w t)
    Requires:
        The layer has no residual and no activation yet (first form). Second form: the sum only where no padding
        would have to become something other than zero.
    """
    editor = Editor(graph)
    for node in editor.nodes():
        if node.op in ("binary", "unary"):
            _fold_back(editor, node)
    for node in editor.nodes():
        if node.op in ("fully_connected", "conv2d", "depthwise_conv2d"):
            _fold_forward(editor, node)
    return editor.rewrites


def affine_of(node: Node, slot: int) -> tuple[np.ndarray, np.ndarray] | None:
    """Returns (a, b), float64 [c] or [1], when a node computes a * operand + b for its operand `slot`."""
    if out(node).dtype != DType.FLOAT32 or not is_plain(node):
        return None
    one, zero = np.ones(1), np.zeros(1)
    kind = node.attrs["kind"]
    if node.op == "unary":
        return (-one, zero) if kind == "neg" else None
    x = node.inputs[slot]
    assert x is not None
    c = per_channel(node.inputs[1 - slot], x)
    if c is None or x.shape != out(node).shape:
        return None
    if kind == "add":
        return one, c
    if kind == "mul":
        return c, zero
    if kind == "sub":
        return (one, -c) if slot == 0 else (-one, c)
    if kind == "div" and slot == 0 and np.all(c != 0):
        return 1 / c, zero
    return None


def _layer(value: Value | None) -> Node | None:
    """Returns the layer with constant weights that computes a value, when its result is still linear."""
    node = None if value is None else value.producer
    if node is None or node.op not in _OUT_AXIS or node.input(3) is not None:
        return None
    if not is_plain(node):
        return None
    weight, bias = node.inputs[1], node.input(2)
    if weight is None or weight.const is None or (bias is not None and bias.const is None):
        return None
    return node


def _fold_back(editor: Editor, node: Node) -> None:
    for slot in range(len(node.inputs) if node.op == "binary" else 1):
        x = node.inputs[slot]
        layer = _layer(x)
        if layer is None or x is None or editor.only_user(x) is not node:
            continue
        affine = affine_of(node, slot)
        weight, bias = layer.inputs[1], layer.input(2)
        if affine is None or weight is None or weight.const is None:
            continue
        channels = int(weight.shape[0])
        a, b = (np.broadcast_to(v, (channels,)) for v in affine)
        w = weight.const.astype(np.float64) * a.reshape(-1, *[1] * (weight.const.ndim - 1))
        old = np.zeros(channels) if bias is None or bias.const is None else bias.const.astype(np.float64)
        if not _finite(w, old * a + b):
            continue
        new_bias = editor.const((old * a + b).astype(np.float32), f"{layer.name}.bias")
        new_weight = weight if np.all(a == 1) else editor.const(w.astype(np.float32), weight.name)
        new = editor.add(layer.op, [layer.inputs[0], new_weight, new_bias], layer.attrs, before=node, name=layer.name)
        editor.swap(node, new)
        return


def _finite(*arrays: np.ndarray) -> bool:
    return all(np.all(np.isfinite(a.astype(np.float32))) for a in arrays)


def _fold_forward(editor: Editor, node: Node) -> None:
    """Folds affine nodes before a layer, nearest first."""
    while True:
        x, weight, bias = node.inputs[0], node.inputs[1], node.input(2)
        before = None if x is None else x.producer
        if x is None or before is None or before.op != "binary" or editor.only_user(x) is not node:
            return
        if weight is None or weight.const is None or (bias is not None and bias.const is None):
            return
        slot = 0 if before.inputs[1] is not None and before.inputs[1].is_const else 1
        affine = affine_of(before, slot)
        if affine is None or not isinstance(x.shape[-1], int):
            return
        k = x.shape[-1]
        a, b = (np.broadcast_to(v, (k,)) for v in affine)
        if np.any(b != 0) and any(node.attrs.get("pads") or [0]):
            return
        w = weight.const.astype(np.float64)
        columns = _per_input_channel(node, w)
        new_w, shift = w * columns(a), (w * columns(b)).reshape(w.shape[0], -1).sum(axis=1)
        old = np.zeros(w.shape[0]) if bias is None or bias.const is None else bias.const.astype(np.float64)
        if not _finite(new_w, old + shift):
            return
        operands = [before.inputs[slot], editor.const(new_w.astype(np.float32), weight.name)]
        operands.append(editor.const((old + shift).astype(np.float32), f"{node.name}.bias") if np.any(b) else bias)
        new = editor.add(node.op, [*operands, *node.inputs[3:]], node.attrs, before=node, name=node.name)
        editor.swap(node, new)
        assert new.producer is not None
        node = new.producer


def _per_input_channel(node: Node, weight: np.ndarray):  # type: ignore[no-untyped-def]
    """Returns a function that shapes a vector over input channels to multiply the weight."""
    if node.op == "depthwise_conv2d":  # [c, kh, kw]
        return lambda v: v.reshape(-1, 1, 1)
    if node.op == "fully_connected" or int(node.attrs["group"]) == 1:  # the last dim is the input channel
        return lambda v: v
    group = int(node.attrs["group"])

    def grouped(v: np.ndarray) -> np.ndarray:  # row r of the weight reads the channels of group r // (oc / group)
        rows = np.repeat(v.reshape(group, -1), weight.shape[0] // group, axis=0)
        return rows[:, None, None, :]

    return grouped
