# SPDX-License-Identifier: Apache-2.0
"""A flatten before fully_connected may read its operand in any order of dims: the weights are permuted instead."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from tealight.ir.graph import Node, Value
from tealight.passes._editor import Editor, is_weight, out, rearranged
from tealight.passes.simplify_movement import reshape_target, reshaped

#: Ops that see each element by itself, beside unary: with one scale for all, or a table.
_BETWEEN = ("quantize", "dequantize", "lut")


def _is_per_channel(node: Node) -> bool:
    scale = node.inputs[1]
    return node.op != "lut" and (scale is None or scale.const is None or scale.const.size != 1)


def flatten_users(editor: Editor, reshape: Node, perm: Sequence[int]) -> list[tuple[Node, list[Node]]] | None:
    """Returns the fully_connected nodes behind a flatten [n, d1, …] -> [n, d1 * …] and the unary nodes before each.

    None when the reshape is another one, when something else reads it, or when the permutation moves dim 0.
    """
    x, y = reshape.inputs[0], out(reshape)
    if x is None or not perm or perm[0] != 0 or len(y.shape) != 2 or not all(isinstance(d, int) for d in x.shape[1:]):
        return None
    if y.shape[1] != math.prod(int(d) for d in x.shape[1:]) or x.shape[0] != y.shape[0]:
        return None
    if reshape_target(y.shape, x.shape) is None:
        return None
    found: list[tuple[Node, list[Node]]] = []
    pending: list[tuple[Value, list[Node]]] = [(y, [])]
    while pending:
        value, path = pending.pop()
        if editor.is_output(value) or not editor.users(value):
            return None
        for user in editor.users(value):
            if user.op == "unary" or (user.op in _BETWEEN and not _is_per_channel(user)):
                pending.append((out(user), [*path, user]))
            elif user.op == "fully_connected" and user.inputs[0] is value and value not in user.inputs[1:]:
                weight = user.inputs[1]
                if not is_weight(weight):
                    return None
                found.append((user, path))
            else:
                return None
    return found or None


def permute_flatten(editor: Editor, reshape: Node, perm: Sequence[int], permuted: Value | None) -> None:
    """Makes a flatten read transpose(x, perm), and permutes the weights of the fully_connected nodes behind it."""
    x = reshape.inputs[0]
    users = flatten_users(editor, reshape, perm)
    assert x is not None and permuted is not None and users is not None
    dims = [int(d) for d in x.shape[1:]]
    order = np.arange(math.prod(dims)).reshape(dims).transpose([p - 1 for p in perm[1:]]).reshape(-1)
    for node, _ in users:
        weight = node.inputs[1]
        assert weight is not None
        editor.set_input(node, 1, rearranged(editor, weight, lambda a: a[:, order], before=node))
    editor.swap(reshape, reshaped(editor, permuted, out(reshape).shape, before=reshape))
