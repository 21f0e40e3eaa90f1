# SPDX-License-Identifier: Apache-2.0
"""Computes the parts of a split separately, instead of copying them out of one result."""

from __future__ import annotations

import numpy as np

from tealight.ir.graph import Graph, Node, Value
from tealight.passes._editor import Editor, is_plain
from tealight.passes._manager import Options

#: Fewest channels of a part: narrower ones would leave the kernels' tiles of 16 half empty.
_LEAST = 32


def split_layers(graph: Graph, options: Options) -> int:
    """Splits the weights of a fully_connected (or 1x1 conv2d) whose result is only split along its channels.

    Given:
        %y = fully_connected(%x, const [576, k], const [576]); %q, %k, %v = split(%y, axis=-1, sizes=[192, 192, 192])
    Result:
        %q = fully_connected(%x, const [192, k], const [192]); %k = …; %v = …
    Requires:
        No residual, parts of at least 32 channels. Runs after fold_affine (the bias is in the layer).
    Keeps:
        Every result to the bit: each output channel is computed as before.
    """
    editor = Editor(graph)
    for node in editor.nodes():
        if node.op == "split" and node.inputs[0] is not None and editor.only_user(node.inputs[0]) is node:
            layer = node.inputs[0].producer
            if layer is not None and _fits(layer, node):
                _split(editor, layer, node)
    return editor.rewrites


def _fits(layer: Node, split: Node) -> bool:
    x = split.inputs[0]
    assert x is not None
    if layer.op == "conv2d":
        if int(layer.attrs["group"]) != 1 or list(layer.attrs["kernel_shape"]) != [1, 1]:
            return False
    elif layer.op != "fully_connected":
        return False
    if layer.input(3) is not None or not is_plain(layer) or int(split.attrs["axis"]) not in (-1, len(x.shape) - 1):
        return False
    operands = [v for v in layer.inputs[1:3] if v is not None]
    return all(v.is_const for v in operands) and min(_sizes(split)) >= _LEAST


def _sizes(split: Node) -> list[int]:
    """Returns the channels of each part; one zero when they are not known."""
    sizes = [int(s) for s in split.attrs["sizes"]]
    if sizes:
        return sizes
    dims = [None if v is None else v.shape[-1] for v in split.outputs]
    return [d for d in dims if isinstance(d, int)] if all(isinstance(d, int) for d in dims) else [0]


def _split(editor: Editor, layer: Node, split: Node) -> None:
    starts = np.cumsum([0, *_sizes(split)])
    weight, bias = layer.inputs[1], layer.input(2)
    for i, part in enumerate(split.outputs):
        if part is None:
            continue
        rows = slice(int(starts[i]), int(starts[i + 1]))
        operands: list[Value | None] = [layer.inputs[0], *(_rows(editor, v, rows) for v in (weight, bias))]
        new = editor.add(layer.op, operands, layer.attrs, before=split, name=f"{layer.name}.{i}")
        editor.replace(part, new)
    editor.remove(split)
    editor.rewrites += 1


def _rows(editor: Editor, value: Value | None, rows: slice) -> Value | None:
    return None if value is None or value.const is None else editor.const(value.const[rows], value.name)
