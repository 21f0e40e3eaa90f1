# SPDX-License-Identifier: Apache-2.0
"""Terminal tables of a bundle, a comparison and a benchmark."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from rich.console import Console, Group
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from tealight.emulator.layer_errors import LayerError
from tealight.report.summary import ProgramSummary, Row, Summary, by_op

if TYPE_CHECKING:
    from tealight.report.diff import Diff, Fact


def size_text(n: int | None) -> str:
    """Returns bytes for people: 1.5 MB."""
    if n is None:
        return "?"
    size = float(n)
    for unit in ("B", "KB", "MB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.2f} GB"


def count_text(n: int | None) -> str:
    """Returns a count for people: 12.3 M."""
    if n is None:
        return "?"
    for limit, unit in ((1e9, "G"), (1e6, "M"), (1e3, "K")):
        if n >= limit:
            return f"{n / limit:.1f} {unit}"
    return str(n) if n else ""


def time_text(ns: float | None) -> str:
    """Returns a time for people: 1.25 ms."""
    if ns is None:
        return ""
    for limit, unit in ((1e9, "s"), (1e6, "ms"), (1e3, "us")):
        if ns >= limit:
            return f"{ns / limit:.3g} {unit}"
    return f"{ns:.0f} ns"


def db_text(db: float | None) -> str:
    """Returns a signal to noise ratio for people: 41.5 dB; exact where there is no noise."""
    return "" if db is None else "exact" if db == math.inf else f"{db:.1f} dB"


def figure_text(value: float, points: bool) -> str:
    """Returns a figure of a metric; shares in per cent."""
    return f"{value:.2%}" if points else f"{value:.6g}"


def drop_text(value: float, points: bool) -> str:
    """Returns what a figure lost; of shares in points."""
    return f"{100 * value:.2f}" if points else f"{value:.3g}"


def name_text(name: str) -> str:
    """Returns the name of a source node, cut where converters string together those of many."""
    first, joint, _ = name.partition(";")
    return f"{first}; …" if joint else name


def titled(title: str, table: Table) -> Group:
    """Returns a table below its title, which may be wider than the table."""
    return Group(Text(title, style="italic"), table)


def pairs(console: Console, title: str, rows: Iterable[tuple[str, str]]) -> None:
    """Prints a two-column table."""
    table = Table(show_header=False)
    table.add_column(style="cyan")
    table.add_column(overflow="fold")
    for key, value in rows:
        table.add_row(escape(key), escape(value))
    console.print(titled(title, table))


def print_summary(console: Console, summary: Summary) -> None:
    """Prints what `tealight inspect` shows."""
    rows = [("file", f"{summary.file}, {size_text(summary.file_bytes)}"), ("weights", size_text(summary.weights_bytes))]
    rows += [(k, str(v)) for k, v in summary.provenance.items()]
    rows += [(f"picture for {i['input']}", image_text(i)) for i in summary.images]
    rows += [(f"labels of {k}", str(n)) for k, n in summary.labels.items()]
    rows += [("golden samples", str(summary.golden))] if summary.golden else []
    rows += list(summary.metadata.items())
    pairs(console, "bundle", rows)
    for program in summary.programs:
        print_program(console, program, summary)
    for node, text in summary.notes:
        console.print(f"note: {escape(f'{node}: ' if node else '')}{escape(text)}")


def image_text(image: dict[str, Any]) -> str:
    """Returns how an input is made from a picture."""
    size = f"{image['width']} x {image['height']}"
    return (
        f"{size} {image['channel_order']}, {image['layout']}, "
        f"(pixel - {_numbers(image['mean'])}) * {_numbers(image['scale'])}"
    )


def _numbers(values: Sequence[float]) -> str:
    same = len(set(values)) == 1
    return f"{values[0]:g}" if same else "[" + ", ".join(f"{v:g}" for v in values) + "]"


def print_program(console: Console, program: ProgramSummary, summary: Summary) -> None:
    """Prints one program: inputs and outputs, memory, instructions."""
    kind = "entry point" if program.is_entry else "body"
    rows = [("input", text) for text in program.inputs] + [("output", text) for text in program.outputs]
    rows += memory_rows(program, summary if program.is_entry else None)
    rows.append(("multiply-adds", count_text(program.macs) or "0"))
    pairs(console, f"{kind} {program.name}", rows)
    console.print(instruction_table(program.rows))
    console.print(op_table(program.rows))


def memory_rows(program: ProgramSummary, summary: Summary | None) -> list[tuple[str, str]]:
    """Returns the memory promise as rows."""
    rows = []
    if program.is_static:
        bound = program.arena_lower_bound
        over = f", {100 * (program.arena_bytes / bound - 1):.1f} % over the lower bound" if bound else ""
        rows.append(("arena", f"{size_text(program.arena_bytes)}{over}"))
    else:
        rows.append(("arena", "decided at run time (open shapes)"))
    if summary is not None and summary.memory is not None:
        m = summary.memory
        exact = "exactly" if m["exact"] else "at least"
        total = m["arena_bytes"] + m["scratch_bytes"] + m["state_bytes"]
        rows.append((
            "a session needs",
            f"{exact} {size_text(total)}: arena {size_text(m['arena_bytes'])}, scratch "
            f"{size_text(m['scratch_bytes'])}, state {size_text(m['state_bytes'])}; "
            f"weights {size_text(m['weights_bytes'])} stay mapped from the file",
        ))  # fmt: skip
    return rows


def instruction_table(rows: Sequence[Row]) -> Table:
    """Returns the table of instructions; with times when any was measured."""
    timed = any(r.min_ns is not None for r in rows)
    table = Table(show_lines=False)
    for name, justify in (
        ("#", "right"), ("op", "left"), ("does", "left"), ("result", "left"), ("weights", "right"),
        ("activations", "right"), ("MACs", "right"), ("on", "left"),
    ):  # fmt: skip
        table.add_column(name, justify=justify, overflow="fold")  # type: ignore[arg-type]
    if timed:
        table.add_column("time", justify="right")
        table.add_column("GMAC/s", justify="right")
    table.add_column("source node", overflow="ellipsis", max_width=40, no_wrap=True)
    for r in rows:
        cells = [str(r.index), r.op, r.fused, " ".join(r.outputs), size_text(r.weight_bytes) if r.weight_bytes else ""]
        cells += [size_text(r.activation_bytes), count_text(r.macs), r.placement]
        if timed:
            speed = f"{r.macs / r.min_ns:.1f}" if r.macs and r.min_ns else ""
            cells += [time_text(r.min_ns), speed]
        table.add_row(*map(escape, [*cells, name_text(r.name)]))
    return table


def op_table(rows: Sequence[Row]) -> Group:
    """Returns the table of totals by op."""
    totals = by_op(rows)
    whole = sum(t.min_ns or 0 for t in totals)
    table = Table("op")
    for name in ("count", "MACs", "weights", *(("time", "share") if whole else ())):
        table.add_column(name, justify="right")
    for t in totals:
        cells = [t.op, str(t.count), count_text(t.macs), size_text(t.weight_bytes) if t.weight_bytes else ""]
        if whole:
            cells += [time_text(t.min_ns), f"{100 * (t.min_ns or 0) / whole:.1f} %"]
        table.add_row(*cells)
    return titled("by op", table)


def profile_table(rows: Sequence[dict[str, Any]]) -> Group:
    """Returns the best times of a session's profile, summed by op."""
    whole = sum(r["min_ns"] for r in rows)
    table = Table("op")
    for name in ("count", "time", "share"):
        table.add_column(name, justify="right")
    ops = {r["op"]: [x["min_ns"] for x in rows if x["op"] == r["op"]] for r in rows}
    for op, times in sorted(ops.items(), key=lambda item: -sum(item[1])):
        share = f"{100 * sum(times) / whole:.1f} %" if whole else ""
        table.add_row(escape(op), str(len(times)), time_text(sum(times)), share)
    return titled("by op", table)


def difference_table(title: str, rows: Sequence[Any]) -> Group:
    """Returns the table of a comparison."""
    table = Table()
    table.add_column("tensor", overflow="ellipsis", max_width=48, no_wrap=True)
    for name in ("op", "shape"):
        table.add_column(name)
    for name in ("max abs", "range", "relative", "SQNR", "cosine"):
        table.add_column(name, justify="right")
    for d in rows:
        shape = "x".join(map(str, d.shape))
        numbers = (f"{d.max_abs:.3g}", f"{d.range:.3g}", f"{d.relative:.2e}", db_text(d.sqnr_db), f"{d.cosine:.7f}")
        table.add_row(escape(name_text(d.name)), d.op, shape, *numbers)
    return titled(title, table)


def error_table(title: str, rows: Sequence[LayerError]) -> Group:
    """Returns the table of what quantization costs in each layer."""
    table = Table()
    table.add_column("value", overflow="ellipsis", max_width=48, no_wrap=True)
    table.add_column("op")
    for name in ERROR_COLUMNS:
        table.add_column(name, justify="right")
    for e in rows:
        table.add_row(escape(name_text(e.name)), e.op, *error_cells(e))
    return titled(title, table)


#: Heads of error_cells().
ERROR_COLUMNS = ("alone", "whole", "cosine", "max abs", "range", "step", "saturated", "zero range", "equalized")


def error_cells(e: LayerError) -> list[str]:
    """Returns the figures of a layer."""
    return [
        db_text(e.local_db), db_text(e.sqnr_db), f"{e.cosine:.5f}", f"{e.max_abs:.3g}",
        f"{e.range:.3g}", "" if e.scale is None else f"{e.scale:.3g}",
        f"{100 * e.saturated:.3g} %" if e.saturated else "",
        f"{e.zero_range} of {e.channels}" if e.zero_range else "", "yes" if e.equalized else "",
    ]  # fmt: skip


def print_diff(console: Console, found: Diff, everything: bool) -> None:
    """Prints what `tealight diff` shows."""
    table = Table("", escape(found.before), escape(found.after), "")
    for f in found.facts:
        table.add_row(escape(f.name), escape(f.before), escape(f.after), ratio_text(f))
    console.print(titled("bundles", table))
    for title, changes in (("instructions", found.instructions), ("weights", found.weights)):
        shown = changes if everything else changes[:_SHOWN]
        if not shown:
            continue
        table = Table()
        table.add_column("value", overflow="ellipsis", max_width=48, no_wrap=True)
        table.add_column(escape(found.before))
        table.add_column(escape(found.after))
        for c in shown:
            table.add_row(escape(name_text(c.name)), escape(c.before or "-"), escape(c.after or "-"))
        console.print(titled(title, table))
        if len(shown) < len(changes):
            console.print(f"and {len(changes) - len(shown)} more; --all shows them")
    console.print(
        "the same instructions and weights" if found.is_empty
        else f"instructions that are the same: {found.same_instructions}, that differ: {len(found.instructions)}"
    )  # fmt: skip


def ratio_text(fact: Fact) -> str:
    """Returns by how much a number grew; empty where it did not or is none."""
    return "" if fact.ratio is None or fact.ratio == 1 else f"x {fact.ratio:.3g}"


#: Changes shown without --all.
_SHOWN = 20
