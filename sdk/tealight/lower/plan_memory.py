# SPDX-License-Identifier: Apache-2.0
"""Where each activation of a static program lies in the arena.

Values become buffers: a reshape shares its operand's buffer, an op that may work in place takes over the buffer of an
operand that dies there. Buffers that are alive at the same time may not overlap; several greedy orders are tried and
the smallest arena is kept. Program inputs and constants have no place here: they are the caller's and the file's.
"""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Callable, Sequence

from tealight import ops
from tealight.ir.graph import Graph, Node, Value

ALIGN = 64
#: Ops whose result has the bytes of operand 0.
ALIASES = ("reshape",)
_TRIES = 300  # of the search for a better order
_TRY_WORK = 4_000_000  # pairs of buffers that it may look at


@dataclasses.dataclass
class Buffer:
    """A span of the arena.

    Attributes:
        size: Bytes, a multiple of 64.
        first: Index of the node that fills it.
        last: Index of the last node that needs it.
        offset: Its place, set by the planner.
    """

    size: int
    first: int
    last: int
    offset: int = 0


@dataclasses.dataclass
class MemoryPlan:
    """The result.

    Attributes:
        offsets: Arena offset of each value.
        arena_bytes: Size of the arena.
        lower_bound: The most bytes alive at one time; no plan can be smaller.
    """

    offsets: dict[Value, int]
    arena_bytes: int
    lower_bound: int


def plan_memory(graph: Graph) -> MemoryPlan:
    """Plans the arena of a graph whose shapes are all fixed."""
    best: MemoryPlan | None = None
    for in_place in (True, False):
        buffers, owner = lifetimes(graph, in_place=in_place)
        total = place(buffers)
        plan = MemoryPlan({v: b.offset for v, b in owner.items()}, total, lower_bound(buffers))
        if best is None or plan.arena_bytes < best.arena_bytes:
            best = plan
        if best.arena_bytes == best.lower_bound:
            break
    assert best is not None
    return best


def lifetimes(graph: Graph, *, in_place: bool = True) -> tuple[list[Buffer], dict[Value, Buffer]]:
    """Returns the buffers and the buffer of each computed value."""
    end = len(graph.nodes)
    last: dict[Value, int] = {}
    for i, node in enumerate(graph.nodes):
        for v in node.inputs:
            if v is not None:
                last[v] = i
    last.update((v, end) for v in graph.outputs)
    buffers: list[Buffer] = []
    owner: dict[Value, Buffer] = {}
    for i, node in enumerate(graph.nodes):
        for j, v in enumerate(node.outputs):
            if v is None:
                continue
            size = -(-v.type.nbytes // ALIGN) * ALIGN
            shared = _shared(node, v, i, owner, in_place) if j == 0 else None
            if shared is None:
                shared = Buffer(size, i, i)
                buffers.append(shared)
            owner[v] = shared
            shared.last = max(shared.last, last.get(v, i))
    return buffers, owner


def _shared(node: Node, result: Value, i: int, owner: dict[Value, Buffer], in_place: bool) -> Buffer | None:
    """Returns the buffer of an operand that result 0 can live in."""
    if node.op in ALIASES:
        source = node.input(0)
        return owner.get(source) if source is not None and source.type.nbytes == result.type.nbytes else None
    if not in_place or not ops.get(node.op).in_place:
        return None
    for v in node.inputs:
        if v is not None and v in owner and _same_elements(v, result) and owner[v].last == i:
            return owner[v]
    return None


def _same_elements(a: Value, b: Value) -> bool:
    """Whether element i of both lies at the same place; equal bytes do not say so: float32[1, 16] and bool[4, 16]."""
    return a.type.elements == b.type.elements and a.dtype.size == b.dtype.size


def lower_bound(buffers: Sequence[Buffer]) -> int:
    """Returns the most bytes alive at one time."""
    return busiest(buffers)[0]


def busiest(buffers: Sequence[Buffer]) -> tuple[int, int]:
    """Returns the most bytes alive at one time, and the first node where that is so."""
    change: dict[int, int] = {}
    for b in buffers:
        change[b.first] = change.get(b.first, 0) + b.size
        change[b.last + 1] = change.get(b.last + 1, 0) - b.size
    alive = most = node = 0
    for t in sorted(change):
        alive += change[t]
        if alive > most:
            most, node = alive, t
    return most, node


def place(buffers: Sequence[Buffer]) -> int:
    """Gives every buffer its offset and returns the size of the arena."""
    search = _Search(buffers)
    total = search.run()
    for b, offset in zip(buffers, search.offsets, strict=True):
        b.offset = offset
    return total


class _Search:
    """Tries orders of placement and keeps the best.

    Attributes:
        offsets: The best plan so far, by index of the buffer.
        total: Its arena.
    """

    def __init__(self, buffers: Sequence[Buffer]) -> None:
        self.buffers = buffers
        self.sizes = [b.size for b in buffers]
        self.neighbours = _neighbours(buffers)
        self.offsets = [0] * len(buffers)
        self.total = -1

    def run(self) -> int:
        """Returns the smallest arena found; stops at the lower bound."""
        b = self.buffers
        bound, peak = busiest(b)

        def idle(i: int) -> bool:
            """Whether a buffer is not needed at the busiest time."""
            return not b[i].first <= peak <= b[i].last

        keys: list[Callable[[int], tuple[int, ...]]] = [
            lambda i: (-b[i].size, b[i].first),
            lambda i: (b[i].first, -b[i].size),
            lambda i: (-b[i].size * (b[i].last - b[i].first + 1), b[i].first),
            lambda i: (-(b[i].last - b[i].first), -b[i].size),
            lambda i: (b[i].last, -b[i].size),
            # What lives at the busiest time is packed without gaps, in orders that suit what comes before and after.
            lambda i: (idle(i), -(b[i].last - b[i].first), -b[i].size),
            lambda i: (idle(i), b[i].first, -b[i].size),
            lambda i: (idle(i), -b[i].last, -b[i].size),
            lambda i: (idle(i), -b[i].size, b[i].first),
        ]
        best_order = list(range(len(b)))
        for key in keys:
            order = sorted(range(len(b)), key=key)
            if self.attempt(order):
                best_order = order
        pairs = sum(map(len, self.neighbours)) + len(b)
        self.improve(best_order, bound, min(_TRIES, _TRY_WORK // (pairs + 1)))
        return self.total

    def attempt(self, order: Sequence[int]) -> bool:
        """Places in this order; keeps the plan when it is better than the best."""
        total, offsets = self.place(order)
        if 0 <= self.total <= total:
            return False
        self.total, self.offsets = total, offsets
        return True

    def improve(self, order: list[int], bound: int, tries: int) -> None:
        """Looks for a better order by disturbing it; seeded, so that the same graph gives the same plan."""
        chance = random.Random(len(order))
        for i in range(tries):
            if self.total <= bound:
                return
            if i % 2:
                weights = [-size * chance.random() for size in self.sizes]
                candidate = sorted(order, key=weights.__getitem__)
            else:
                top = max(order, key=lambda j: self.offsets[j] + self.sizes[j])
                moved = chance.choice([top, *self.neighbours[top]])
                candidate = [j for j in order if j != moved]
                candidate.insert(chance.randrange(len(candidate) + 1), moved)
            if self.attempt(candidate):
                order = candidate

    def place(self, order: Sequence[int]) -> tuple[int, list[int]]:
        """Puts each buffer into the tightest gap among those already placed that live at the same time."""
        offsets = [-1] * len(self.sizes)
        sizes = self.sizes
        total = 0
        for i in order:
            size = sizes[i]
            at, best, best_gap = 0, -1, -1
            for begin, j in sorted([(offsets[j], j) for j in self.neighbours[i] if offsets[j] >= 0]):
                gap = begin - at
                if gap >= size and (best < 0 or gap < best_gap):
                    best, best_gap = at, gap
                at = max(at, begin + sizes[j])
            offsets[i] = best if best >= 0 else at
            total = max(total, offsets[i] + size)
        return total, offsets


def _neighbours(buffers: Sequence[Buffer]) -> list[list[int]]:
    """Returns for each buffer those that are alive with it at some time; empty buffers have none."""
    result: list[list[int]] = [[] for _ in buffers]
    alive: list[int] = []
    for i in sorted((i for i, b in enumerate(buffers) if b.size), key=lambda i: buffers[i].first):
        alive = [j for j in alive if buffers[j].last >= buffers[i].first]
        for j in alive:
            result[i].append(j)
            result[j].append(i)
        alive.append(i)
    return result
