# SPDX-License-Identifier: Apache-2.0
"""Chooses between two orders of dims for every node at once: the model behind move_transposes."""

from __future__ import annotations

import math
from collections.abc import Sequence

from tealight.ir.graph import Graph, Node, Value
from tealight.ir.types import Dim
from tealight.passes._editor import Editor, is_weight, out, producer
from tealight.passes._min_cut import INFINITE, MinCut
from tealight.passes._permute import Permuted, base_value, permuted
from tealight.passes.permute_flatten_weights import flatten_users
from tealight.passes.simplify_movement import induced_perm, reshape_target

_NODE_BYTES = 256  # what a transpose costs beside its bytes
_UNKNOWN_DIM = 64  # stands for a dim that is not fixed when bytes are counted

Perm = tuple[int, ...]


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


def permute_cost(value: Value, perm: Sequence[int]) -> int:
    """Bytes to permute a value (of lower rank: after leading dims of size one)."""
    shape = [1] * (len(perm) - len(value.shape)) + list(value.shape)
    if is_weight(value) or not moves_memory(shape, perm):
        return 0
    return math.prod(d if isinstance(d, int) else _UNKNOWN_DIM for d in shape) * value.dtype.size + _NODE_BYTES


class LayoutChoice:
    """The minimum cut for one permutation: nodes on the source's side are plain, on the sink's side permuted.

    All values with as many dims as the permutation get it; through a reshape, values of another rank get the
    permutation that it induces there, as far as one exists.
    """

    def __init__(self, graph: Graph, perm: Sequence[int]) -> None:
        self.graph = graph
        self.editor = Editor(graph)
        self.perms: dict[Value, Perm] = {v: tuple(perm) for v in graph.values() if len(v.shape) == len(perm)}
        self._spread()
        self.rules: dict[Node, Permuted] = {}
        self.flattens: set[Node] = set()
        for node in graph.nodes:
            self._add(node)
        self.cut = MinCut()
        self.vertices = {n: self.cut.vertex() for n in self.rules}

    # ---- which nodes take part ----

    def _spread(self) -> None:
        """Carries permutations across reshapes and through the nodes beyond them."""
        known = -1
        while known != len(self.perms):
            known = len(self.perms)
            for node in [*self.graph.nodes, *reversed(self.graph.nodes)]:
                x = node.inputs[0] if node.inputs else None
                if node.op == "reshape" and x is not None:
                    y = out(node)
                    if x in self.perms and y not in self.perms:
                        self._learn(y, induced_perm(x.shape, y.shape, self.perms[x]))
                    elif y in self.perms and x not in self.perms:
                        self._learn(x, induced_perm(y.shape, x.shape, self.perms[y]))
                elif node.op != "transpose":
                    self._share(node)

    def _learn(self, value: Value, perm: Sequence[int] | None) -> None:
        if perm is not None:
            self.perms[value] = tuple(perm)

    def _share(self, node: Node) -> None:
        """Gives all values of one rank around a node the same permutation."""
        base = base_value(node)
        if base is None:
            return
        alike = [v for v in (*node.inputs, *node.outputs) if v is not None and len(v.shape) == len(base.shape)]
        perm = next((self.perms[v] for v in alike if v in self.perms), None)
        if perm is not None and permuted(node, perm) is not None:
            for v in alike:
                self.perms.setdefault(v, perm)

    def _add(self, node: Node) -> None:
        """Makes a node a vertex when it can work on permuted operands."""
        if node.op == "reshape":
            self._add_reshape(node)
            return
        base = base_value(node)
        perm = None if base is None or node.op == "transpose" else self.perms.get(base)
        rule = None if perm is None else permuted(node, perm)
        if rule is None or perm is None:
            return
        alike = [node.inputs[i] for i in rule.data] + (node.outputs if rule.permutes_result else [])
        if all(v is None or len(v.shape) != len(perm) or self.perms.get(v) == perm for v in alike):
            self.rules[node] = rule

    def _add_reshape(self, node: Node) -> None:
        x, y = node.inputs[0], out(node)
        if x is None or x not in self.perms:
            return
        if flatten_users(self.editor, node, self.perms[x]) is not None:
            self.flattens.add(node)
        elif y in self.perms:
            induced = induced_perm(x.shape, y.shape, self.perms[x])
            target = reshape_target([y.shape[p] for p in self.perms[y]], tuple(x.shape[p] for p in self.perms[x]))
            if induced is not None and target is not None and same_order(y.shape, induced, self.perms[y]):
                self.rules[node] = Permuted(dict(node.attrs), (0,), {1: target})

    # ---- the cut ----

    def choose(self) -> tuple[int, list[Node]]:
        """Returns the bytes saved against all plain, and the nodes to permute in graph order."""
        plain = 0
        for value in self.graph.values():
            if value in self.perms:
                plain += self._value(value)
            self._short_value(value)
        cost, sink_side = self.cut.solve()
        chosen = {n for n, v in self.vertices.items() if v in sink_side}
        chosen |= {n for n in self.flattens if self._permuted_after(n.inputs[0], chosen)}
        return plain - cost, [n for n in self.graph.nodes if n in chosen]

    def _permuted_after(self, value: Value | None, chosen: set[Node]) -> bool:
        """Whether a value will exist in permuted form: the flatten that reads it should take that."""
        if value is None:
            return False
        move = producer(value, "transpose")
        return value.producer in chosen or (move is not None and perm_of(move) == inverse(self.perms[value]))

    def _demands(self, value: Value) -> tuple[list[int], bool, bool]:
        """Returns the vertices that read a value, and whether anything surely reads it plain / permuted."""
        vertices, plain, moved = [], self.editor.is_output(value), False
        for user in dict.fromkeys(self.editor.users(value)):
            if user in self.rules:
                slots = [i in self.rules[user].data for i, v in enumerate(user.inputs) if v is value]
                full = self._rank(user) == len(value.shape)
                if full and any(slots):
                    vertices.append(self.vertices[user])
                plain = plain or not full or not all(slots)
            elif user in self.flattens:
                continue
            elif user.op == "transpose" and same_order(value.shape, perm_of(user), self.perms[value]):
                moved = True
            elif user.op == "transpose" and moves_memory(value.shape, perm_of(user)):
                continue  # one transpose, from either form
            else:
                plain = True
        return vertices, plain, moved

    def _rank(self, node: Node) -> int:
        base = node.inputs[0] if node.op == "reshape" else base_value(node)
        return -1 if base is None else len(base.shape)

    def _value(self, value: Value) -> int:
        """Adds the costs of one value; returns what it costs when everything is plain."""
        perm = self.perms[value]
        cost = permute_cost(value, perm)
        if cost == 0:
            return 0
        vertices, plain, moved = self._demands(value)
        node = value.producer
        if node in self.rules and self.rules[node].permutes_result:
            return self._made(self.vertices[node], vertices, plain, moved, cost)
        move = producer(value, "transpose")
        free = move is not None and not _moves(move, [perm_of(move)[p] for p in perm])
        flat = any(u in self.flattens for u in self.editor.users(value))
        plain = plain or (flat and move is not None and not free)
        total = 0
        if not free:  # a permuted form costs, once, when anything wants it
            total += self._charge(moved, vertices, cost, permuted=True)
        if move is not None and _moves(move, perm_of(move)):  # the transpose stays as long as anything wants it plain
            self._charge(plain, vertices, cost, permuted=False)
            total += cost if plain or vertices or flat else 0
        return total

    def _charge(self, surely: bool, vertices: list[int], cost: int, *, permuted: bool) -> int:
        """Charges `cost` once when any of the vertices is permuted (plain); returns it when that is sure."""
        if surely:
            self.cut.edge(self.cut.source, self.cut.sink, cost)
            return cost
        if vertices:
            gate = self.cut.vertex()
            self.cut.edge(*((self.cut.source, gate) if permuted else (gate, self.cut.sink)), cost)
            for v in vertices:
                self.cut.edge(*((gate, v) if permuted else (v, gate)), INFINITE)
        return 0

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
            rule, rank = self.rules.get(user), self._rank(user)
            if rule is None or len(value.shape) >= rank or not any(user.inputs[i] is value for i in rule.data):
                continue
            base = base_value(user)
            assert base is not None
            cost = permute_cost(value, self.perms[base])
            if not value.is_const and sum(isinstance(d, str) for d in value.shape) > 1:
                cost = INFINITE
            self.cut.edge(self.cut.source, self.vertices[user], cost)


def _moves(move: Node, perm: Sequence[int]) -> bool:
    return move.inputs[0] is not None and moves_memory(move.inputs[0].shape, perm)


def same_order(shape: Sequence[Dim], a: Sequence[int], b: Sequence[int]) -> bool:
    """Whether two permutations order the dims that are not one in the same way."""
    return [p for p in a if shape[p] != 1] == [p for p in b if shape[p] != 1]
