# SPDX-License-Identifier: Apache-2.0
"""Chooses the order of dims for every value at once, so that the fewest bytes are transposed."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from tealight.ir.graph import Graph, Node, Value
from tealight.ir.types import Dim
from tealight.passes._editor import Editor, producer
from tealight.passes._manager import Options
from tealight.passes._min_cut import INFINITE, MinCut
from tealight.passes._permute import Permuted, permuted
from tealight.passes.permute_flatten_weights import flatten_users, permute_flatten
from tealight.passes.remove_dead_code import remove_dead_code
from tealight.passes.simplify_movement import simplify_movement

_ROUNDS = 24  # each round lowers the cost; more than a few are never needed
_NODE_BYTES = 256  # what a transpose costs beside its bytes
_UNKNOWN_DIM = 64  # stands for a dim that is not fixed when bytes are counted


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
            saved, nodes = _Chooser(graph, perm).choose()
            if saved > 0 and (best is None or saved > best[0]):
                best = saved, perm, nodes
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


def perm_of(node: Node) -> list[int]:
    """Returns the permutation of a transpose."""
    return [int(p) for p in node.attrs["perm"]]


def inverse(perm: Sequence[int]) -> list[int]:
    """Returns the permutation that undoes another."""
    return [list(perm).index(i) for i in range(len(perm))]


def moves_memory(shape: Sequence[Dim], perm: Sequence[int]) -> bool:
    """Whether a transpose of this shape changes the order of elements: more than dims of size one move."""
    kept = [p for p in perm if shape[p] != 1]
    return kept != sorted(kept)


def _cost(value: Value, perm: Sequence[int], rank: int | None = None) -> int:
    """Bytes to permute a value (of lower rank: after leading dims of size one)."""
    shape = [1] * ((rank or len(value.shape)) - len(value.shape)) + list(value.shape)
    if value.is_const or not moves_memory(shape, perm):
        return 0
    return math.prod(d if isinstance(d, int) else _UNKNOWN_DIM for d in shape) * value.dtype.size + _NODE_BYTES


class _Chooser:
    """The minimum cut for one permutation: the source's side is plain, the sink's side is permuted."""

    def __init__(self, graph: Graph, perm: tuple[int, ...]) -> None:
        self.graph, self.perm, self.inverse = graph, perm, inverse(perm)
        self.editor = Editor(graph)
        self.rules: dict[Node, Permuted] = {}
        self.flattens: set[Node] = set()
        for node in graph.nodes:
            if node.op == "reshape":
                if node.inputs[0] is not None and len(node.inputs[0].shape) == len(perm):
                    if flatten_users(self.editor, node, perm) is not None:
                        self.flattens.add(node)
            elif node.op != "transpose":
                rule = permuted(node, perm)
                if rule is not None:
                    self.rules[node] = rule
        self.cut = MinCut()
        self.vertices = {n: self.cut.vertex() for n in self.rules}

    def choose(self) -> tuple[int, list[Node]]:
        """Returns the bytes saved against all plain, and the nodes to permute in graph order."""
        plain = 0
        for value in self.graph.values():
            if len(value.shape) == len(self.perm):
                plain += self._value(value)
            else:
                self._short_value(value)
        cost, sink_side = self.cut.solve()
        chosen = [n for n in self.graph.nodes if n in self.vertices and self.vertices[n] in sink_side]
        chosen += [n for n in self.flattens if self._permuted_after(n.inputs[0], chosen)]
        return plain - cost, chosen

    def _permuted_after(self, value: Value | None, chosen: list[Node]) -> bool:
        """Whether a value will exist in permuted form: the flatten that reads it should take that."""
        if value is None:
            return False
        move = producer(value, "transpose")
        return value.producer in chosen or (move is not None and perm_of(move) == self.inverse)

    def _demands(self, value: Value) -> tuple[list[int], bool, bool]:
        """Returns the vertices that read a value, and whether anything surely reads it plain / permuted."""
        vertices, plain, moved = [], self.editor.is_output(value), False
        for user in dict.fromkeys(self.editor.users(value)):
            if user in self.rules:
                slots = [i for i, v in enumerate(user.inputs) if v is value]
                if all(i in self.rules[user].data for i in slots):
                    vertices.append(self.vertices[user])
                    continue
                if any(i in self.rules[user].data for i in slots):
                    vertices.append(self.vertices[user])
                plain = True
            elif user in self.flattens:
                continue
            elif user.op == "transpose" and self._same_order(value, perm_of(user)):
                moved = True
            else:
                plain = True
        return vertices, plain, moved

    def _same_order(self, value: Value, perm: Sequence[int]) -> bool:
        """Whether a permutation orders the dims of a value that are not one as this one does."""
        return [p for p in perm if value.shape[p] != 1] == [p for p in self.perm if value.shape[p] != 1]

    def _value(self, value: Value) -> int:
        """Adds the costs of one value; returns what it costs when everything is plain."""
        cost = _cost(value, self.perm)
        vertices, plain, moved = self._demands(value)
        node = value.producer
        if cost == 0:
            return 0
        if node in self.rules and self.rules[node].permutes_result:
            return self._made(self.vertices[node], vertices, plain, moved, cost)
        move = producer(value, "transpose")
        free = move is not None and not self._moves(move, [perm_of(move)[p] for p in self.perm])
        flat = any(u in self.flattens for u in self.editor.users(value))
        plain = plain or (flat and move is not None and not free)
        total = 0
        if not free:  # a permuted form costs, once, when anything wants it
            if moved:
                total += cost
                self.cut.edge(self.cut.source, self.cut.sink, cost)
            else:
                self._any_permuted(vertices, cost)
        if move is not None and self._moves(
            move, perm_of(move)
        ):  # the transpose itself stays as long as anything wants it plain
            if plain:
                total += cost
                self.cut.edge(self.cut.source, self.cut.sink, cost)
            else:
                self._any_plain(vertices, cost)
                total += cost if vertices or flat else 0
        return total

    @staticmethod
    def _moves(move: Node, perm: Sequence[int]) -> bool:
        return move.inputs[0] is not None and moves_memory(move.inputs[0].shape, perm)

    def _any_permuted(self, vertices: list[int], cost: int) -> None:
        """Charges `cost` when any of the vertices is permuted."""
        if vertices:
            gate = self.cut.vertex()
            self.cut.edge(self.cut.source, gate, cost)
            for v in vertices:
                self.cut.edge(gate, v, INFINITE)

    def _any_plain(self, vertices: list[int], cost: int) -> None:
        """Charges `cost` when any of the vertices is plain."""
        if vertices:
            gate = self.cut.vertex()
            self.cut.edge(gate, self.cut.sink, cost)
            for v in vertices:
                self.cut.edge(v, gate, INFINITE)

    def _made(self, maker: int, vertices: list[int], plain: bool, moved: bool, cost: int) -> int:
        """Charges a value made by a vertex when a reader wants the other form."""
        wanted = self.cut.vertex()  # plain maker, permuted reader
        self.cut.edge(maker, wanted, cost)
        other = self.cut.vertex()  # permuted maker, plain reader
        self.cut.edge(other, maker, cost)
        for v in vertices:
            self.cut.edge(wanted, v, INFINITE)
            self.cut.edge(v, other, INFINITE)
        if moved:
            self.cut.edge(wanted, self.cut.sink, INFINITE)
        if plain:
            self.cut.edge(self.cut.source, other, INFINITE)
        return cost if moved else 0

    def _short_value(self, value: Value) -> None:
        """Charges the readers that broadcast a value of lower rank, one by one."""
        for user in dict.fromkeys(self.editor.users(value)):
            rule = self.rules.get(user)
            if rule is None or not any(user.inputs[i] is value for i in rule.data):
                continue
            if len(value.shape) < len(self.perm):
                self.cut.edge(self.cut.source, self.vertices[user], _cost(value, self.perm, len(self.perm)))


def _rewrite(graph: Graph, perm: tuple[int, ...], nodes: Sequence[Node]) -> int:
    """Gives the nodes their permuted form, between transposes that simplify_movement then removes."""
    editor = Editor(graph)
    forms: dict[Value, Value] = {}
    back = inverse(perm)
    for node in nodes:
        if node.op == "reshape":
            permute_flatten(editor, node, perm, _form(editor, node.inputs[0], perm, node, forms))
            continue
        rule = permuted(node, perm)
        assert rule is not None
        inputs = list(node.inputs)
        for i in rule.data:
            inputs[i] = _form(editor, inputs[i], perm, node, forms)
        for i, array in rule.params.items():
            inputs.extend([None] * (i + 1 - len(inputs)))
            inputs[i] = editor.const(array, f"{node.name}.{i}")
        results = editor.add_all(node.op, inputs, rule.attrs, before=node, name=node.name, outputs=len(node.outputs))
        for old, new in zip(node.outputs, results, strict=True):
            if old is None:
                continue
            if rule.permutes_result:
                restored = editor.add("transpose", [new], {"perm": back}, before=node, name=node.name)
                forms[restored] = new
                new = restored
            editor.replace(old, new)
        editor.remove(node)
        editor.rewrites += 1
    return editor.rewrites


def _form(
    editor: Editor, value: Value | None, perm: Sequence[int], node: Node, forms: dict[Value, Value]
) -> Value | None:
    """Returns transpose(value, perm), made before `node` unless it is there already."""
    if value is None:
        return None
    if value in forms:
        return forms[value]
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
    forms[value] = made
    return made
