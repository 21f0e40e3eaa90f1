# SPDX-License-Identifier: Apache-2.0
"""Finds layer and RMS normalization, and softmax, that the source model spells out in arithmetic."""

from __future__ import annotations

import numpy as np

from tealight.ir.graph import Graph, Node, Value
from tealight.ir.types import DType
from tealight.passes._editor import Editor, known, out, producer, scalar
from tealight.passes._manager import Options
from tealight.passes._match import Any, B, Found, Op, Or, Pattern, Scalar, U, is_private, match

_X = Any("x")


def _reduce(kind: str, x: Pattern, axes: str) -> Pattern:
    return Op("reduce", (x, Any(axes)), (("kind", kind), ("keepdims", True)))


def _over_root(x: Pattern, mean_square: Pattern) -> Pattern:
    """X / sqrt(mean_square + epsilon), in its three spellings."""
    total = B("add", mean_square, Scalar(name="epsilon"))
    return Or(
        (B("div", x, U("sqrt", total)), B("mul", x, U("rsqrt", total)), B("mul", x, U("reciprocal", U("sqrt", total))))
    )


_CENTRED = B("sub", _X, _reduce("mean", _X, "axes"))
_SQUARED = Or((U("square", _CENTRED), B("mul", _CENTRED, _CENTRED), B("pow", _CENTRED, Scalar(2))))
_LAYER_NORM = _over_root(_CENTRED, _reduce("mean", _SQUARED, "axes2"))
_RMS_NORM = _over_root(_X, _reduce("mean", Or((U("square", _X), B("pow", _X, Scalar(2)))), "axes2"))
_EXP = U("exp", Or((B("sub", _X, _reduce("max", _X, "axes")), _X)))
_SOFTMAX = B("div", _EXP, _reduce("sum", _EXP, "axes2"))


def recognise_norms(graph: Graph, options: Options) -> int:
    """Replaces the arithmetic of a normalization by one node.

    Given:
        %m = reduce(%x, [-1], mean); %d = %x - %m; %v = reduce(square(%d), [-1], mean)
        %y = (%d / sqrt(%v + 1e-5)) * const [c] + const [c]
        %e = exp(%z - reduce(%z, [1], max)); %p = %e / reduce(%e, [1], sum)
    Result:
        %y = layer_norm(%x, const [c], const [c], axis=-1, epsilon=1e-5)
        %p = softmax(%z, axis=1)
    Requires:
        The forms of simplify_arithmetic.
    """
    editor = Editor(graph)
    for node in editor.nodes():
        if node.op == "binary" and out(node).dtype == DType.FLOAT32:
            if node.attrs["kind"] in ("div", "mul"):
                _ = _norm(editor, node, _LAYER_NORM, rms=False) or _norm(editor, node, _RMS_NORM, rms=True)
            if node.attrs["kind"] == "div" and node in graph.nodes:
                _softmax(editor, node)
    for node in editor.nodes():
        if node.op == "binary" and node.attrs["kind"] in ("mul", "add"):
            _scale_or_bias(editor, node)
            _group_scale_or_bias(editor, node)
    return editor.rewrites


def _axes(found: Found, name: str) -> list[int] | None:
    """Returns the axes of a reduction, from 0, sorted; None when they are not constant."""
    axes = known(found[name]) if name in found.values else None
    return None if axes is None else sorted(int(a) % len(found["x"].shape) for a in axes.reshape(-1))


def _norm(editor: Editor, node: Node, pattern: Pattern, *, rms: bool) -> bool:
    found = match(pattern, out(node))
    if found is None or not is_private(editor, found) or found["x"].shape != out(node).shape:
        return False
    rank = len(found["x"].shape)
    axes, axes2 = _axes(found, "axes2" if rms else "axes"), _axes(found, "axes2")
    if axes is None or axes != axes2 or axes != list(range(rank - len(axes), rank)):
        return False
    attrs = {"axis": axes[0] - rank, "epsilon": scalar(found["epsilon"]), "rms": rms}
    editor.swap(node, editor.add("layer_norm", [found["x"]], attrs, before=node, name=node.name))
    return True


def _softmax(editor: Editor, node: Node) -> None:
    found = match(_SOFTMAX, out(node))
    if found is None or not is_private(editor, found):
        return
    axes, axes2 = _axes(found, "axes"), _axes(found, "axes2")
    if axes2 is None or len(axes2) != 1 or ("axes" in found.values and axes != axes2):
        return
    attrs = {"axis": axes2[0]}
    editor.swap(node, editor.add("softmax", [found["x"]], attrs, before=node, name=node.name))


def _scale_or_bias(editor: Editor, node: Node) -> None:
    """Moves a product or sum with a constant over the normalized dims into the layer_norm before it."""
    for value, other in (node.inputs, node.inputs[::-1]):
        norm = producer(value, "layer_norm")
        if norm is None or value is None or other is None or other.const is None or editor.only_user(value) is not node:
            continue
        shape = tuple(value.shape[int(norm.attrs["axis"]) :] if int(norm.attrs["axis"]) < 0 else ())
        if not shape or not all(isinstance(d, int) for d in shape) or out(node).shape != value.shape:
            continue
        array = _trimmed(other.const, len(shape))
        if array is None:
            continue
        array = np.broadcast_to(array, shape).astype(np.float32)  # type: ignore[arg-type]
        scale, bias = norm.input(1), norm.input(2)
        if node.attrs["kind"] == "add" and bias is None:
            operands: list[Value | None] = [norm.inputs[0], scale or editor.const(np.ones_like(array), "scale")]
            operands.append(editor.const(array, other.name))
        elif node.attrs["kind"] == "mul" and bias is None and scale is None:
            operands = [norm.inputs[0], editor.const(array, other.name)]
        else:
            continue
        editor.swap(node, editor.add("layer_norm", operands, norm.attrs, before=node, name=norm.name))
        return


def _group_scale_or_bias(editor: Editor, node: Node) -> None:
    """Moves a product or sum with a constant per channel into the group_norm before it."""
    for value, other in (node.inputs, node.inputs[::-1]):
        norm = producer(value, "group_norm")
        if norm is None or value is None or other is None or other.const is None or editor.only_user(value) is not node:
            continue
        channels, array = value.shape[-1], other.const
        per_channel = array.size == 1 or array.shape[-1:] == (array.size,)
        if not isinstance(channels, int) or not per_channel or out(node).shape != value.shape:
            continue
        scale, bias = (_per_channel(norm.input(i), channels, default) for i, default in ((1, 1.0), (2, 0.0)))
        if scale is None or bias is None:
            continue
        array = array.reshape(-1).astype(np.float32)
        scale, bias = (scale * array, bias * array) if node.attrs["kind"] == "mul" else (scale, bias + array)
        operands = [norm.inputs[0], editor.const(scale, "scale"), editor.const(bias, "bias")]
        editor.swap(node, editor.add("group_norm", operands, norm.attrs, before=node, name=norm.name))
        return


def _per_channel(parameter: Value | None, channels: int, default: float) -> np.ndarray | None:
    """Returns a scale or bias as an array, or None where it is computed at run time."""
    return np.full(channels, default, np.float32) if parameter is None else parameter.const


def _trimmed(array: np.ndarray, rank: int) -> np.ndarray | None:
    """Returns a constant without its leading dims of size one, when it then has at most `rank` dims."""
    while array.ndim > rank and array.shape[0] == 1:
        array = array[0]
    return array if array.ndim <= rank else None
