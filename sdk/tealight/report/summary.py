# SPDX-License-Identifier: Apache-2.0
"""What a bundle holds, as plain data: the source of the tables, the HTML report and --json."""

from __future__ import annotations

import dataclasses
import math
import os
from collections.abc import Sequence
from typing import Any

from tealight import ops
from tealight.bundle import reader
from tealight.bundle.format import Bundle, Instruction, Program, Tensor
from tealight.ir.graph import Node, Value
from tealight.ir.types import TensorType


@dataclasses.dataclass
class Row:
    """One instruction.

    Attributes:
        index: In its program.
        op: The op.
        name: Of the source model's node.
        inputs: Type of each operand that is there and not constant.
        outputs: Type of each result.
        fused: What else it does: activation, residual, steps.
        weight_bytes: Of its constants, as stored.
        activation_bytes: Of its operands and results; None where shapes are open.
        macs: Multiply-accumulates of one run; None where shapes are open.
        placement: Backend.
        min_ns: Shortest measured time; None when it was not measured.
        reads: Tensors of the program that it reads and that are not constant, each once.
        makes: Tensors that it computes.
    """

    index: int
    op: str
    name: str
    inputs: list[str]
    outputs: list[str]
    fused: str
    weight_bytes: int
    activation_bytes: int | None
    macs: int | None
    placement: str
    min_ns: int | None = None
    reads: list[int] = dataclasses.field(default_factory=list)
    makes: list[int] = dataclasses.field(default_factory=list)


@dataclasses.dataclass
class Span:
    """A tensor's place in the arena: bytes [offset, offset + size) from instruction `first` to `last`."""

    name: str
    op: str
    offset: int
    size: int
    first: int
    last: int


@dataclasses.dataclass
class ProgramSummary:
    """A program: an entry point, or a body of control flow."""

    name: str
    is_entry: bool
    is_static: bool
    inputs: list[str]
    outputs: list[str]
    rows: list[Row]
    spans: list[Span]
    arena_bytes: int
    arena_lower_bound: int
    macs: int


@dataclasses.dataclass
class Summary:
    """A bundle.

    Attributes:
        file: Its name, without folder.
        file_bytes: Its size.
        weights_bytes: Of all constants but golden data.
        programs: Entry points first.
        images: How inputs are made from pictures.
        labels: Number of labels by output.
        golden: Number of golden samples for the self-test.
        provenance: Where it comes from.
        metadata: Free texts.
        notes: (node, text) of the compiler.
        memory: The promise of the native runtime: arena, scratch, weights and state bytes; None where it is not built.
    """

    file: str
    file_bytes: int
    weights_bytes: int
    programs: list[ProgramSummary]
    images: list[dict[str, Any]]
    labels: dict[str, int]
    golden: int
    provenance: dict[str, Any]
    metadata: dict[str, str]
    notes: list[tuple[str, str]]
    memory: dict[str, Any] | None = None

    def to_json(self) -> dict[str, Any]:
        """Returns plain dicts and lists."""
        return dataclasses.asdict(self)


def summarize(path: str | os.PathLike[str]) -> Summary:
    """Reads a bundle and describes it.

    Raises:
        BundleError: The file is no valid bundle.
    """
    bundle = reader.read_bundle(path)
    entries = [index for _, index in bundle.entry_points]
    order = entries + [i for i in range(len(bundle.programs)) if i not in entries]
    return Summary(
        file=os.path.basename(os.fspath(path)),
        file_bytes=os.stat(path).st_size,
        weights_bytes=bundle.weights_bytes,
        programs=[_program(bundle, bundle.programs[i], i in entries) for i in order],
        images=bundle.images,
        labels={k: len(v) for k, v in bundle.labels.items()},
        golden=len(bundle.golden),
        provenance={k: v for k, v in bundle.provenance.items() if v},
        metadata=bundle.metadata,
        notes=bundle.notes,
    )


def _program(bundle: Bundle, program: Program, is_entry: bool) -> ProgramSummary:
    rows = [_row(bundle, program, i, step) for i, step in enumerate(program.instructions)]
    spans = _spans(program)
    return ProgramSummary(
        name=program.name,
        is_entry=is_entry,
        is_static=program.is_static,
        inputs=[describe(program, i) for i in program.inputs],
        outputs=[describe(program, i) for i in program.outputs],
        rows=rows,
        spans=spans,
        arena_bytes=program.arena_bytes,
        arena_lower_bound=_lower_bound(spans, len(rows)),
        macs=sum(r.macs or 0 for r in rows),
    )


def tensor_type(program: Program, tensor: Tensor) -> TensorType:
    """Returns the type of a tensor, with its symbols by name."""
    shape = tuple(int(d) if d >= 0 else program.symbols[-1 - d].name for d in tensor.shape)
    return TensorType(tensor.dtype, shape)


def describe(program: Program, index: int) -> str:
    """Returns for example "x: float32[1, 224, 224, 3]"."""
    tensor = program.tensors[index]
    return f"{tensor.name}: {tensor_type(program, tensor)}"


def _row(bundle: Bundle, program: Program, index: int, step: Instruction) -> Row:
    read = [program.tensors[i] for i in step.inputs if i >= 0]
    made = [program.tensors[i] for i in step.outputs if i >= 0]
    live = [t for t in read if t.constant < 0]
    types = [tensor_type(program, t) for t in (*live, *made)]
    static = all(t.is_static for t in types)
    return Row(
        index=index,
        op=step.op,
        name=step.name,
        inputs=[str(t) for t in types[: len(live)]],
        outputs=[str(t) for t in types[len(live) :]],
        fused=fused_text(step),
        weight_bytes=sum(int(bundle.constants[c].nbytes) for c in {t.constant for t in read if t.constant >= 0}),
        activation_bytes=sum(t.nbytes for t in types) if static else None,
        macs=_macs(program, step) if static else None,
        placement=step.backend,
        reads=list(dict.fromkeys(i for i in step.inputs if i >= 0 and program.tensors[i].constant < 0)),
        makes=[i for i in step.outputs if i >= 0],
    )


def _macs(program: Program, step: Instruction) -> int:
    def value(i: int) -> Value | None:
        return None if i < 0 else Value(program.tensors[i].name, tensor_type(program, program.tensors[i]))

    node = Node(step.op, [value(i) for i in step.inputs], [value(i) for i in step.outputs], step.attrs, step.name)
    return int(ops.get(step.op).macs(node))


#: Ops whose operand 5 is a table that every result goes through.
_WITH_TABLE = ("q_conv2d", "q_depthwise_conv2d", "q_fully_connected", "q_conv_transpose2d")


def fused_text(step: Instruction) -> str:
    """Returns what an instruction does beside its op: "+ residual, relu", "3 steps: mul exp add"."""
    parts = []
    if step.op in ("conv2d", "depthwise_conv2d", "fully_connected") and len(step.inputs) > 3 and step.inputs[3] >= 0:
        parts.append("residual")
    if step.attrs.get("residual_add"):
        parts.append("residual")
    if step.op in _WITH_TABLE and len(step.inputs) > 5 and step.inputs[5] >= 0:
        parts.append("table")
    activation = step.attrs.get("activation") or {}
    if activation.get("kind", "identity") != "identity":
        parts.append(function_text(activation))
    if step.op == "elementwise":
        kinds = [s["binary"] if s["is_binary"] else s["unary"] for s in step.attrs["steps"]]
        parts.append(" ".join(kinds))
    if step.op in ("unary", "binary", "reduce"):
        parts.insert(0, function_text(step.attrs))
    if step.attrs.get("winograd"):
        parts.append(f"winograd F({step.attrs['winograd']}x{step.attrs['winograd']}, 3x3)")
    return ", ".join(parts)


def function_text(attrs: dict[str, Any]) -> str:
    """Returns for example "relu" or "clip[0, 6]"."""
    kind = str(attrs["kind"]).rstrip("_")
    return f"{kind}[{attrs['alpha']:g}, {attrs['beta']:g}]" if kind == "clip" else kind


def _spans(program: Program) -> list[Span]:
    """Returns the life of each tensor of the arena."""
    first: dict[int, int] = {}
    last: dict[int, int] = {}
    for k, step in enumerate(program.instructions):
        for i in step.outputs:
            if i >= 0:
                first.setdefault(i, k)
                last[i] = k
        for i in step.inputs:
            last[i] = k
    for i in program.outputs:
        last[i] = len(program.instructions) - 1
    spans = []
    for i, k in first.items():
        tensor = program.tensors[i]
        if tensor.arena_offset >= 0:
            size = math.prod(tensor.shape) * tensor.dtype.size
            op = program.instructions[k].op
            spans.append(Span(tensor.name, op, int(tensor.arena_offset), size, k, last[i]))
    return spans


def _lower_bound(spans: Sequence[Span], steps: int) -> int:
    """Returns the most bytes alive at one time; tensors that share their place count once."""
    best = 0
    for k in range(steps):
        alive = sorted((s.offset, s.offset + s.size) for s in spans if s.first <= k <= s.last)
        total = end = 0
        for a, b in alive:
            total += max(0, b - max(a, end))
            end = max(end, b)
        best = max(best, total)
    return best


@dataclasses.dataclass
class OpTotal:
    """All instructions of one op together."""

    op: str
    count: int
    macs: int
    weight_bytes: int
    min_ns: int | None


def by_op(rows: Sequence[Row]) -> list[OpTotal]:
    """Returns the totals by op: the slowest first where times were measured, else the one with most MACs."""
    totals: dict[str, OpTotal] = {}
    for r in rows:
        t = totals.setdefault(r.op, OpTotal(r.op, 0, 0, 0, None))
        t.count += 1
        t.macs += r.macs or 0
        t.weight_bytes += r.weight_bytes
        if r.min_ns is not None:
            t.min_ns = (t.min_ns or 0) + r.min_ns
    return sorted(totals.values(), key=lambda t: (-(t.min_ns or 0), -t.macs, -t.count, t.op))


def add_times(summary: Summary, rows: Sequence[Any]) -> None:
    """Fills in the times of a session's profile() for the first entry point."""
    if not summary.programs:
        return
    times = {r.instruction: r.min_ns for r in rows}
    for row in summary.programs[0].rows:
        row.min_ns = times.get(row.index)
