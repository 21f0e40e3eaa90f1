# SPDX-License-Identifier: Apache-2.0
"""Turns products with a constant matrix into fully_connected, whose weights are packed at build time."""

from __future__ import annotations

import numpy as np

from tealight.ir.graph import Graph
from tealight.ir.types import DType
from tealight.passes._editor import Editor, out
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
        if x is None or w is None or w.const is None or x.is_const or len(x.shape) < 2 or w.const.ndim < 2:
            continue
        if any(d != 1 for d in w.const.shape[:-2]) or w.const.ndim > len(x.shape):
            continue
        matrix = w.const.reshape(w.const.shape[-2:])
        weight = matrix if node.attrs["transpose_b"] else matrix.T
        if node.attrs["alpha"] != 1:
            weight = (weight.astype(np.float64) * node.attrs["alpha"]).astype(np.float32)
        new = editor.add("fully_connected", [x, editor.const(weight, w.name)], {}, before=node, name=node.name)
        editor.swap(node, new)
    return editor.rewrites
