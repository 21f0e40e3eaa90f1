# SPDX-License-Identifier: Apache-2.0
"""Spells shape operations in one way: constant shapes, slices for single gathers, no copies that broadcasting does."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

import numpy as np

from tealight.ir.graph import Graph, Node, Value
from tealight.ir.types import Dim
from tealight.passes._editor import Editor, out, producer, same_dims, scalar
from tealight.passes._manager import Options
from tealight.passes.simplify_movement import reshape_target, reshaped


def simplify_shapes(graph: Graph, options: Options) -> int:
    """Makes the parameters of data movement constant where inference knows the result, and prefers views.

    Given:
        reshape(%x, %computed) with a known result; gather(%x, const 1, axis=1);
        binary(expand(%a, const), %b) where %b already has the full shape; unary(reshape(%x)); quantize(reshape(%x));
        quantize(transpose(%x))
    Result:
        reshape(%x, const); reshape(slice(%x)); binary(%a, %b); reshape(unary(%x)); reshape(quantize(%x));
        transpose(quantize(%x))
    """
    editor = Editor(graph)
    for node in editor.nodes():
        if node.op == "reshape":
            _constant_shape(editor, node)
        elif node.op == "gather":
            _gather_to_slice(editor, node)
        elif node.op == "binary":
            _drop_expand(editor, node)
    for node in editor.nodes():
        is_quantize = node.op == "quantize" and scalar(node.inputs[1]) is not None
        if node.op in ("unary", "cast") or is_quantize:
            _sink_below_unary(editor, node)
        if is_quantize and node in graph.nodes:
            _sink_transpose(editor, node)
        elif node.op == "binary":
            _sink_below_binary(editor, node)
    return editor.rewrites


def _constant_shape(editor: Editor, node: Node) -> None:
    x, old = node.inputs[0], None if node.inputs[1] is None else node.inputs[1].const
    target = None if x is None else reshape_target(out(node).shape, x.shape)
    if target is None or x is None:
        return
    if old is not None and not node.attrs["allow_zero"] and np.array_equal(old, target):
        return
    editor.swap(node, reshaped(editor, x, out(node).shape, before=node))


def _gather_to_slice(editor: Editor, node: Node) -> None:
    """A gather with one constant index is a slice of one, and a reshape when the index is a scalar."""
    x, index = node.inputs
    if x is None or index is None or index.const is None or index.const.size != 1 or x.is_const:
        return
    axis = int(node.attrs["axis"]) % len(x.shape)
    parted = [*x.shape[:axis], 1, *x.shape[axis + 1 :]]
    if index.const.ndim > 1 or reshape_target(out(node).shape, tuple(parted)) is None:
        return
    i, size = int(index.const.reshape(-1)[0]), x.shape[axis]
    if isinstance(size, int) and not -size <= i < size:
        return  # the run says what is wrong
    if not isinstance(size, int) and index.const.ndim == 1:
        return  # past the end a slice would be empty, without a word; under a scalar the reshape says so
    end = i + 1 if i != -1 else np.iinfo(np.int64).max
    operands = [editor.const(np.array([v], np.int64), n) for v, n in ((i, "starts"), (end, "ends"), (axis, "axes"))]
    new = editor.add("slice", [x, *operands], {}, before=node, name=node.name)
    if index.const.ndim == 0:
        new = reshaped(editor, new, out(node).shape, before=node)
    editor.swap(node, new)


def _drop_expand(editor: Editor, node: Node) -> None:
    for i in (0, 1):
        value, other = node.inputs[i], node.inputs[1 - i]
        if value is None or other is None or value.producer is None or value.producer.op != "expand":
            continue
        source = value.producer.inputs[0]
        if source is not None and same_dims(other.shape, out(node).shape) and len(source.shape) <= len(other.shape):
            editor.set_input(node, i, source)
            editor.remove(value.producer)
            editor.rewrites += 1


def _reshaped(editor: Editor, value: Value | None, user: Node) -> Value | None:
    """Returns the operand of the reshape that computes a value only `user` reads."""
    if value is None or value.producer is None or value.producer.op != "reshape":
        return None
    return value.producer.inputs[0] if editor.only_user(value) is user else None


def _sink_below_unary(editor: Editor, node: Node) -> None:
    x = _reshaped(editor, node.inputs[0], node)
    if x is not None and reshape_target(out(node).shape, x.shape) is not None:
        _reshape_after(editor, node, [x, *node.inputs[1:]])


def _sink_transpose(editor: Editor, node: Node) -> None:
    """Quantizes before a transpose that nothing else reads: one byte an element is moved, not four."""
    value = node.inputs[0]
    move = producer(value, "transpose")
    if move is None or value is None or editor.only_user(value) is not node:
        return
    inner = editor.add("quantize", [move.inputs[0], *node.inputs[1:]], node.attrs, before=node, name=node.name)
    editor.swap(node, editor.add("transpose", [inner], move.attrs, before=node, name=move.name))


def _sink_below_binary(editor: Editor, node: Node) -> None:
    a, b = node.inputs
    target = out(node)
    x, y = _reshaped(editor, a, node), _reshaped(editor, b, node)
    source = x or y
    if source is None or reshape_target(target.shape, source.shape) is None:
        return
    if x is not None and y is not None and a is not None and b is not None:
        if same_dims(x.shape, y.shape) and same_dims(a.shape, b.shape):
            _reshape_after(editor, node, [x, y])
        return
    if x is None or a is None or b is None or b.const is None or not same_dims(a.shape, target.shape):
        return
    constant = _reshape_constant(b.const, a.shape, x.shape)
    if constant is not None:
        _reshape_after(editor, node, [x, editor.const(constant, b.name)])


def _reshape_constant(array: np.ndarray, old: Sequence[Dim], new: Sequence[Dim]) -> np.ndarray | None:
    """Returns a broadcast operand for the shape before a reshape; None when it does not line up with its dims."""
    if array.size == 1:
        return array.reshape(())
    while array.ndim and array.shape[0] == 1:
        array = array[0]
    if list(array.shape) != list(old[len(old) - array.ndim :]):
        return None
    for k in range(1, len(new) + 1):
        tail = new[len(new) - k :]
        if not all(isinstance(d, int) for d in tail):
            return None
        if math.prod(int(d) for d in tail) == array.size:
            return array.reshape([int(d) for d in tail])
    return None


def _reshape_after(editor: Editor, node: Node, operands: list[Value | None]) -> None:
    value = editor.add(node.op, operands, node.attrs, before=node, name=node.name)
    assert operands[0] is not None
    value.type = dataclasses.replace(value.type, shape=operands[0].shape)
    editor.swap(node, reshaped(editor, value, out(node).shape, before=node))
