# SPDX-License-Identifier: Apache-2.0
"""Folds transposes and scales into matmul, and finds attention."""

from __future__ import annotations

from tealight.errors import TealightError
from tealight.ir.graph import Graph, Node, Value
from tealight.ir.types import DType
from tealight.passes._editor import Editor, is_plain, out, producer, scalar
from tealight.passes._manager import Options


def recognise_attention(graph: Graph, options: Options) -> int:
    """Folds what surrounds a matmul into it, then replaces softmax(q k^T + mask) v by one node.

    Given:
        %t = transpose(%k, perm=[0, 2, 3, 1]); %s = matmul(%q, %t) * 0.125 + %mask
        %y = matmul(softmax(%s, axis=-1), %v)
    Result:
        %t = transpose(%k, perm=[0, 2, 1, 3]); %y = attention(%q, %t, %v, %mask, scale=0.125)
    Keeps:
        Scores that something else reads.
    """
    editor = Editor(graph)
    for node in editor.nodes():
        if node.op == "matmul":
            _fold_transposes(editor, node)
    for node in editor.nodes():
        if node.op == "binary":
            _fold_scale(editor, node)
    for node in editor.nodes():
        if node.op == "matmul":
            _attention(editor, node)
    return editor.rewrites


def _fold_transposes(editor: Editor, node: Node) -> None:
    """Turns a transpose of the last two dims of an operand into the attribute, and keeps the rest of the perm."""
    inputs, attrs = list(node.inputs), dict(node.attrs)
    changed = False
    for i, flag in ((0, "transpose_a"), (1, "transpose_b")):
        move = producer(inputs[i], "transpose")
        perm = [] if move is None else [int(p) for p in move.attrs["perm"]]
        if move is None or len(perm) < 2 or perm[-1] > perm[-2]:
            continue
        swapped = [*perm[:-2], perm[-1], perm[-2]]
        source = move.inputs[0]
        if swapped != sorted(swapped):
            source = editor.add("transpose", [source], {"perm": swapped}, before=node, name=move.name)
        inputs[i], attrs[flag], changed = source, not attrs[flag], True
    if changed:
        editor.swap(node, editor.add("matmul", inputs, attrs, before=node, name=node.name))


def _fold_scale(editor: Editor, node: Node) -> None:
    """Moves a product with a number after or before a matmul of computed operands into its alpha."""
    if node.attrs["kind"] not in ("mul", "div") or not is_plain(node):
        return
    factor = scalar(node.inputs[1])
    if factor is None or out(node).dtype != DType.FLOAT32 or node.inputs[0] is None:
        return
    factor = factor if node.attrs["kind"] == "mul" else 1 / factor if factor else None
    product = producer(node.inputs[0], "matmul")
    if factor is None or out(node).shape != node.inputs[0].shape:
        return
    if product is not None and editor.only_user(node.inputs[0]) is node:
        attrs = {**product.attrs, "alpha": product.attrs["alpha"] * factor}
        editor.swap(node, editor.add("matmul", product.inputs, attrs, before=node, name=product.name))
        return
    value = out(node)
    user = editor.only_user(value)
    while user is not None and user.op in ("reshape", "transpose"):  # a number passes through movement
        value = out(user)
        user = editor.only_user(value)
    if user is not None and user.op == "matmul" and all(v is not None and not v.is_const for v in user.inputs):
        attrs = {**user.attrs, "alpha": user.attrs["alpha"] * factor}
        editor.swap(node, node.inputs[0])
        editor.swap(user, editor.add("matmul", user.inputs, attrs, before=user, name=user.name))


def _attention(editor: Editor, node: Node) -> None:
    """Matches from the second matmul back to the first."""
    if node.attrs["transpose_a"] or node.attrs["transpose_b"] or node.attrs["alpha"] != 1 or node.inputs[1] is None:
        return
    weights = node.inputs[0]
    softmax = _alone(editor, weights, "softmax", node)
    if softmax is None or softmax.attrs["is_log"] or weights is None:
        return
    if int(softmax.attrs["axis"]) not in (-1, len(weights.shape) - 1):
        return
    scores = softmax.inputs[0]
    mask: Value | None = None
    add = _alone(editor, scores, "binary", softmax)
    if add is not None:
        if add.attrs["kind"] != "add" or not is_plain(add):
            return
        a, b = add.inputs
        scores, mask = (a, b) if _alone(editor, a, "matmul", add) is not None else (b, a)
        if mask is None or len(mask.shape) > len(weights.shape) or scores is None or scores.shape != weights.shape:
            return
    first = None if scores is None else _alone(editor, scores, "matmul", add or softmax)
    if first is None or first.attrs["transpose_a"] or not first.attrs["transpose_b"]:
        return
    try:
        new = editor.add(
            "attention",
            [first.inputs[0], first.inputs[1], node.inputs[1], mask],
            {"scale": float(first.attrs["alpha"])},
            before=node,
            name=node.name,
        )
    except TealightError:  # the leading dims do not fit the op: the matmuls stay
        return
    editor.swap(node, new)


def _alone(editor: Editor, value: Value | None, op: str, user: Node) -> Node | None:
    """Returns the node of this op that computes a value which only `user` reads."""
    node = producer(value, op)
    return node if node is not None and value is not None and editor.only_user(value) is user else None
