# SPDX-License-Identifier: Apache-2.0
"""What differs between two bundles: sizes, memory, where they come from, instructions and weights."""

from __future__ import annotations

import dataclasses
import os
from typing import Any

from tealight.bundle import reader
from tealight.bundle.format import Bundle, Instruction, Program
from tealight.ir.types import Layout
from tealight.report.summary import Summary, fused_text, summarize, tensor_type
from tealight.report.tables import count_text, size_text


@dataclasses.dataclass(frozen=True)
class Fact:
    """One property of both bundles, as text; ratio: second over first, of numbers."""

    name: str
    before: str
    after: str
    ratio: float | None = None


@dataclasses.dataclass(frozen=True)
class Change:
    """An instruction that only one bundle has, or that differs: how each has it (empty: not at all)."""

    name: str
    before: str
    after: str


@dataclasses.dataclass
class Diff:
    """The difference of two bundles.

    Attributes:
        before: File of the first one.
        after: File of the second one.
        facts: Every property, also equal ones.
        instructions: Those that differ, in order of execution; name: of the value that they compute.
        weights: Constants of instructions that differ, in bytes or in how they are stored; name: as above.
        same_instructions: How many are equal.
    """

    before: str
    after: str
    facts: list[Fact]
    instructions: list[Change]
    weights: list[Change]
    same_instructions: int

    @property
    def is_empty(self) -> bool:
        """Whether the bundles compute the same with the same weights."""
        return not self.instructions and not self.weights

    def to_json(self) -> dict[str, Any]:
        """Returns plain dicts and lists."""
        return dataclasses.asdict(self)


def diff(before: str | os.PathLike[str], after: str | os.PathLike[str]) -> Diff:
    """Compares two bundles; instructions are matched by the name of the value that they compute.

    Raises:
        BundleError: A file is no valid bundle.
    """
    bundles = [reader.read_bundle(path) for path in (before, after)]
    summaries = [summarize(path) for path in (before, after)]
    sides = [_Side(b) for b in bundles]
    names = _merged(list(sides[0].instructions), list(sides[1].instructions))
    instructions, same = [], 0
    for name in names:
        texts = [s.instructions.get(name, "") for s in sides]
        if texts[0] == texts[1]:
            same += 1
        else:
            instructions.append(Change(name, *texts))
    weights = []
    for name in names:
        (x, old), (y, new) = (s.weights.get(name, ("", b"")) for s in sides)
        if (x, old) != (y, new):
            weights.append(Change(name, x, f"{y}, other values" if x == y else y))
    files = [os.path.basename(os.fspath(path)) for path in (before, after)]
    return Diff(files[0], files[1], _facts(summaries), instructions, weights, same)


def _merged(a: list[str], b: list[str]) -> list[str]:
    """Returns the names of both, in the order of b; what only a has stands behind its forerunner in a."""
    result, known = list(b), set(b)
    for i, name in enumerate(a):
        if name not in known:
            at = result.index(a[i - 1]) + 1 if i and a[i - 1] in known else 0
            result.insert(at, name)
            known.add(name)
    return result


class _Side:
    """The first entry point of a bundle: texts by the name of the first result of each instruction.

    Attributes:
        instructions: What is done.
        weights: How its constants are stored, and their bytes.
    """

    def __init__(self, bundle: Bundle) -> None:
        program = bundle.programs[bundle.entry_points[0][1]]
        self.instructions: dict[str, str] = {}
        self.weights: dict[str, tuple[str, bytes]] = {}
        for i, step in enumerate(program.instructions):
            made = [t for t in step.outputs if t >= 0]
            name = program.tensors[made[0]].name if made else f"{step.op} {i}"
            self.instructions[name] = _instruction(program, step)
            constants = [program.tensors[t] for t in step.inputs if t >= 0 and program.tensors[t].constant >= 0]
            text = ", ".join(
                f"{t.dtype.label} {size_text(int(bundle.constants[t.constant].nbytes))}"
                + ("" if t.layout is Layout.PLAIN else f" {t.layout.name.lower()}")
                for t in constants
            )
            self.weights[name] = text, b"".join(bundle.constants[t.constant].tobytes() for t in constants)


def _instruction(program: Program, step: Instruction) -> str:
    types = " ".join(str(tensor_type(program, program.tensors[t])) for t in step.outputs if t >= 0)
    fused = fused_text(step)
    place = "" if step.backend == "cpu" else f" on {step.backend}"
    return f"{step.op}{f' ({fused})' if fused else ''}{place}: {types}"


def _facts(summaries: list[Summary]) -> list[Fact]:
    a, b = summaries
    rows = [
        _number("file", a.file_bytes, b.file_bytes),
        _number("weights", a.weights_bytes, b.weights_bytes),
    ]
    first, second = a.programs[0], b.programs[0]
    if first.is_static and second.is_static:
        rows.append(_number("arena", first.arena_bytes, second.arena_bytes))
        rows.append(_number("multiply-adds", first.macs, second.macs, count_text))
    else:
        rows.append(Fact("arena", _planned(first.is_static), _planned(second.is_static)))
    rows.append(_number("instructions", len(first.rows), len(second.rows), str))
    rows.append(_number("of these on integers", _integer(first.rows), _integer(second.rows), str))
    for key in dict.fromkeys((*a.provenance, *b.provenance)):
        rows.append(Fact(key.replace("_", " "), str(a.provenance.get(key, "")), str(b.provenance.get(key, ""))))
    for kind, ends in (("input", (first.inputs, second.inputs)), ("output", (first.outputs, second.outputs))):
        rows += [Fact(kind, x, y) for x, y in zip(*ends, strict=False) if x != y]
    return rows


def _planned(static: bool) -> str:
    return "fixed" if static else "decided at run time"


def _integer(rows: Any) -> int:
    return sum(all(t.startswith(("int8", "uint8")) for t in r.outputs) for r in rows)


def _number(name: str, a: int, b: int, text: Any = size_text) -> Fact:
    return Fact(name, text(a), text(b), b / a if a else None)
