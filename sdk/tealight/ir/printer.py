# SPDX-License-Identifier: Apache-2.0
"""Graph -> text, for messages, docstrings of passes and `tealight explain`."""

from __future__ import annotations

from typing import Any

from tealight.ir.graph import Graph, Node, Value

_SHORT = 8  # elements of a constant that are still shown


def to_text(graph: Graph, *, types: bool = True) -> str:
    """Returns the graph, one node a line, bodies of control flow indented below their node.

    Args:
        graph: To print.
        types: Show the type of every result.
    """
    return "\n".join(_lines(graph, types, ""))


def _lines(graph: Graph, types: bool, indent: str) -> list[str]:
    inputs = ", ".join(f"%{v.name}: {v.type}" for v in graph.inputs)
    lines = [f"{indent}{graph.name}({inputs}):"]
    for node in graph.nodes:
        lines.append(f"{indent}  {node_text(node, types=types)}")
        for name, body in node.subgraphs.items():
            lines.append(f"{indent}    {name}:")
            lines.extend(_lines(body, types, indent + "      "))
    lines.append(f"{indent}  return {', '.join(_operand(v) for v in graph.outputs)}")
    return lines


def node_text(node: Node, *, types: bool = True) -> str:
    """Returns the line of a node; attributes that have their default value are left out."""
    from tealight import ops

    defaults = ops.get(node.op).defaults if node.op in ops.names() else {}
    results = ", ".join("_" if v is None else f"%{v.name}" + (f": {v.type}" if types else "") for v in node.outputs)
    parts = [_operand(v) for v in node.inputs]
    parts += [f"{k}={_attribute(v)}" for k, v in node.attrs.items() if k not in defaults or defaults[k] != v]
    return f"{results} = {node.op}({', '.join(parts)})"


def _operand(v: Value | None) -> str:
    if v is None:
        return "_"
    const = v.const
    if const is None:
        return f"%{v.name}"
    return str(const.tolist()) if const.size <= _SHORT else f"%{v.name}: {v.type} const"


def _attribute(value: Any) -> str:
    if isinstance(value, dict) and "kind" in value:
        parameters = [f"{k}={v:g}" for k, v in value.items() if k != "kind" and v]
        return f"{value['kind']}({', '.join(parameters)})" if parameters else str(value["kind"])
    return str(value)
