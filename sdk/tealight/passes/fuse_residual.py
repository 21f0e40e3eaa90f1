# SPDX-License-Identifier: Apache-2.0
"""Lets a layer add another tensor to its result before it is stored."""

from __future__ import annotations

from tealight.ir.graph import Graph, Node
from tealight.ir.types import DType
from tealight.passes._editor import Editor, is_plain, out, same_dims
from tealight.passes._manager import Options

#: Op -> index of its residual operand.
_LAYERS = {"conv2d": 3, "depthwise_conv2d": 3, "fully_connected": 3, "dynamic_conv2d": 4, "dynamic_fully_connected": 4}


def fuse_residual(graph: Graph, options: Options) -> int:
    """Turns the sum of a layer's result and another tensor of its shape into the layer's residual operand.

    Given:
        %a = conv2d(%x, const, const); %y = binary(%a, %r, kind=add)
    Result:
        %y = conv2d(%x, const, const, %r)
    Requires:
        Nothing else reads %a; no activation between.
    Keeps:
        The order of the other nodes: the layer runs where the sum ran, when %r is ready. Of two layers the later
        one takes the other as its residual.
    """
    editor = Editor(graph)
    for node in editor.nodes():
        if node.op != "binary" or node.attrs["kind"] != "add" or out(node).dtype != DType.FLOAT32:
            continue
        if not is_plain(node):
            continue
        found = [(graph.nodes.index(n), slot, n) for slot in (0, 1) if (n := _layer(editor, node, slot)) is not None]
        if not found:
            continue
        _, slot, layer = max(found, key=lambda f: f[0])
        at = _LAYERS[layer.op]
        operands = [*layer.inputs, None, None][:at]
        new = editor.add(
            layer.op,
            [*operands, node.inputs[1 - slot], *layer.inputs[at + 1 :]],
            layer.attrs,
            before=node,
            name=layer.name or node.name,
        )
        editor.swap(node, new)
    return editor.rewrites


def _layer(editor: Editor, node: Node, slot: int) -> Node | None:
    """Returns the layer that computes an operand and can take the other one."""
    value, other = node.inputs[slot], node.inputs[1 - slot]
    layer = None if value is None else value.producer
    if layer is None or value is None or other is None or layer.op not in _LAYERS:
        return None
    if layer.input(_LAYERS[layer.op]) is not None:
        return None
    if not is_plain(layer) or other.is_const:
        return None
    if editor.only_user(value) is not node or not same_dims(value.shape, other.shape):
        return None
    return layer
