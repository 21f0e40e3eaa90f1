# SPDX-License-Identifier: Apache-2.0
"""Chooses the order of dims for every value at once, so that the fewest bytes are transposed."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tealight.ir.graph import Graph, Node, Value
from tealight.passes._editor import Editor, out, producer
from tealight.passes._layout_choice import LayoutChoice, Perm, inverse, perm_of
from tealight.passes._manager import Options
from tealight.passes._permute import base_value
from tealight.passes.permute_flatten_weights import permute_flatten
from tealight.passes.remove_dead_code import remove_dead_code
from tealight.passes.simplify_movement import simplify_movement

_ROUNDS = 24  # each round lowers the cost; more than a few are never needed


def move_transposes(graph: Graph, options: Options) -> int:
    """Moves transposes through ops that work in any order of dims, where that removes bytes to move.

    For a permutation taken from the graph's own transposes, each such op gets one of two forms, plain or permuted;
    the cheapest choice for all of them together is a minimum cut. Repeated for every permutation until none helps.

    Given:
        %a = transpose(%x, perm=[0, 3, 1, 2]); %b = unary(%a, kind=relu); %c = binary(%b, const [8, 1, 1], kind=mul)
        %y = transpose(%c, perm=[0, 2, 3, 1])
    Result:
        %b = unary(%x, kind=relu); %y = binary(%b, const [1, 1, 1, 8], kind=mul)
    Keeps:
        Types and names of graph inputs and outputs. Bytes transposed never grow.
    """
    total = simplify_movement(graph, options)
    for _ in range(_ROUNDS):
        best = None
        for perm in _candidates(graph):
            choice = LayoutChoice(graph, perm)
            saved, nodes = choice.choose()
            if saved > 0 and (best is None or saved > best[0]):
                best = saved, choice, nodes
        if best is None:
            break
        total += _rewrite(graph, best[1], best[2])
        total += simplify_movement(graph, options)
        remove_dead_code(graph, options)
    return total


def _candidates(graph: Graph) -> list[tuple[int, ...]]:
    """Returns the permutations of the graph's transposes and their inverses, in order of appearance."""
    found: dict[tuple[int, ...], None] = {}
    for node in graph.nodes:
        if node.op == "transpose":
            perm = tuple(perm_of(node))
            found.setdefault(tuple(inverse(perm)))
            found.setdefault(perm)
    return list(found)


def _rewrite(graph: Graph, choice: LayoutChoice, nodes: Sequence[Node]) -> int:
    """Gives the nodes their permuted form, between transposes that simplify_movement then removes."""
    editor = Editor(graph)
    forms: dict[tuple[Value, Perm], Value] = {}
    perms = {n: _perms_around(n, choice) for n in nodes}  # before any value is replaced
    for node in nodes:
        before, after = perms[node]
        if node in choice.flattens:
            permute_flatten(editor, node, before, _form(editor, node.inputs[0], before, node, forms))
            editor.rewrites += 1
            continue
        rule = choice.rules[node]
        inputs = list(node.inputs)
        for i in rule.data:
            inputs[i] = _form(editor, inputs[i], before, node, forms)
        for i, array in rule.params.items():
            inputs.extend([None] * (i + 1 - len(inputs)))
            inputs[i] = editor.const(array, f"{node.name}.{i}")
        results = editor.add_all(node.op, inputs, rule.attrs, before=node, name=node.name, outputs=len(node.outputs))
        for old, new in zip(node.outputs, results, strict=True):
            if old is None:
                continue
            if rule.permutes_result:
                restored = editor.add("transpose", [new], {"perm": inverse(after)}, before=node, name=node.name)
                forms[restored, after] = new
                new = restored
            editor.replace(old, new)
        editor.remove(node)
        editor.rewrites += 1
    return editor.rewrites


def _perms_around(node: Node, choice: LayoutChoice) -> tuple[Perm, Perm]:
    """Returns the permutations of the operands and of the results of a node."""
    base = node.inputs[0] if node.op == "reshape" else base_value(node)
    assert base is not None
    before = choice.perms[base]
    return before, choice.perms[out(node)] if node.op == "reshape" and node in choice.rules else before


def _form(
    editor: Editor, value: Value | None, perm: Perm, node: Node, forms: dict[tuple[Value, Perm], Value]
) -> Value | None:
    """Returns transpose(value, perm), made before `node` unless it is there already."""
    if value is None:
        return None
    if (value, perm) in forms:
        return forms[value, perm]
    missing = len(perm) - len(value.shape)
    if value.const is not None:
        if value.const.size == 1 and missing:
            return value
        array = value.const.reshape([1] * missing + list(value.const.shape)).transpose(perm)
        made = editor.const(array, value.name)
    elif missing:
        if not value.shape or all(d == 1 for d in value.shape):
            return value
        shape = [1] * missing + [d if isinstance(d, int) else -1 for d in value.shape]
        wide = editor.add(
            "reshape", [value, editor.const(np.array(shape, np.int64), "shape")], {}, before=node, name=node.name
        )
        made = editor.add("transpose", [wide], {"perm": list(perm)}, before=node, name=node.name)
    else:
        move = producer(value, "transpose")
        source = None if move is None or perm_of(move) != inverse(perm) else move.inputs[0]
        made = source or editor.add("transpose", [value], {"perm": list(perm)}, before=node, name=node.name)
    forms[value, perm] = made
    return made
