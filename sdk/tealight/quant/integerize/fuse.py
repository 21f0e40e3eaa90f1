# SPDX-License-Identifier: Apache-2.0
"""Lets integer layers do what follows them: a table, then the sum with another tensor. The numbers stay the same."""

from __future__ import annotations

import numpy as np

from tealight import ops
from tealight.ir.graph import Node, Value
from tealight.ir.types import DType
from tealight.passes._editor import Editor, out, same_dims
from tealight.quant.integerize._context import Context

_LAYERS = ("q_conv2d", "q_depthwise_conv2d", "q_fully_connected")
_RESIDUAL, _TABLE = 4, 5


def fold_functions(context: Context) -> None:
    """Turns a sum or product of functions of one tensor into one table: x * sigmoid(x), spelled with two nodes.

    A constant of one element may be an operand too.

    Given:
        %a = lut(%x, const [256]); %y = q_binary(%x, %a, kind=mul)
    Result:
        %y = lut(%x, const [256])
    Keeps:
        The numbers of q_binary for every x.
    """
    editor = context.editor
    for node in editor.nodes():
        if node.op not in ("q_binary", "binary") or out(node).dtype is not DType.INT8:
            continue
        (a, first), (b, second) = (_function_of(v) for v in node.inputs)
        x = a if b is None else b
        if x is None or (a is not None and a is not x) or x.is_const or not same_dims(x.shape, out(node).shape):
            continue
        entries = ops.get(node.op).reference(first, second, **node.attrs)
        table = editor.add("lut", [x, context.const(np.asarray(entries), "table")], {}, before=node, name=node.name)
        kept, name = out(node).type, out(node).name
        old = out(node)
        editor.swap(node, table)
        table.type = kept
        if not editor.is_output(table):
            table.name, old.name = name, table.name


def _function_of(value: Value | None) -> tuple[Value | None, np.ndarray]:
    """Returns the int8 tensor of which a value is a function by tables, and the function's 256 results.

    A constant of one element is a function of anything: the tensor is None.
    """
    if value is not None and value.const is not None and value.const.size == 1:
        return None, np.full(256, value.const.reshape(-1)[0], value.const.dtype)
    tables = []
    while value is not None and value.producer is not None and value.producer.op == "lut":
        source, table = value.producer.inputs
        if source is None or table is None or table.const is None or source.dtype is not DType.INT8:
            break
        if table.const.dtype != np.int8:
            break
        tables.append(table.const)
        value = source
    results = np.arange(-128, 128).astype(np.int8)
    for entries in reversed(tables):  # the table next to the source comes first
        results = entries[results.astype(np.int32) + 128]
    return value, results


def fuse_tables(context: Context) -> None:
    """Moves a table into the layer before it; one that only clamps becomes lo and hi.

    Given:
        %a = q_conv2d(%x, w, b, s); %y = lut(%a, const [256])
    Result:
        %y = q_conv2d(%x, w, b, s, _, const [256])
    Requires:
        Nothing else reads %a, which has no residual and no table.
    """
    editor = context.editor
    for node in editor.nodes():
        if node.op != "lut" or node.inputs[0] is None or node.inputs[1] is None:
            continue
        layer, table = node.inputs[0].producer, node.inputs[1].const
        if layer is None or layer.op not in _LAYERS or table is None or table.dtype != np.int8:
            continue
        if layer.input(_RESIDUAL) is not None or layer.input(_TABLE) is not None:
            continue
        if editor.only_user(out(layer)) is not node:
            continue
        limits = _clamp(table)
        if limits is not None:
            output = dict(layer.attrs["output"])
            output["lo"] = int(np.clip(output["lo"], *limits))
            output["hi"] = int(np.clip(output["hi"], *limits))
            _replace(editor, node, layer, layer.inputs[:4], {**layer.attrs, "output": output})
        else:
            _replace(editor, node, layer, [*layer.inputs[:4], None, node.inputs[1]], layer.attrs)


def _clamp(table: np.ndarray) -> tuple[int, int] | None:
    """Returns lo and hi of a table that is clip(i, lo, hi); None for others."""
    lo, hi = int(table[0]), int(table[-1])
    if lo > hi or not np.array_equal(table, np.clip(np.arange(-128, 128), lo, hi)):
        return None
    return lo, hi


def fuse_residuals(context: Context) -> None:
    """Moves a sum of a layer's result and another tensor into the layer.

    Given:
        %a = q_conv2d(%x, w, b, s); %y = q_binary(%a, %r, kind=add, add={…})
    Result:
        %y = q_conv2d(%x, w, b, s, %r, residual_add={…})
    Requires:
        Nothing else reads %a; the shapes are equal. Of two layers the later one takes the other.
    Keeps:
        The numbers of q_binary(%a, %r): where the layer is the second operand, it becomes the first.
    """
    editor = context.editor
    for node in editor.nodes():
        if node.op != "q_binary" or node.attrs["kind"] != "add" or not node.attrs["add"]:
            continue
        slots = [s for s in (0, 1) if _takes(editor, node, s)]
        if not slots:
            continue
        order = {id(n): i for i, n in enumerate(editor.graph.nodes)}
        slot = max(slots, key=lambda s: order[id(_producer(node, s))])
        layer = _producer(node, slot)
        assert layer is not None
        add = dict(node.attrs["add"])
        if slot == 1:
            add["a_scale"], add["b_scale"] = add["b_scale"], add["a_scale"]
        inputs = [*layer.inputs, None, None][:6]
        inputs[_RESIDUAL] = node.inputs[1 - slot]
        _replace(editor, node, layer, inputs, {**layer.attrs, "residual_add": add})


def _producer(node: Node, slot: int) -> Node | None:
    value = node.inputs[slot]
    return None if value is None else value.producer


def _takes(editor: Editor, node: Node, slot: int) -> bool:
    """Whether the layer that computes an operand can add the other one."""
    value, other, layer = node.inputs[slot], node.inputs[1 - slot], _producer(node, slot)
    if value is None or other is None or layer is None or layer.op not in _LAYERS:
        return False
    if layer.input(_RESIDUAL) is not None or other.is_const or editor.only_user(value) is not node:
        return False
    return len(value.shape) == len(other.shape) and all(a == b for a, b in zip(value.shape, other.shape, strict=True))


def _replace(editor: Editor, node: Node, layer: Node, inputs: list[Value | None], attrs: dict[str, object]) -> None:
    old = out(node)
    new = editor.add(layer.op, inputs, attrs, before=node, name=layer.name or node.name)
    kept, name = old.type, old.name
    editor.swap(node, new)
    new.type = kept
    if not editor.is_output(new):
        new.name, old.name = name, new.name
