# SPDX-License-Identifier: Apache-2.0
"""Computes the parts of a split separately, instead of copying them out of one result."""

from __future__ import annotations

from typing import TypeGuard

import numpy as np

from tealight.ir.graph import Graph, Node, Value
from tealight.passes._editor import Editor, is_plain, known, out, same_dims
from tealight.passes._manager import Options
from tealight.passes.simplify_movement import reshape_target, reshaped

#: Fewest channels of a part: narrower ones would leave the kernels' tiles of 16 half empty.
_LEAST = 32


def split_layers(graph: Graph, options: Options) -> int:
    """Splits the weights of a fully_connected (or 1x1 conv2d) whose result is only split along its channels.

    Given:
        %y = fully_connected(%x, const [576, k], const [576]); %q, %k, %v = split(%y, axis=-1, sizes=[192, 192, 192])
    Result:
        %q = fully_connected(%x, const [192, k], const [192]); %k = …; %v = …
    Given:
        %y = fully_connected(%x: float32[1, s, k], const [576, k]); %r = reshape(%y, const [1, s, 3, 8, 24])
        %t = transpose(%r, perm=[2, 0, 3, 1, 4]); %q = slice(%t, 0, 1, axes=0); %k = slice(%t, 1, 2, axes=0); …
    Result:
        %y = fully_connected(%x, const [192, k]); %r = reshape(%y, const [1, s, 1, 8, 24])
        %q = transpose(%r, perm=[2, 0, 3, 1, 4]); …
    Requires:
        No residual, parts of at least 32 channels. Runs after fold_affine (the bias is in the layer).
    Keeps:
        Every result to the bit: each output channel is computed as before.
    """
    editor = Editor(graph)
    for node in editor.nodes():
        if node.op == "split" and node.inputs[0] is not None and editor.only_user(node.inputs[0]) is node:
            layer = node.inputs[0].producer
            if (
                int(node.attrs["axis"]) in (-1, len(node.inputs[0].shape) - 1)
                and _fits(layer)
                and min(_sizes(node)) >= _LEAST
            ):
                _split(editor, layer, node)
        elif node.op == "reshape" and node.inputs[0] is not None and editor.only_user(node.inputs[0]) is node:
            if _fits(node.inputs[0].producer):
                _split_slices(editor, node.inputs[0].producer, node)
    return editor.rewrites


def _fits(layer: Node | None) -> TypeGuard[Node]:
    if layer is None:
        return False
    if layer.op == "conv2d":
        if int(layer.attrs["group"]) != 1 or list(layer.attrs["kernel_shape"]) != [1, 1]:
            return False
    elif layer.op != "fully_connected":
        return False
    if layer.input(3) is not None or not is_plain(layer):
        return False
    return all(v is None or v.is_const for v in layer.inputs[1:3])


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


def _split_slices(editor: Editor, layer: Node, reshape: Node) -> None:
    """Splits where the parts are slices of a reshape (and a transpose) that sets the parts apart as a dim."""
    y, last = out(layer), out(reshape)
    move = editor.only_user(last)
    move = move if move is not None and move.op == "transpose" else None
    slices = list(editor.users(last if move is None else out(move)))
    axis = len(y.shape) - 1  # where the outermost factor of the channels comes to lie
    if editor.is_output(last if move is None else out(move)) or len(slices) < 2:
        return
    if reshape_target(last.shape, y.shape) is None or len(last.shape) <= axis:
        return
    if not same_dims(last.shape[:axis], y.shape[:axis]):
        return
    parts, channels = last.shape[axis], y.shape[-1]
    if not isinstance(parts, int) or not isinstance(channels, int) or channels % parts:
        return
    seen = axis if move is None else [int(p) for p in move.attrs["perm"]].index(axis)
    bounds = [_bounds(n, seen, parts) for n in slices]
    if any(b is None or (b[1] - b[0]) * (channels // parts) < _LEAST for b in bounds):
        return
    inner = channels // parts
    for n, bound in zip(slices, bounds, strict=True):
        assert bound is not None
        rows = slice(bound[0] * inner, bound[1] * inner)
        operands = [layer.inputs[0], *(_rows(editor, v, rows) for v in (layer.inputs[1], layer.input(2)))]
        value = editor.add(layer.op, operands, layer.attrs, before=n, name=f"{layer.name}.{bound[0]}")
        shape = [*last.shape[:axis], bound[1] - bound[0], *last.shape[axis + 1 :]]
        value = reshaped(editor, value, shape, before=n)
        if move is not None:
            value = editor.add("transpose", [value], move.attrs, before=n, name=move.name)
        editor.swap(n, value)


def _bounds(node: Node, axis: int, size: int) -> tuple[int, int] | None:
    """Returns the range of a slice of this axis alone with step 1; None for anything else."""
    starts, ends, axes, steps = (known(node.input(i)) for i in (1, 2, 3, 4))
    if node.op != "slice" or starts is None or ends is None or starts.size != 1:
        return None
    if node.input(3) is not None and (axes is None or int(axes[0]) % len(out(node).shape) != axis):
        return None
    if (node.input(3) is None and axis) or (node.input(4) is not None and (steps is None or int(steps[0]) != 1)):
        return None
    start, end, _ = slice(int(starts[0]), int(ends[0])).indices(size)
    return (start, end) if start < end else None


def _rows(editor: Editor, value: Value | None, rows: slice) -> Value | None:
    return None if value is None or value.const is None else editor.const(value.const[rows], value.name)
