# SPDX-License-Identifier: Apache-2.0
"""Lets the query heads that share a key head (grouped-query attention) read it without copies."""

from __future__ import annotations

import numpy as np

from tealight.ir.graph import Graph, Node, Value
from tealight.passes._editor import Editor, out
from tealight.passes._manager import Options
from tealight.passes.simplify_movement import reshaped


def share_attention_heads(graph: Graph, options: Options) -> int:
    """Stacks the rows of the query heads that read the same key head.

    Given:
        %c = reshape(%k: float32[b, 4, t, d], const [b, 4, 1, t, d])
        %e = reshape(expand(%c, const [b, 4, 2, t, d]), const [b, 8, t, d])
        %f = the same of %v; %y = attention(%q: float32[b, 8, s, d], %e, %f, %mask: float32[1, 1, 1, t])
    Result:
        %p = reshape(%q, const [b, 4, 2 s, d]); %a = attention(%p, %k, %v, %mask); %y = reshape(%a, const [b, 8, s, d])
    Requires:
        Fixed shapes; a mask that is the same for all heads and rows, or constant (it is repeated then).
    Keeps:
        Every result to the bit: each row is computed as before.
    """
    editor = Editor(graph)
    for node in editor.nodes():
        if node.op == "attention":
            _share(editor, node)
    return editor.rewrites


def _share(editor: Editor, node: Node) -> None:
    q, k, v = node.inputs[:3]
    if q is None or len(q.shape) != 4 or not q.type.is_static:
        return
    keys, values = _repeated(k), _repeated(v)
    if keys is None or values is None or keys.shape[1] != values.shape[1]:
        return
    if 0 in (*q.shape, *keys.shape, *values.shape):  # no reshape says an empty shape with constants
        return
    b, heads, s, d = (int(n) for n in q.shape)
    shared = int(keys.shape[1])
    mask = _mask(editor, node.input(3), heads, heads // shared, s)
    if mask is None and node.input(3) is not None:
        return
    rows = heads // shared * s
    stacked = reshaped(editor, q, (b, shared, rows, d), before=node)
    keys, values = (reshaped(editor, x, (*x.shape[:2], *x.shape[3:]), before=node) for x in (keys, values))
    new = editor.add("attention", [stacked, keys, values, mask], node.attrs, before=node, name=node.name)
    editor.swap(node, reshaped(editor, new, out(node).shape, before=node))


def _repeated(value: Value | None) -> Value | None:
    """Returns x [b, g, 1, t, d] when a value [b, g * n, t, d] repeats each of its heads n times in a row."""
    merge = None if value is None else value.producer
    expand = None if merge is None or merge.op != "reshape" or merge.inputs[0] is None else merge.inputs[0].producer
    part = None if expand is None or expand.op != "expand" or expand.inputs[0] is None else expand.inputs[0]
    if value is None or expand is None or part is None or len(part.shape) != 5 or len(value.shape) != 4:
        return None
    if not (part.type.is_static and value.type.is_static):
        return None
    b, g, one, t, d = (int(n) for n in part.shape)
    repeats = int(out(expand).shape[2]) if len(out(expand).shape) == 5 else 0
    if one != 1 or tuple(out(expand).shape) != (b, g, repeats, t, d) or tuple(value.shape) != (b, g * repeats, t, d):
        return None
    return part


def _mask(editor: Editor, mask: Value | None, heads: int, repeats: int, rows: int) -> Value | None:
    """Returns a mask for the stacked rows; None when there is none, or none that needs no work at run time."""
    if mask is None:
        return None
    shape = [1] * (4 - len(mask.shape)) + list(mask.shape)
    if shape[1] != 1:
        return None
    if shape[2] == 1:
        return mask
    if mask.const is None or shape[2] != rows:
        return None
    return editor.const(np.tile(mask.const.reshape([int(n) for n in shape]), (1, 1, repeats, 1)), mask.name)
