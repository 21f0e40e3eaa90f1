# SPDX-License-Identifier: Apache-2.0
"""Cycles of a loop on a core that issues two instructions in order, after what is published of the Cortex-A55.

Rules: two issue slots a cycle, in program order. A 128-bit vector operation takes both vector pipes; a 64-bit load, an
integer operation or a move from an x register into half a vector may go beside it. A 128-bit load stops issue for two
cycles and goes beside nothing. One load and one store a cycle. Latencies: multiply-add 4 (also from accumulator to
accumulator), vector load 3, x load 2, integer 1. All loads hit the first-level cache. Not validated on hardware; LLVM's
own cortex-a55 model pairs and costs these instructions otherwise and is not usable here.
"""

from __future__ import annotations

import dataclasses
import re

_REGISTER = re.compile(r"(?<![\w.])(?:([vqdsh])(\d+)|([xw])(\d+))\b")
_WIDE = re.compile(r"\bq\d+|\.(16b|8h|4s|2d)\b")
_ACCUMULATES = (
    *("fmla", "fmls", "mla", "mls", "smlal", "smlal2", "smlsl", "smlsl2", "umlal", "umlal2", "sdot", "udot", "smmla"),
    *("sadalp", "uadalp", "bsl", "bit", "bif"),
)
_MOVES = (
    "mov",
    "dup",
    "ext",
    "zip1",
    "zip2",
    "uzp1",
    "uzp2",
    "trn1",
    "trn2",
    "movi",
    "and",
    "orr",
    "eor",
    "bic",
    "add",
)


@dataclasses.dataclass
class Operation:
    """One instruction as the model sees it.

    Attributes:
        kind: load, store, vector, insert, integer or branch.
        writes: Registers it writes, each with its latency.
        reads: Registers it waits for.
        pipes: Vector pipes it takes.
        blocks: Cycles for which nothing else issues.
        busy: Cycles for which its unit takes no other.
    """

    kind: str
    writes: dict[str, int]
    reads: list[str]
    pipes: int = 0
    blocks: int = 0
    busy: int = 1


def _registers(text: str) -> list[str]:
    return [("v" + m[2]) if m[1] else ("x" + m[4]) for m in _REGISTER.finditer(text)]


def parse(text: str) -> Operation:
    """Returns the operation of one line of assembly."""
    name, _, rest = text.strip().partition(" ")
    rest = rest.strip()
    operands = [o.strip() for o in re.split(r",(?![^\[{]*[\]}])", rest)]
    registers = [_registers(o) for o in operands]
    flat = [r for group in registers for r in group]
    if name.startswith("b.") or name in ("b", "cbz", "cbnz", "tbz", "tbnz"):
        return Operation("branch", {}, flat + (["flags"] if name.startswith("b.") else []))
    if name.startswith(("ld", "prfm")):
        return _load(name, rest, operands, registers)
    if name.startswith("st"):
        wide = bool(_WIDE.search(rest))
        return Operation("store", _written_back(operands, registers), flat, busy=2 if wide else 1)
    if not re.search(r"(?<![\w.])[vqdsh]\d", rest):
        compares = name in ("cmp", "cmn", "tst")
        writes = {} if compares else dict.fromkeys(registers[0], 1)
        if compares or name in ("subs", "adds", "ands"):
            writes["flags"] = 1
        reads = [r for group in registers[0 if compares else 1 :] for r in group]
        return Operation("integer", writes, reads + (["flags"] if name.startswith("cs") else []))
    reads = [r for group in registers[1:] for r in group]
    partial = "[" in operands[0]
    if name.startswith(_ACCUMULATES) or partial:
        reads += registers[0]
    if partial and re.match(r"[xw]\d", operands[1]):
        return Operation("insert", dict.fromkeys(registers[0], 2), reads, pipes=1)
    latency = 2 if name in _MOVES else 4
    return Operation("vector", dict.fromkeys(registers[0], latency), reads, pipes=2 if _WIDE.search(rest) else 1)


def _written_back(operands: list[str], registers: list[list[str]]) -> dict[str, int]:
    memory = next((i for i, o in enumerate(operands) if o.startswith("[")), None)
    if memory is None or not (operands[memory].endswith("!") or memory + 1 < len(operands)):
        return {}
    return {registers[memory][0]: 1}


def _load(name: str, rest: str, operands: list[str], registers: list[list[str]]) -> Operation:
    memory = next((i for i, o in enumerate(operands) if o.startswith("[")), len(operands))
    targets = [r for group in registers[:memory] for r in group]
    lane = "}[" in rest.replace(" ", "")
    wide = (bool(_WIDE.search(rest)) and not lane and not name.endswith("r")) or re.match(r"q\d", rest) is not None
    writes = {r: 3 if r[0] == "v" else 2 for r in targets if not name.startswith("prfm")}
    reads = [r for group in registers[memory:] for r in group] + (targets if lane else [])
    cycles = max(len(targets), 1) * (2 if wide else 1)
    operation = Operation("load", writes | _written_back(operands, registers), reads, busy=cycles)
    if wide:
        operation.blocks = cycles
    return operation


class _Core:
    """Issue state: the current cycle and what it has taken."""

    def __init__(self) -> None:
        self.cycle = 0
        self.ready: dict[str, int] = {}
        self.free = {"load": 0, "store": 0}
        self._open()

    def _open(self) -> None:
        self.slots, self.pipes, self.taken = 0, 0, set[str]()

    def _fits(self, op: Operation) -> bool:
        if self.slots == 2 or (op.blocks and self.slots):
            return False
        if op.kind in self.free and (op.kind in self.taken or self.free[op.kind] > self.cycle):
            return False
        # A half-vector insert goes beside a full vector operation.
        return self.pipes + op.pipes <= (3 if op.kind == "insert" or "insert" in self.taken else 2)

    def issue(self, op: Operation) -> None:
        """Advances to the first cycle in which op fits, and takes its place there."""
        at = max([self.cycle, *(self.ready.get(r, 0) for r in op.reads)])
        while at > self.cycle or not self._fits(op):
            at = max(at, self.cycle + 1) if at <= self.cycle else at
            self.cycle = at
            self._open()
        self.slots += 1
        self.pipes += op.pipes
        self.taken.add(op.kind)
        if op.kind in self.free:
            self.free[op.kind] = self.cycle + op.busy
        for register, latency in op.writes.items():
            self.ready[register] = self.cycle + latency
        if op.blocks:
            self.cycle += op.blocks
            self._open()


def cycles_per_iteration(loop: list[str], iterations: int = 40) -> float:
    """Returns the steady-state cycles of one pass through the loop's instructions."""
    core, operations = _Core(), [parse(line) for line in loop]
    marks = []
    for _ in range(iterations):
        for operation in operations:
            core.issue(operation)
        marks.append(core.cycle)
    half = iterations // 2
    return (marks[-1] - marks[half - 1]) / (iterations - half)
