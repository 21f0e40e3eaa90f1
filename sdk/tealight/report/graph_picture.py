# SPDX-License-Identifier: Apache-2.0
"""The graph beside the table of instructions: every value is a line in a lane, down to its last use."""

from __future__ import annotations

import dataclasses
import html
from collections.abc import Sequence

from tealight.report.summary import Row

#: Height of a table row, distance of lanes, and how many are drawn side by side.
ROW_HEIGHT = 28
_LANE = 13
_MOST = 16


@dataclasses.dataclass(frozen=True)
class Step:
    """What is drawn beside one instruction; numbers are lanes.

    Attributes:
        node: Of the instruction's mark.
        through: Values that pass by.
        ends: Operands that are read for the last time.
        branches: Operands that are read again later.
        starts: Results that are read later, or outputs.
    """

    node: int
    through: tuple[int, ...]
    ends: tuple[int, ...]
    branches: tuple[int, ...]
    starts: tuple[int, ...]


def steps(rows: Sequence[Row]) -> list[Step]:
    """Returns the picture of each row."""
    last: dict[int, int] = {}
    for k, row in enumerate(rows):
        for t in (*row.makes, *row.reads):
            last[t] = k
    lanes: dict[int, int] = {}  # of the values that are alive
    result = []
    for k, row in enumerate(rows):
        for t in row.reads:
            if t not in lanes:  # an input of the program
                lanes[t] = _free(lanes)
        alive = dict(lanes)
        ends = tuple(lanes[t] for t in row.reads if last[t] == k)
        branches = tuple(lanes[t] for t in row.reads if last[t] > k)
        for t in row.reads:
            if last[t] == k:
                del lanes[t]
        node = ends[0] if ends else _free(lanes)
        starts = []
        for t in row.makes:
            if last[t] > k:
                lanes[t] = node if node not in lanes.values() else _free(lanes)
                starts.append(lanes[t])
        through = tuple(sorted(lane for t, lane in alive.items() if t not in row.reads))
        result.append(Step(node, through, ends, branches, tuple(starts)))
    return result


def _free(lanes: dict[int, int]) -> int:
    used = set(lanes.values())
    return next(i for i in range(len(used) + 1) if i not in used)


def width(found: Sequence[Step]) -> int:
    """Returns how wide the pictures are."""
    lanes = [lane for s in found for lane in (s.node, *s.through, *s.ends, *s.branches, *s.starts)]
    return (min(max(lanes, default=0), _MOST) + 1) * _LANE + 4


def svg(step: Step, colour: str, title: str, wide: int) -> str:
    """Returns the picture of one row."""
    h, x = ROW_HEIGHT, _x(step.node)
    paths = [f"M{_x(i)} 0V{h}" for i in (*step.through, *step.branches)]
    paths += [_curve(_x(i), 0, x, h // 2) for i in (*step.ends, *step.branches)]
    paths += [_curve(x, h // 2, _x(i), h) for i in step.starts]
    lines = f"<path class='e' d='{''.join(paths)}'/>" if paths else ""
    mark = (
        f"<circle cx='{x}' cy='{h // 2}' r='5' fill='{colour}'><title>{html.escape(title, quote=True)}</title></circle>"
    )
    return f"<svg class='g' width='{wide}' height='{h}' viewBox='0 0 {wide} {h}'>{lines}{mark}</svg>"


def _x(lane: int) -> int:
    return min(lane, _MOST) * _LANE + 8


def _curve(x: int, y: int, to_x: int, to_y: int) -> str:
    if x == to_x:
        return f"M{x} {y}V{to_y}"
    middle = (y + to_y) // 2
    return f"M{x} {y}C{x} {middle} {to_x} {middle} {to_x} {to_y}"
