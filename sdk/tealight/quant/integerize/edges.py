# SPDX-License-Identifier: Apache-2.0
"""Where quantizations meet: uint8 becomes int8, quantize(dequantize(x)) becomes nothing or a table, dead constants."""

from __future__ import annotations

import dataclasses

import numpy as np

from tealight.ir.graph import Node, Value
from tealight.ir.interpret import evaluate_node
from tealight.ir.types import DType
from tealight.passes._editor import Editor, out
from tealight.quant import numerics
from tealight.quant.integerize._context import Context, parameters, quantize_parameters, quantized

_SHIFT = 128


def signed(editor: Editor) -> None:
    """Makes uint8 activations int8, with a table at each edge where uint8 must stay.

    Given:
        %q = quantize(%x, s, z: uint8, to=uint8); %y = dequantize(%q, s, z)
    Result:
        %q = quantize(%x, s, z - 128: int8); %y = dequantize(%q, s, z - 128)
    """
    while _lift(editor):
        pass
    for node in editor.nodes():
        if node.op == "quantize" and out(node).dtype is DType.UINT8 and _per_tensor(node):
            operands = _shifted(editor, node)
            inner = editor.add(
                "quantize", operands, {**node.attrs, "to": DType.INT8.value}, before=node, name=node.name
            )
            editor.swap(node, _shift(editor, inner, node))
        elif node.op == "dequantize" and _is_activation(node, DType.UINT8) and _per_tensor(node):
            x = node.inputs[0]
            assert x is not None
            table, before = x.producer, None
            if table is not None and _is_shift(table):  # what the branch above put there is taken away again
                before = table.inputs[0]
            inner = before or _shift(editor, x, node)
            editor.swap(node, editor.add(
                "dequantize", [inner, *_shifted(editor, node)[1:]], node.attrs, before=node, name=node.name
            ))  # fmt: skip


#: Ops that move uint8 tensors about and may as well move what they stand for.
_LIFTED = ("reshape", "transpose", "slice", "gather", "expand", "tile", "max_pool2d", "concat")


def _lift(editor: Editor) -> int:
    """Turns dequantize(move(x)) of uint8 into move(dequantize(x)): what moves is int8 in the end, without tables."""
    lifted = 0
    for node in editor.nodes():
        if node.op != "dequantize" or not _is_activation(node, DType.UINT8) or not _per_tensor(node):
            continue
        x = node.inputs[0]
        move = None if x is None else x.producer
        if x is None or move is None or move.op not in _LIFTED or len(move.outputs) != 1:
            continue
        if editor.only_user(x) is not node:
            continue
        inputs = list(move.inputs)
        for i in range(len(inputs) if move.op == "concat" else 1):
            operands = [inputs[i], *node.inputs[1:]]
            inputs[i] = editor.add("dequantize", operands, {"axis": 0, "block_size": 0}, before=node, name=node.name)
        editor.swap(node, editor.add(move.op, inputs, move.attrs, before=node, name=move.name))
        lifted += 1
    return lifted


def _per_tensor(node: Node) -> bool:
    found = parameters(node)
    return found is not None and found[0].size == 1


def _is_activation(node: Node, dtype: DType) -> bool:
    x = node.inputs[0]
    return x is not None and x.const is None and x.dtype is dtype


def _shifted(editor: Editor, node: Node) -> list[Value | None]:
    """Returns the operands of a quantize or dequantize node for int8."""
    found = parameters(node)
    assert found is not None
    zero_point = (found[1] - _SHIFT).astype(np.int8).reshape(found[0].shape)
    return [node.inputs[0], node.inputs[1], editor.const(zero_point, "zero_point")]


def _shift(editor: Editor, x: Value, before: Node) -> Value:
    """Returns int8 x as uint8 or the other way round: the same numbers, the integers 128 apart."""
    to = DType.UINT8 if x.dtype is DType.INT8 else DType.INT8
    first = -_SHIFT if to is DType.INT8 else 0
    table = np.arange(first, first + 256).astype(to.numpy)
    return editor.add("lut", [x, editor.const(table, "shift")], {}, before=before, name=f"{x.name}/{to.label}")


def _is_shift(node: Node) -> bool:
    x, y = node.inputs[0], node.outputs[0]
    if node.op != "lut" or x is None or y is None or x.dtype is y.dtype or node.inputs[1] is None:
        return False
    table = node.inputs[1].const
    return table is not None and bool(np.all(np.diff(table.astype(np.int32)) == 1))


def pair(context: Context, node: Node) -> bool:
    """Removes quantize(dequantize(x)), or makes it a table; whether the quantize node was one."""
    source = node.inputs[0]
    x = quantized(source)
    if x is None:
        return _constant(context, node)
    scale, zero_point = quantize_parameters(node)
    value = context.requantized(x, scale, zero_point, node)
    if not context.editor.can_replace(out(node), value):
        identity = np.arange(-128, 128).astype(np.int8)  # an output keeps its own tensor
        value = context.editor.add("lut", [x.value, context.const(identity, "identity")], {}, before=node)
    context.editor.swap(node, value)
    return True


def _constant(context: Context, node: Node) -> bool:
    """Quantizes a constant now."""
    x, found = node.inputs[0], parameters(node)
    if x is None or x.const is None or found is None or found[0].size != 1:
        return False
    array = numerics.quantize(x.const, found[0].reshape(()), int(found[1].reshape(-1)[0]), out(node).dtype)
    value = context.const(array, x.name)
    if not context.editor.can_replace(out(node), value):
        return False
    context.editor.swap(node, value)
    return True


def merge_tables(context: Context) -> None:
    """Joins a table that only another table reads: one lookup for two; a table of i -> i goes."""
    editor = context.editor
    for node in editor.nodes():
        if node.op != "lut" or node.inputs[0] is None or node.inputs[1] is None or node.inputs[1].const is None:
            continue
        first = node.inputs[0].producer
        if first is not None and first.op == "lut" and editor.only_user(out(first)) is node:
            _join(editor, first, node)
        elif _is_identity(node) and editor.can_replace(out(node), node.inputs[0]):
            _drop(editor, node)


def _join(editor: Editor, first: Node, node: Node) -> None:
    inner, outer = (None if n.inputs[1] is None else n.inputs[1].const for n in (first, node))
    if inner is None or outer is None:
        return
    index = inner.astype(np.int32) + (128 if inner.dtype == np.int8 else 0)
    table = editor.const(outer[index], "table")
    y = editor.add("lut", [first.inputs[0], table], {}, before=node, name=node.name)
    name, quantization = out(node).name, out(node).type
    editor.swap(node, y)
    y.type = quantization
    if not editor.is_output(y):
        y.name, out(node).name = name, y.name
    made = y.producer
    if made is not None and _is_identity(made) and made.inputs[0] is not None:
        if editor.can_replace(y, made.inputs[0]):
            _drop(editor, made)


def _drop(editor: Editor, node: Node) -> None:
    x, kept = node.inputs[0], node.inputs[0].type if node.inputs[0] is not None else None
    assert x is not None and kept is not None
    editor.swap(node, x)
    x.type = kept if x.type.quantization is None and kept.quantization is not None else x.type


def _is_identity(node: Node) -> bool:
    table = None if node.inputs[1] is None else node.inputs[1].const
    if table is None or node.inputs[0] is None or node.inputs[0].dtype is not out(node).dtype:
        return False
    first = -128 if table.dtype == np.int8 else 0
    return bool(np.array_equal(table.astype(np.int32), np.arange(first, first + 256)))


def fold_weights(context: Context) -> None:
    """Turns dequantized constants that float nodes still read into float32 constants."""
    editor = context.editor
    for node in editor.nodes():
        if node.op != "dequantize" or any(v is not None and v.const is None for v in node.inputs):
            continue
        (array,) = evaluate_node(node, [None if v is None else v.const for v in node.inputs])
        constant = editor.const(array, out(node).name)
        if editor.can_replace(out(node), constant):
            editor.swap(node, constant)


_MOVES = ("transpose", "reshape")


def narrow_transposes(context: Context) -> None:
    """Transposes integers instead of the floats that they stand for.

    Given:
        %t = transpose(%x); %q = quantize(%t, s, z); %f = dequantize(%i, s, z); %y = transpose(%f)
    Result:
        %p = quantize(%x, s, z); %q = transpose(%p); %j = transpose(%i); %y = dequantize(%j, s, z)
    Requires:
        Nothing else reads %t or %f; s and z are scalars. Reshapes go the same way.
    """
    editor, before = context.editor, -1
    while before != editor.rewrites:
        before = editor.rewrites
        for node in editor.nodes():
            source = node.inputs[0] if node.inputs else None
            if source is not None and source.producer is not None and editor.only_user(source) is node:
                _narrow(editor, node, source.producer)


def _narrow(editor: Editor, node: Node, source: Node) -> None:
    if node.op == "quantize" and source.op in _MOVES and _is_scalar(node):
        attrs = {**node.attrs, "axis": 0}
        inner = editor.add("quantize", [source.inputs[0], *node.inputs[1:]], attrs, before=node, name=node.name)
        inner.type = dataclasses.replace(inner.type, quantization=out(node).type.quantization)
        y = editor.add(source.op, [inner, *source.inputs[1:]], source.attrs, before=node, name=source.name)
        y.type = dataclasses.replace(y.type, quantization=out(node).type.quantization)
        editor.swap(node, y)
    elif node.op in _MOVES and source.op == "dequantize" and _is_scalar(source):
        x = source.inputs[0]
        if x is None or x.const is not None:
            return
        inner = editor.add(node.op, [x, *node.inputs[1:]], node.attrs, before=node, name=node.name)
        inner.type = dataclasses.replace(inner.type, quantization=x.type.quantization)
        attrs = {**source.attrs, "axis": 0}
        editor.swap(node, editor.add("dequantize", [inner, *source.inputs[1:]], attrs, before=node, name=source.name))


def _is_scalar(node: Node) -> bool:
    scale = node.inputs[1]
    return scale is not None and scale.shape == () and parameters(node) is not None
