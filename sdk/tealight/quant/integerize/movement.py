# SPDX-License-Identifier: Apache-2.0
"""Ops that only move data run on int8 as they are, with the dequantize behind them; concat rescales its operands."""

from __future__ import annotations

import numpy as np

from tealight.ir.graph import Node, Value
from tealight.ir.interpret import evaluate_node
from tealight.ir.types import DType
from tealight.passes._editor import out
from tealight.quant import numerics
from tealight.quant.integerize._context import Context, NotConverted, Quantized, annotate, quantized

#: Op -> the operands that hold data.
MOVES: dict[str, tuple[int, ...]] = {
    "reshape": (0,), "transpose": (0,), "slice": (0,), "split": (0,), "pad": (0, 2), "expand": (0,), "tile": (0,),
    "gather": (0,), "gather_elements": (0,), "gather_nd": (0,), "max_pool2d": (0,), "resize": (0,), "where": (1, 2),
    "reverse_sequence": (0,), "trilu": (0,), "compress": (0,),
}  # fmt: skip


def move(context: Context, node: Node) -> None:
    """Moves a dequantize behind an op that only moves data.

    Given:
        %a = dequantize(%x, s, z); %y = transpose(%a, perm=[0, 2, 1])
    Result:
        %b = transpose(%x, perm=[0, 2, 1]); %y = dequantize(%b, s, z)
    """
    data = [i for i in MOVES[node.op] if node.input(i) is not None]
    first = next((q for i in data if (q := quantized(node.input(i))) is not None), None)
    if first is None:
        raise NotConverted("operand x is not quantized as int8 per tensor")
    if node.op == "trilu" and first.zero_point:
        raise NotConverted("its zeros are not the integer 0")
    inputs = list(node.inputs)
    for i in data:
        inputs[i] = _as_integers(context, node, i, first)
    if node.op == "pad" and node.attrs["mode"] == "constant" and node.input(2) is None:
        inputs = [*inputs, None, None][: max(len(inputs), 3)]  # an absent value means the number 0
        inputs[2] = context.const(np.array(first.zero_point, np.int8), "pad/value")
    if first.value.is_const and all(v is None or v.is_const for v in inputs):
        _fold(context, node, inputs, first)
        return
    wanted = [v for v in node.outputs]
    results = context.editor.add_all(
        node.op, inputs, dict(node.attrs), before=node, name=node.name, outputs=len(node.outputs)
    )
    for old, new in zip(wanted, results, strict=True):
        if old is None:
            continue
        if new.dtype is not DType.INT8:  # the indices of max_pool2d
            context.editor.replace(old, new)
            continue
        _dequantize_behind(context, node, old, new, first)
    context.editor.remove(node)


def _dequantize_behind(context: Context, node: Node, old: Value, new: Value, q: Quantized) -> None:
    annotate(new, q.scale, q.zero_point)
    name = old.name
    float_value = context.editor.add(
        "dequantize", [new, *dequantize_operands(context, q)], {"axis": 0, "block_size": 0}, before=node, name=name
    )
    context.editor.replace(old, float_value)
    if not context.editor.is_output(float_value):
        old.name, new.name = new.name, old.name


def dequantize_operands(context: Context, q: Quantized) -> list[Value]:
    """Returns the scale and zero point operands of a dequantize node of q."""
    return [
        context.const(np.array(q.scale, np.float32), f"{q.value.name}/scale"),
        context.const(np.array(q.zero_point, np.int8), f"{q.value.name}/zero_point"),
    ]


def _as_integers(context: Context, node: Node, i: int, like: Quantized) -> Value:
    """Returns data operand i as integers in the quantization of the others."""
    value = node.input(i)
    q = quantized(value)
    if q is not None:
        if not q.same(like):
            raise NotConverted("its operands have different quantizations")
        return q.value
    assert value is not None
    if value.const is None:
        raise NotConverted("not all of its operands are quantized as int8 per tensor")
    steps = numerics.quantize(value.const, np.array(like.scale, np.float32), like.zero_point, DType.INT8)
    if not np.array_equal(numerics.dequantize(steps, np.array(like.scale, np.float32), like.zero_point), value.const):
        raise NotConverted("it fills in a constant that the quantization of x cannot express")
    return context.const(steps, value.name)


def _fold(context: Context, node: Node, inputs: list[Value | None], q: Quantized) -> None:
    """Moves the integers of a constant now."""
    arrays = [None if v is None else v.const for v in inputs]
    for old, array in zip(node.outputs, evaluate_node(node, arrays), strict=False):
        if old is not None:
            new = context.const(array, old.name)
            y = context.editor.add(
                "dequantize", [new, *dequantize_operands(context, q)], {"axis": 0, "block_size": 0}, before=node,
                name=old.name,
            )  # fmt: skip
            context.editor.replace(old, y)
    context.editor.remove(node)


def concat(context: Context, node: Node) -> None:
    """Joins int8 operands; a table rescales those whose quantization differs from that of the result.

    Given:
        %a = dequantize(%x, s, z); %b = dequantize(%r, t, u); %y = concat(%a, %b, axis=-1); %q = quantize(%y, s, z)
    Result:
        %c = lut(%r, const [256]); %q = concat(%x, %c, axis=-1)
    """
    operands = [context.operand(node, i) for i in range(len(node.inputs))]
    if all(q.same(operands[0]) for q in operands):  # no arithmetic: a dequantize behind it serves any reader
        first = operands[0]
        new = context.editor.add("concat", [q.value for q in operands], dict(node.attrs), before=node, name=node.name)
        _dequantize_behind(context, node, out(node), new, first)
        context.editor.remove(node)
        return
    target = context.target(node)
    if (target.lo, target.hi) != (-128, 127):
        raise NotConverted("a concat with a clamp behind it")
    values = [context.requantized(q, target.scale, target.zero_point, target.node) for q in operands]
    context.emit("concat", list(values), dict(node.attrs), node, target)
