# SPDX-License-Identifier: Apache-2.0
"""Removes branches that are decided at build time, and moves constants into the bodies that use them."""

from __future__ import annotations

from tealight.ir.graph import Graph, Node, Value
from tealight.passes._editor import Editor
from tealight.passes._manager import Options


def inline_control_flow(graph: Graph, options: Options) -> int:
    """Inlines the branch of an `if` with a known condition; gives bodies their constant captures.

    Given:
        %y = if(const True, %x, const [1, 2], then=t, else=e)
    Result:
        the nodes of t, with %x and the constant in the place of its inputs
    Requires:
        Bodies see no outer value but their inputs.
    """
    editor = Editor(graph)
    for node in editor.nodes():
        if node.op == "if":
            _sink_constants(editor, node, first=1)
            cond = None if node.inputs[0] is None else node.inputs[0].type.const
            if cond is not None:
                _inline(editor, node, "then" if bool(cond.reshape(-1)[0]) else "else")
        elif node.op == "loop":
            _sink_constants(editor, node, first=2 + int(node.attrs["carried"]))
    return editor.rewrites


def _sink_constants(editor: Editor, node: Node, first: int) -> None:
    """Turns captures that are constants into constants of the bodies."""
    for i in range(len(node.inputs) - 1, first - 1, -1):
        value = node.inputs[i]
        if value is None or value.const is None:
            continue
        for body in node.subgraphs.values():
            # If: captures are all inputs of the body; Loop: iteration and cond come in place of trip count and cond.
            formal = body.inputs[i - first] if node.op == "if" else body.inputs[i]
            inner = Value(formal.name, value.type)
            body.inputs.remove(formal)
            for n in body.nodes:
                n.inputs = [inner if v is formal else v for v in n.inputs]
            body.outputs = [inner if v is formal else v for v in body.outputs]
        editor.set_input(node, i, None)
        del node.inputs[i]
        editor.rewrites += 1


def _inline(editor: Editor, node: Node, branch: str) -> None:
    body = node.subgraphs[branch]
    table: dict[Value, Value | None] = dict(zip(body.inputs, node.inputs[1:], strict=True))

    def outer(value: Value | None) -> Value | None:
        if value is None:
            return None
        if value not in table:  # a constant of the body
            assert value.const is not None
            table[value] = editor.const(value.const, value.name)
        return table[value]

    pairs = [(v, r) for v, r in zip(body.outputs, node.outputs, strict=True) if r is not None]
    named = [v for v, r in pairs if editor.is_output(r)]
    if any(v.producer is None for v in named) or len(set(named)) < len(named):
        return  # the name of a graph output would be lost
    for inner in list(body.nodes):
        editor.adopt(inner, [outer(v) for v in inner.inputs], before=node)
        table.update((v, v) for v in inner.outputs if v is not None)
    for old, result in zip(body.outputs, node.outputs, strict=True):
        new = outer(old)
        if result is not None and new is not None:
            result.type = new.type  # the branch taken knows best, even the rank
            editor.replace(result, new)
    editor.remove(node)
    editor.rewrites += 1
