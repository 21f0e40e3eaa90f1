# SPDX-License-Identifier: Apache-2.0
"""Removes nodes whose results nothing reads."""

from __future__ import annotations

from tealight.ir.graph import Graph
from tealight.passes._editor import Editor
from tealight.passes._manager import Options


def remove_dead_code(graph: Graph, options: Options) -> int:
    """Removes nodes that do not reach an output, and drops results nobody wants.

    Given:
        %a = unary(%x, kind=exp); %b, %c = split(%x); return %b
    Result:
        %b, _ = split(%x); return %b
    Keeps:
        Graph inputs, used or not.
    """
    editor = Editor(graph)
    for node in reversed(list(graph.nodes)):
        if node not in graph.nodes:
            continue
        before = len(graph.nodes)
        editor.remove(node)
        editor.rewrites += before - len(graph.nodes)
    for node in graph.nodes:
        if len(node.outputs) < 2 or node.subgraphs:
            continue
        for i, value in enumerate(node.outputs):
            if value is not None and editor.is_unused(value):
                node.outputs[i] = None
                editor.rewrites += 1
    return editor.rewrites
