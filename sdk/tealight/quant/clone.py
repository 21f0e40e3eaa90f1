# SPDX-License-Identifier: Apache-2.0
"""Copies of a graph, to try things on."""

from __future__ import annotations

from tealight.ir.graph import Graph, Node, Value


def clone(graph: Graph) -> tuple[Graph, dict[Node, Node], dict[Value, Value]]:
    """Returns a copy of a graph that shares its constants and bodies, and what each node and value became."""
    values = {v: Value(v.name, v.type) for v in graph.inputs}
    nodes = {}
    for node in graph.nodes:
        results = [None if v is None else Value(v.name, v.type) for v in node.outputs]
        values.update((v, r) for v, r in zip(node.outputs, results, strict=True) if v is not None and r is not None)
        operands = [None if v is None else values.get(v, v) for v in node.inputs]
        nodes[node] = Node(node.op, operands, results, node.attrs, node.name, node.subgraphs)
    outputs = [values.get(v, v) for v in graph.outputs]
    copy = Graph(graph.name, [values[v] for v in graph.inputs], outputs, list(nodes.values()), dict(graph._names))
    return copy, nodes, values
