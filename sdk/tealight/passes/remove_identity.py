# SPDX-License-Identifier: Apache-2.0
"""Removes nodes that copy their operand."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from tealight.ir.graph import Graph, Node, Value
from tealight.passes._editor import Editor, is_plain, known, out, same_dims
from tealight.passes._manager import Options


def remove_identity(graph: Graph, options: Options) -> int:
    """Removes nodes whose result equals an operand, and reductions over dims of size one.

    Given:
        %a = reshape(%x: float32[2, 3], const [2, 3]); %b = transpose(%a, perm=[0, 1])
        %c = binary(%b, const 1, kind=mul)
    Result:
        %x
    Keeps:
        A copy of a graph input (or of another output) to a graph output: both names must live.
    """
    editor = Editor(graph)
    for node in editor.nodes():
        rule = _RULES.get(node.op)
        source = None if rule is None or not node.outputs or node.outputs[0] is None else rule(node)
        if source is not None and _same_type(source, out(node)) and editor.can_replace(out(node), source):
            editor.swap(node, source)
    return editor.rewrites


def _same_type(a: Value, b: Value) -> bool:
    return a.dtype == b.dtype and same_dims(a.shape, b.shape)


def _first(node: Node) -> Value | None:
    return node.input(0)


def _unary(node: Node) -> Value | None:
    return node.input(0) if node.attrs["kind"] == "identity" else None


def _transpose(node: Node) -> Value | None:
    perm = [int(p) for p in node.attrs["perm"]]
    return node.input(0) if perm == list(range(len(perm))) else None


def _binary(node: Node) -> Value | None:
    if not is_plain(node):
        return None
    a, b = node.inputs
    neutral = {"add": 0, "sub": 0, "mul": 1, "div": 1, "pow": 1}.get(node.attrs["kind"])
    if neutral is None or a is None or b is None:
        return None
    if b.const is not None and b.const.dtype != np.bool_ and np.all(b.const == neutral):
        return a
    if node.attrs["kind"] in ("add", "mul") and a.const is not None and np.all(a.const == neutral):
        return b
    return None


def _static_same(node: Node) -> bool:
    x = node.input(0)
    return x is not None and x.type.is_static and out(node).type.is_static and x.shape == out(node).shape


def _slice(node: Node) -> Value | None:
    if not _static_same(node):
        return None
    steps = known(node.input(4))
    if node.input(4) is not None and (steps is None or np.any(steps < 0)):
        return None
    return node.input(0)


def _pad(node: Node) -> Value | None:
    pads = known(node.input(1))
    return node.input(0) if pads is not None and not np.any(pads) else None


def _expand(node: Node) -> Value | None:
    shape = known(node.input(1))
    if shape is not None and np.all(shape == 1) and node.inputs[0] is not None:
        return node.inputs[0] if len(shape) <= len(node.inputs[0].shape) else None
    return node.input(0) if _static_same(node) else None


def _tile(node: Node) -> Value | None:
    repeats = known(node.input(1))
    return node.input(0) if repeats is not None and np.all(repeats == 1) else None


def _single(node: Node) -> Value | None:
    return node.input(0) if len(node.inputs) == 1 else None


def _split(node: Node) -> Value | None:
    return node.input(0) if len(node.outputs) == 1 else None


def _resize(node: Node) -> Value | None:
    scales = known(node.input(2))
    if node.attrs["coordinate_mode"] == "tf_crop_and_resize" or not _static_same(node):
        return None
    return node.input(0) if scales is None or np.all(scales == 1) else None


def _reduce(node: Node) -> Value | None:
    x, axes = node.input(0), known(node.input(1))
    if x is None or node.attrs["kind"] not in ("sum", "mean", "max", "min", "prod") or not node.attrs["keepdims"]:
        return None
    if node.input(1) is not None and axes is None:
        return None
    over = range(len(x.shape)) if axes is None else [int(a) for a in axes.reshape(-1)]
    return x if all(x.shape[a] == 1 for a in over) else None


def _pool(node: Node) -> Value | None:
    attrs = node.attrs
    ones = all(math.prod(attrs[k] or [1]) == 1 for k in ("kernel_shape", "strides"))
    return node.input(0) if ones and not any(attrs["pads"] or [0]) else None


_RULES: dict[str, Callable[[Node], Value | None]] = {
    "unary": _unary,
    "cast": _first,
    "reshape": _first,
    "transpose": _transpose,
    "binary": _binary,
    "slice": _slice,
    "pad": _pad,
    "expand": _expand,
    "tile": _tile,
    "concat": _single,
    "split": _split,
    "resize": _resize,
    "reduce": _reduce,
    "max_pool2d": _pool,
    "average_pool2d": _pool,
}
