# SPDX-License-Identifier: Apache-2.0
"""Folds explicit padding into the windows that read it."""

from __future__ import annotations

from tealight.ir.graph import Graph, Node, Value
from tealight.passes._editor import Editor, known, out, producer, scalar
from tealight.passes._manager import Options


def fold_pad(graph: Graph, options: Options) -> int:
    """Folds zero padding of h and w into the pads of the convolution or pooling behind it.

    Given:
        %a = pad(%x, const [0, 1, 1, 0, 0, 1, 1, 0], mode=constant); %y = conv2d(%a, …, pads=[0, 0, 0, 0])
    Result:
        %y = conv2d(%x, …, pads=[1, 1, 1, 1])
    Requires:
        Padding with 0 for convolutions and average pooling (which must count the padding already, or have none and
        then counts it), with -inf for max pooling. Between the two may be a dequantize with one scale, whose zero
        point is what is padded with.
    Keeps:
        Padding that crops, or that something else reads too.
    """
    editor = Editor(graph)
    for node in editor.nodes():
        if node.op in ("conv2d", "depthwise_conv2d", "average_pool2d", "max_pool2d"):
            _fold(editor, node)
    return editor.rewrites


def _fold(editor: Editor, node: Node) -> None:
    steps = _single_dequantize(node.inputs[0])
    x = node.inputs[0] if steps is None else steps.inputs[0]
    pad = producer(x, "pad", mode="constant")
    if pad is None or x is None or editor.is_output(x):
        return
    if any(u.op != (node if steps is None else steps).op for u in editor.users(x)):
        return
    amounts = _amounts(pad)
    if amounts is None or min(amounts) < 0:
        return
    value = 0.0 if pad.input(2) is None else scalar(pad.input(2))
    if any(amounts[i] for i in (0, 3, 4, 7)) or value is None:
        return
    if steps is not None:
        value -= 0.0 if steps.input(2) is None else scalar(steps.input(2)) or 0.0
    attrs = dict(node.attrs)
    old = [int(p) for p in attrs["pads"]] or [0, 0, 0, 0]
    if node.op == "max_pool2d":
        if value != float("-inf"):
            return
    elif value != 0:
        return
    if node.op == "average_pool2d":
        if attrs["ceil_mode"] or (any(old) and not attrs["count_include_pad"]):
            return
        attrs["count_include_pad"] = True
    attrs["pads"] = [p + amounts[i] for p, i in zip(old, (1, 2, 5, 6), strict=True)]
    source = pad.inputs[0]
    if steps is not None:
        source = editor.add("dequantize", [source, *steps.inputs[1:]], steps.attrs, before=node, name=steps.name)
    new = editor.add(node.op, [source, *node.inputs[1:]], attrs, before=node, name=node.name)
    if new.shape != out(node).shape:
        editor.remove(new.producer)  # type: ignore[arg-type]
        return
    editor.swap(node, new)


def _single_dequantize(value: Value | None) -> Node | None:
    """Returns the dequantize node with one constant scale and zero point that makes a value."""
    node = producer(value, "dequantize")
    if node is None or scalar(node.inputs[1]) is None:
        return None
    return node if node.input(2) is None or scalar(node.input(2)) is not None else None


def _amounts(pad: Node) -> list[int] | None:
    """Returns the eight pads of a rank-4 operand: begins of n, h, w, c, then ends."""
    pads, axes = known(pad.input(1)), known(pad.input(3))
    if pads is None or pad.inputs[0] is None or len(pad.inputs[0].shape) != 4:
        return None
    if pad.input(3) is None:
        return [int(p) for p in pads]
    if axes is None:
        return None
    full = [0] * 8
    for i, axis in enumerate(axes.reshape(-1)):
        full[int(axis) % 4] = int(pads[i])
        full[int(axis) % 4 + 4] = int(pads[i + axes.size])
    return full
