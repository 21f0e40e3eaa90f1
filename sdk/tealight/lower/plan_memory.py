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
_SHUFFLES = 64


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
        if v is not None and v in owner and v.type.nbytes == result.type.nbytes and owner[v].last == i:
            return owner[v]
    return None


def lower_bound(buffers: Sequence[Buffer]) -> int:
    """Returns the most bytes alive at one time."""
    change: dict[int, int] = {}
    for b in buffers:
        change[b.first] = change.get(b.first, 0) + b.size
        change[b.last + 1] = change.get(b.last + 1, 0) - b.size
    alive = most = 0
    for t in sorted(change):
        alive += change[t]
        most = max(most, alive)
    return most


def place(buffers: Sequence[Buffer]) -> int:
    """Gives every buffer its offset and returns the size of the arena."""
    bound = lower_bound(buffers)
    keys: list[Callable[[Buffer], tuple[int, ...]]] = [
        lambda b: (-b.size, b.first),
        lambda b: (b.first, -b.size),
        lambda b: (-b.size * (b.last - b.first + 1), b.first),
        lambda b: (-(b.last - b.first), -b.size),
        lambda b: (b.last, -b.size),
    ]
    best: tuple[int, list[int]] | None = None

    def attempt(order: list[Buffer]) -> bool:
        nonlocal best
        total = _place_in_order(order)
        if best is None or total < best[0]:
            best = (total, [b.offset for b in buffers])
            return True
        return False

    order = list(buffers)
    for key in keys:
        candidate = sorted(buffers, key=key)
        if attempt(candidate):
            order = candidate
    # Small disturbances of the best order; the generator is seeded, so that the same graph gives the same plan.
    chance = random.Random(len(buffers))
    tries = _SHUFFLES if len(buffers) < 400 else 0
    for _ in range(tries):
        if best is not None and best[0] == bound:
            break
        candidate = list(order)
        for _ in range(chance.randint(1, 3)):
            moved = candidate.pop(chance.randrange(len(candidate)))
            candidate.insert(chance.randrange(len(candidate) + 1), moved)
        if attempt(candidate):
            order = candidate
    if best is None:
        return 0
    for b, offset in zip(buffers, best[1], strict=True):
        b.offset = offset
    return best[0]


def _place_in_order(order: Sequence[Buffer]) -> int:
    """Puts each buffer into the tightest gap among those already placed that live at the same time."""
    placed: list[Buffer] = []  # by offset
    total = 0
    for b in order:
        at, best, best_gap = 0, -1, -1
        for other in placed:
            if other.first > b.last or other.last < b.first:
                continue
            gap = other.offset - at
            if gap >= b.size and (best < 0 or gap < best_gap):
                best, best_gap = at, gap
            at = max(at, other.offset + other.size)
        b.offset = best if best >= 0 else at
        total = max(total, b.offset + b.size)
        low, high = 0, len(placed)
        while low < high:
            middle = (low + high) // 2
            low, high = (middle + 1, high) if placed[middle].offset <= b.offset else (low, middle)
        placed.insert(low, b)
    return total
