# SPDX-License-Identifier: Apache-2.0
"""Turns products with a constant matrix into fully_connected, whose weights are packed at build time."""

from __future__ import annotations

import numpy as np

from tealight.ir.graph import Graph, Node, Value
from tealight.ir.types import DType
from tealight.passes._editor import Editor, is_weight, out, rearranged
from tealight.passes._manager import Options


def matmul_to_fully_connected(graph: Graph, options: Options) -> int:
    """Rewrites matmul with a constant right-hand matrix.

    Given:
        %y = matmul(%x: float32[1, s, k], const [k, n], alpha=2)
    Result:
        %y = fully_connected(%x, const [n, k])   # alpha is in the weights
    Keeps:
        Products with batches of constant matrices, and those whose left-hand side is read transposed.
    """
    editor = Editor(graph)
    for node in editor.nodes():
        if node.op != "matmul" or node.attrs["transpose_a"] or out(node).dtype != DType.FLOAT32:
            continue
        x, w = node.inputs
        if x is None or w is None or not is_weight(w) or is_weight(x) or len(x.shape) < 2 or len(w.shape) < 2:
            continue
        if any(d != 1 for d in w.shape[:-2]) or len(w.shape) > len(x.shape):
            continue
        weight = _weight(editor, node, w)
        if weight is None:
            continue
        new = editor.add("fully_connected", [x, weight], {}, before=node, name=node.name)
        editor.swap(node, new)
    return editor.rewrites


def _weight(editor: Editor, node: Node, w: Value) -> Value | None:
    """Returns w [..., k, n] (or [..., n, k] where it is read transposed) as [n, k], times alpha."""
    is_transposed, alpha = node.attrs["transpose_b"], node.attrs["alpha"]

    def change(a: np.ndarray) -> np.ndarray:
        matrix = a.reshape(a.shape[-2:])
        return matrix if is_transposed else matrix.T

    if alpha == 1:
        return rearranged(editor, w, change, before=node)
    if w.const is None:
        return None
    return editor.const((change(w.const).astype(np.float64) * alpha).astype(np.float32), w.name)
