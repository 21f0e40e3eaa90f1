# SPDX-License-Identifier: Apache-2.0
"""Spells arithmetic in one way, and in the cheaper of two exact ways."""

from __future__ import annotations

import math

import numpy as np

from tealight.ir.graph import Graph, Node
from tealight.ir.types import DType
from tealight.passes._editor import Editor, is_plain, out, producer, scalar
from tealight.passes._manager import Options

_COMMUTATIVE = ("add", "mul", "max", "min", "equal", "and_", "or_", "xor_", "bitwise_and", "bitwise_or", "bitwise_xor")
_POW = {2.0: "square", 0.5: "sqrt", -1.0: "reciprocal", -0.5: "rsqrt"}


def simplify_arithmetic(graph: Graph, options: Options) -> int:
    """Rewrites unary and binary nodes to the forms that the later passes look for.

    Given:
        pow(x, 2); pow(x, 0.5); 2 + x; x - c; x / 4; 1 / sqrt(x); x * x;
        max(x, 0); min(max(x, 0), 6); clip(relu(x), a, b)
    Result:
        square(x); sqrt(x); x + 2; x + (-c); x * 0.25; rsqrt(x); square(x);
        relu(x); clip(x, 0, 6); clip(x, max(a, 0), b)
    Keeps:
        Results to the last bit, but for 1/sqrt, pow and the sign of zeros. Division by a constant becomes a
        multiplication only when its reciprocal is exact (a power of two).
    """
    editor = Editor(graph)
    for node in editor.nodes():
        if node.op == "binary" and is_plain(node):
            _binary(editor, node)
        elif node.op == "unary" and out(node).dtype == DType.FLOAT32:
            _unary(editor, node)
    return editor.rewrites


def _binary(editor: Editor, node: Node) -> None:
    kind = node.attrs["kind"]
    a, b = node.inputs
    if a is None or b is None:
        return
    if kind in _COMMUTATIVE and a.is_const and not b.is_const:
        editor.set_input(node, 0, b)
        editor.set_input(node, 1, a)
        a, b = b, a
        editor.rewrites += 1
    if out(node).dtype != DType.FLOAT32:
        return
    if kind in ("sub", "div") and b.const is not None:
        flipped = -b.const if kind == "sub" else _exact_reciprocal(b.const)
        if flipped is not None:
            new = editor.add(
                "binary",
                [a, editor.const(flipped, b.name)],
                {"kind": "add" if kind == "sub" else "mul"},
                before=node,
                name=node.name,
            )
            editor.swap(node, new)
        return
    unary = _as_unary(node)
    if unary is not None:
        x, attrs = unary
        if x.shape == out(node).shape:
            editor.swap(node, editor.add("unary", [x], attrs, before=node, name=node.name))


def _as_unary(node: Node):  # type: ignore[no-untyped-def]
    """Returns (operand, attributes) of the unary that equals a binary node, or None."""
    kind, (a, b) = node.attrs["kind"], node.inputs
    s, left = scalar(b), scalar(a)
    if kind == "mul" and a is b:
        return a, {"kind": "square"}
    if kind == "pow" and s in _POW:
        return a, {"kind": _POW[s]}
    if kind == "div" and left == 1.0:
        return b, {"kind": "reciprocal"}
    if kind == "sub" and left == 0.0:
        return b, {"kind": "neg"}
    if kind == "max" and s is not None and not math.isnan(s):
        return a, {"kind": "relu"} if s == 0 else {"kind": "clip", "alpha": s, "beta": math.inf}
    if kind == "min" and s is not None and not math.isnan(s):
        return a, {"kind": "clip", "alpha": -math.inf, "beta": s}
    return None


def _exact_reciprocal(c: np.ndarray) -> np.ndarray | None:
    """Returns 1 / c when every element is a power of two whose reciprocal is a normal number."""
    mantissa, exponent = np.frexp(c)
    if np.all(np.abs(mantissa) == 0.5) and np.all(np.abs(exponent) < 120):
        return np.asarray(1 / c, dtype=c.dtype)
    return None


def _unary(editor: Editor, node: Node) -> None:
    kind, x = node.attrs["kind"], node.inputs[0]
    if kind == "reciprocal":
        root = producer(x, "unary", kind="sqrt")
        if root is not None and x is not None and editor.only_user(x) is node:
            editor.swap(node, editor.add("unary", root.inputs, {"kind": "rsqrt"}, before=node, name=node.name))
        return
    bounds = _bounds(node)
    inner = None if x is None or x.producer is None else _bounds(x.producer)
    if bounds is None or bounds[0] > bounds[1]:  # bounds that are crossed give the upper one, whatever x is
        return
    if inner is not None and x is not None and x.producer is not None and editor.only_user(x) is node:
        # clip(clip(x, a, b), c, d): the outer bounds win where they do not overlap.
        low, high = min(max(inner[0], bounds[0]), bounds[1]), max(min(inner[1], bounds[1]), bounds[0])
        source = x.producer.inputs
    elif kind == "clip" and bounds == (0.0, math.inf):
        low, high, source = 0.0, math.inf, node.inputs
    else:
        return
    attrs = {"kind": "relu"} if (low, high) == (0.0, math.inf) else {"kind": "clip", "alpha": low, "beta": high}
    editor.swap(node, editor.add("unary", source, attrs, before=node, name=node.name))


def _bounds(node: Node) -> tuple[float, float] | None:
    if node.op != "unary":
        return None
    if node.attrs["kind"] == "relu":
        return 0.0, math.inf
    return (float(node.attrs["alpha"]), float(node.attrs["beta"])) if node.attrs["kind"] == "clip" else None
