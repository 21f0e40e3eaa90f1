# SPDX-License-Identifier: Apache-2.0
"""Turns dequantize -> float op -> quantize into integer ops: the one step behind every way a model gets quantized.

In: an ir.Graph of float nodes with explicit quantize and dequantize nodes around them (weights: dequantize(constant)).
Out: the same graph with integer nodes; what has no integer form stays float between its quantize and dequantize nodes
and is named in the notes with the reason.
"""

from __future__ import annotations

from collections.abc import Callable, Collection

from tealight.ir.graph import Graph, Node
from tealight.ir.verify import verify
from tealight.passes._manager import Options, graphs_of
from tealight.passes.merge_common_subexpressions import merge_common_subexpressions
from tealight.passes.remove_dead_code import remove_dead_code
from tealight.quant.integerize import edges, elementwise, fuse, layers, movement, normalize, pooling, products, stored
from tealight.quant.integerize._context import Context, NotConverted, quantized

Rewrite = Callable[[Context, Node], None]


def _resize(context: Context, node: Node) -> None:
    (pooling.resize if pooling.is_interpolation(node) else movement.move)(context, node)


#: Float op -> how it becomes an integer one; raises NotConverted with the reason when it cannot.
REWRITES: dict[str, Rewrite] = {
    **{op: layers.layer for op in layers.LAYERS},
    **{op: movement.move for op in movement.MOVES},
    "concat": movement.concat,
    "matmul": products.matmul,
    "binary": elementwise.binary,
    "average_pool2d": pooling.average_pool2d,
    "reduce": pooling.reduce,
    "resize": _resize,
    "softmax": normalize.softmax,
    "layer_norm": normalize.layer_norm,
    "group_norm": normalize.group_norm,
}


def integerize(graph: Graph, keep: Collection[Node] = ()) -> list[tuple[str, str]]:
    """Rewrites a graph and the bodies inside it in place.

    Args:
        graph: After the passes that find layers, before those that fuse residuals, activations and loops.
        keep: Nodes that shall stay float, without a note.

    Returns:
        (node, reason) of each node between quantize and dequantize nodes that stays float.
    """
    notes: list[tuple[str, str]] = []
    for body in list(graphs_of(graph)):
        if any(n.op in ("quantize", "dequantize") for n in body.nodes):
            notes += _integerize(body, frozenset(keep))
    verify(graph)
    return notes


def _integerize(graph: Graph, keep: frozenset[Node]) -> list[tuple[str, str]]:
    options = Options()
    merge_common_subexpressions(graph, options)
    context = Context(graph)
    edges.signed(context.editor)
    remove_dead_code(graph, options)
    context = Context(graph, keep)
    reasons: dict[Node, str] = {}
    for node in context.editor.nodes():
        rewrite = _quantize if node.op == "quantize" else REWRITES.get(node.op)
        if rewrite is None or node in keep or not (node.op == "quantize" or _has_integers(node)):
            continue
        try:
            rewrite(context, node)
        except NotConverted as e:
            reasons[node] = str(e)
    for cleanup in (
        stored.store_weights,
        edges.fold_weights,
        edges.narrow_transposes,
        fuse.fold_functions,
        edges.merge_tables,
        fuse.fuse_tables,
        fuse.fuse_residuals,
    ):
        remove_dead_code(graph, options)
        merge_common_subexpressions(graph, options)
        context = Context(graph)
        cleanup(context)
    remove_dead_code(graph, options)
    return [(n.name, f"stays float32: {why}") for n, why in _left(graph, reasons) if n not in keep]


def _quantize(context: Context, node: Node) -> None:
    if not edges.pair(context, node):
        elementwise.table(context, node)


def _has_integers(node: Node) -> bool:
    return any(quantized(v) is not None for v in node.inputs)


def _left(graph: Graph, reasons: dict[Node, str]) -> list[tuple[Node, str]]:
    """Returns why layers, and nodes between a dequantize and a quantize node, stayed float.

    Other nodes behind the last integers are float because nothing asked for more.
    """
    users = graph.users()
    leads: set[Node] = set()  # to a quantize node
    for node in reversed(graph.nodes):
        readers = [u for v in node.outputs if v is not None for u in users[v]]
        if node.op != "dequantize" and any(u.op == "quantize" or u in leads for u in readers):
            leads.add(node)
    notes = []
    for node in graph.nodes:
        read = _has_integers(node) and (node in leads or node.op in (*layers.LAYERS, "matmul"))
        last = any(u.op == "quantize" for v in node.outputs if v is not None for u in users[v])
        if node.op not in ("quantize", "dequantize") and (read or (last and node in reasons)):
            why = reasons.get(node) or f"there is no integer form of {node.op}"
            notes.append((node, why))
    return notes
