# SPDX-License-Identifier: Apache-2.0
"""Shortens chains of transpose and reshape to at most one transpose."""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Sequence

import numpy as np

from tealight.ir.graph import Graph, Node, Value
from tealight.ir.types import Dim
from tealight.passes._editor import Editor, out
from tealight.passes._manager import Options
from tealight.passes._permute import works_permuted


def simplify_movement(graph: Graph, options: Options) -> int:
    """Rewrites each chain of transpose and reshape as reshape, transpose, reshape, or less.

    Given:
        %a = transpose(%x: float32[1, 8, 8, 6], perm=[0, 3, 1, 2]); %b = reshape(%a, const [1, 2, 3, 8, 8])
        %c = transpose(%b, perm=[0, 2, 1, 3, 4]); %d = reshape(%c, const [1, 6, 8, 8])
        %y = transpose(%d, perm=[0, 2, 3, 1])                                       # a channel shuffle
    Result:
        %a = reshape(%x, const [64, 2, 3]); %b = transpose(%a, perm=[0, 2, 1]); %y = reshape(%b, const [1, 8, 8, 6])
    Keeps:
        The number of elements moved never grows; a transpose that moves only dims of size one becomes a reshape.
    """
    editor = Editor(graph)
    for node in editor.nodes():
        if node.op in ("transpose", "reshape") and node.inputs[0] is not None:
            _shorten(editor, node)
    return editor.rewrites


@dataclasses.dataclass
class _Plan:
    """How to get from `source` to the result: an optional reshape, an optional transpose, an optional reshape."""

    source: Value
    first: list[Dim] | None
    perm: list[int] | None
    last: bool

    @property
    def cost(self) -> tuple[int, int]:
        """Transposes, then reshapes."""
        return int(self.perm is not None), int(self.first is not None) + int(self.last)


def _shorten(editor: Editor, end: Node) -> None:
    best: _Plan | None = None
    old = [0, 0]
    nodes: list[Node] = []
    private, node = True, end
    while True:
        nodes.insert(0, node)
        if private:
            old[0 if node.op == "transpose" else 1] += 1
        plan = _plan(nodes, out(end))
        if plan is not None and not _expressible(plan, out(end)):
            plan = None
        if plan is not None and (plan.cost < tuple(old) or _reordered(plan, nodes, tuple(old), private)):
            best = plan if best is None or plan.cost <= best.cost else best
        source = node.inputs[0]
        if source is None or source.producer is None or source.producer.op not in ("transpose", "reshape"):
            break
        private = private and editor.only_user(source) is node
        node = source.producer
    if best is not None:
        _apply(editor, end, best)


def _expressible(plan: _Plan, result: Value) -> bool:
    """Whether the plan's reshapes can be written with constants."""
    return all(reshape_target(to, source) is not None for to, source in _reshapes(plan, result))


def _reshapes(plan: _Plan, result: Value) -> list[tuple[Sequence[Dim], Sequence[Dim]]]:
    """Returns (to, from) of each reshape of a plan."""
    first = tuple(plan.source.shape if plan.first is None else plan.first)
    moved = first if plan.perm is None else tuple(first[p] for p in plan.perm)
    pairs: list[tuple[Sequence[Dim], Sequence[Dim]]] = []
    if plan.first is not None:
        pairs.append((plan.first, tuple(plan.source.shape)))
    return [*pairs, (result.shape, moved)] if plan.last else pairs


def _reordered(plan: _Plan, nodes: Sequence[Node], old: tuple[int, ...], private: bool) -> bool:
    """Whether a plan puts the transpose of reshape + transpose on the side where it may meet others."""
    if not private or len(nodes) != 2 or plan.cost != (1, 1) or old != (1, 1):
        return False
    return nodes[0].op == ("transpose" if plan.first is not None else "reshape")


def _apply(editor: Editor, end: Node, plan: _Plan) -> None:
    result, value = out(end), plan.source
    if plan.cost == (0, 0) and not editor.can_replace(result, value):
        return
    if plan.first is not None:
        value = reshaped(editor, value, plan.first, before=end)
    if plan.perm is not None:
        value = editor.add("transpose", [value], {"perm": plan.perm}, before=end, name=end.name)
    if plan.last:
        value = reshaped(editor, value, result.shape, before=end)
    editor.swap(end, value)


def reshaped(editor: Editor, value: Value, shape: Sequence[Dim], *, before: Node) -> Value:
    """Adds a reshape, which reshape_target() must be able to say; the result has exactly this shape."""
    target = reshape_target(shape, value.shape)
    assert target is not None
    result = editor.add("reshape", [value, editor.const(target, "shape")], {}, before=before, name=before.name)
    result.type = dataclasses.replace(result.type, shape=tuple(shape))
    return result


def reshape_target(shape: Sequence[Dim], source: Sequence[Dim]) -> np.ndarray | None:
    """Returns the operand of a reshape (allow_zero off) from one shape to another; None when no constant says it.

    Of several open dims, those that the source has at the same place become 0 (copied), one other becomes -1.
    """
    if 0 in shape:
        return None
    target = [d if isinstance(d, int) else -1 for d in shape]
    if target.count(-1) > 1:
        target = [0 if t < 0 and source[i : i + 1] == (shape[i],) else t for i, t in enumerate(target)]
    return np.array(target, np.int64) if target.count(-1) <= 1 else None


class _Atom:
    """A factor of a dim that no reshape of the chain cuts through."""

    def __init__(self, size: Dim) -> None:
        self.size = size


def _plan(nodes: Sequence[Node], result: Value) -> _Plan | None:
    """Follows the factors of the dims through a chain; None when a reshape cuts across them."""
    source = nodes[0].inputs[0]
    assert source is not None
    if any(d == 0 for d in (*source.shape, *result.shape)):
        return None
    dims: list[list[_Atom]] = [[] if d == 1 else [_Atom(d)] for d in source.shape]
    order = [a for d in dims for a in d]
    for node in nodes:
        if node.op == "transpose":
            dims = [dims[int(p)] for p in node.attrs["perm"]]
        else:
            regrouped = _regroup([a for d in dims for a in d], order, out(node).shape)
            if regrouped is None:
                return None
            dims = regrouped
    final = [a for d in dims for a in d]
    if final == order:
        same = _same(source.shape, result.shape)
        return _Plan(source, None, None, last=not same)
    return _with_transpose(source, order, final, result)


def _with_transpose(source: Value, order: list[_Atom], final: list[_Atom], result: Value) -> _Plan | None:
    """Plans around one transpose; as few dims as possible unless that would need a reshape."""
    if len(source.shape) == len(result.shape):
        perm = _direct_perm(source.shape, order, final, result.shape)
        if perm is not None:
            return _Plan(source, None, perm, last=False)
    early, late = _early(source, order, final), _late(source, order, final, result)
    best = early or late if works_permuted(source.producer) else late or early
    if best is not None:
        return best
    position = {a: i for i, a in enumerate(order)}
    groups: list[list[_Atom]] = []
    for a in final:
        if groups and position[a] == position[groups[-1][-1]] + 1:
            groups[-1].append(a)
        else:
            groups.append([a])
    by_source = sorted(groups, key=lambda g: position[g[0]])
    perm = [by_source.index(g) for g in groups]
    first: list[Dim] = [_product(g) for g in by_source]
    moved: list[Dim] = [_product(g) for g in groups]
    need_first, need_last = not _same(first, source.shape), not _same(moved, result.shape)
    return _Plan(source, first if need_first else None, perm, last=need_last)


def _runs(shape: Sequence[Dim], atoms: list[_Atom]) -> list[list[_Atom]]:
    """Deals atoms, in order, to the dims they make up; dims of size one get none."""
    runs, i = [], 0
    for d in shape:
        run: list[_Atom] = []
        while d != 1 and i < len(atoms) and not (run and _product(run) == d):
            run.append(atoms[i])
            i += 1
        runs.append(run)
    return runs


def _order_of(runs: list[list[_Atom]], atoms: list[_Atom]) -> list[int] | None:
    """Returns the order of the runs in a sequence of atoms, runs without atoms first; None when one is torn apart."""
    position = {a: i for i, a in enumerate(atoms)}
    for run in runs:
        if any(position[b] != position[a] + 1 for a, b in itertools.pairwise(run)):
            return None
    return sorted(range(len(runs)), key=lambda k: position[runs[k][0]] if runs[k] else -1)


def _early(source: Value, order: list[_Atom], final: list[_Atom]) -> _Plan | None:
    """Plans a transpose of the source, then a reshape."""
    perm = _order_of(_runs(source.shape, order), final)
    return None if perm is None else _Plan(source, None, perm, last=True)


def _late(source: Value, order: list[_Atom], final: list[_Atom], result: Value) -> _Plan | None:
    """Plans a reshape of the source, then a transpose to the result."""
    back = _order_of(_runs(result.shape, final), order)
    if back is None:
        return None
    first = [result.shape[k] for k in back]
    return _Plan(source, first, [back.index(k) for k in range(len(back))], last=False)


def _direct_perm(
    source: Sequence[Dim], order: list[_Atom], final: list[_Atom], result: Sequence[Dim]
) -> list[int] | None:
    """Returns the perm when one transpose of the source, without any reshape, gives the result."""
    starts = _runs(source, order)
    used: list[int] = []
    j = 0
    for d in result:
        k = next(
            (
                k
                for k, run in enumerate(starts)
                if k not in used and _same([source[k]], [d]) and run == final[j : j + len(run)]
            ),
            None,
        )
        if k is None:
            return None
        used.append(k)
        j += len(starts[k])
    return used


def induced_perm(old: Sequence[Dim], new: Sequence[Dim], perm: Sequence[int]) -> list[int] | None:
    """Returns q such that reshape(transpose(x, perm)) equals transpose(reshape(x), q) for a reshape from old to new.

    None when the permuted dims do not make up the new ones. Dims of size one come first.
    """
    if any(d == 0 for d in (*old, *new)):
        return None
    order = [_Atom(d) for d in old if d != 1]
    groups = _regroup(list(order), order, new)
    if groups is None:
        return None
    runs = _runs(old, order)
    return _order_of(_runs(new, order), [a for p in perm for a in runs[p]])


def _product(atoms: Sequence[_Atom]) -> Dim:
    symbols = [a.size for a in atoms if isinstance(a.size, str)]
    number = math.prod(a.size for a in atoms if isinstance(a.size, int))
    if not symbols:
        return number
    return symbols[0] if number == 1 and len(symbols) == 1 else "*".join(["?", str(number), *symbols])


def _same(a: Sequence[Dim], b: Sequence[Dim]) -> bool:
    return list(a) == list(b)


def _regroup(atoms: list[_Atom], order: list[_Atom], shape: Sequence[Dim]) -> list[list[_Atom]] | None:
    """Deals the atoms, in order, to the dims of a shape; splits atoms (in `order` too) where a dim cuts them."""
    rest = list(atoms)
    groups: list[list[_Atom]] = []
    for i, d in enumerate(shape):
        group = _take(rest, order, d, front=True)
        if group is None:  # a symbol that is no single atom: deal from the back, it gets what is left
            back: list[list[_Atom]] = []
            for e in reversed(shape[i + 1 :]):
                tail = _take(rest, order, e, front=False)
                if tail is None:
                    return None
                back.insert(0, tail)
            return [*groups, rest, *back] if isinstance(d, str) else None
        groups.append(group)
    return groups if not rest else None


def _take(rest: list[_Atom], order: list[_Atom], d: Dim, *, front: bool) -> list[_Atom] | None:
    """Removes from one end of `rest` the atoms that make a dim of size d."""
    if isinstance(d, str):
        i = 0 if front else -1
        return [rest.pop(i)] if rest and rest[i].size == d else None
    group: list[_Atom] = []
    while d > 1:
        if not rest or not isinstance(size := rest[0 if front else -1].size, int):
            return None
        if d % size == 0:
            d //= size
        elif size % d == 0:
            _split(rest, order, d if front else size // d, front=front)
            d = 1
        else:
            return None
        group.insert(len(group) if front else 0, rest.pop(0 if front else -1))
    return group


def _split(rest: list[_Atom], order: list[_Atom], outer: int, *, front: bool) -> None:
    """Splits the atom at one end into [outer, size / outer]."""
    i = 0 if front else len(rest) - 1
    atom = rest[i]
    assert isinstance(atom.size, int)
    left, right = _Atom(outer), _Atom(atom.size // outer)
    rest[i : i + 1] = [left, right]
    j = order.index(atom)
    order[j : j + 1] = [left, right]
