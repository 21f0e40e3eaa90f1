# SPDX-License-Identifier: Apache-2.0
"""The HTML report of a bundle: one self-contained page with pictures of memory and time, light and dark."""

from __future__ import annotations

import dataclasses
import html
import os
import zlib
from collections.abc import Mapping, Sequence
from typing import Any

from tealight.bundle import reader
from tealight.emulator.layer_errors import LayerError
from tealight.report import graph_picture, html_sections
from tealight.report.diff import Diff
from tealight.report.html_sections import FULL_DB, level
from tealight.report.summary import ProgramSummary, Row, Span, Summary, by_op
from tealight.report.tables import count_text, db_text, image_text, memory_rows, size_text, time_text
from tealight.report.weights import WeightHistogram, weight_histograms

_WIDTH, _HEIGHT = 960, 320
#: The colours, light and dark; the page of `tealight serve` has the same.
PALETTE = """
:root { color-scheme: light dark; --fg: #1d2330; --bg: #fff; --soft: #f2f4f8; --line: #d5dbe6; --bar: #e07b39;
  --note: #5c6678; --good: #3d9970; --fair: #d9a21b; --poor: #cf4436; --whole: #2f6fd0; --l: 52%; }
@media (prefers-color-scheme: dark) { :root { --fg: #dde3ee; --bg: #14171d; --soft: #1d222b; --line: #353d4b;
  --bar: #f09a5c; --note: #97a2b6; --good: #55b98c; --fair: #e5b84b; --poor: #ee6a5d; --whole: #7fb0f5; --l: 62%; } }
"""
_STYLE = (
    PALETTE
    + """* { box-sizing: border-box; }
body { font: 15px/1.5 system-ui, sans-serif; color: var(--fg); background: var(--bg); margin: 2rem auto;
  max-width: 1240px; padding: 0 1rem; }
h1 { font-size: 1.5rem; overflow-wrap: anywhere; } h2 { font-size: 1.15rem; margin: 2.2rem 0 .6rem; }
.wide { overflow-x: auto; max-height: 46rem; overflow-y: auto; border: 1px solid var(--line); border-radius: 8px; }
table { border-collapse: collapse; width: 100%; font-size: 13px; }
th, td { padding: 3px 8px; text-align: left; border-bottom: 1px solid var(--line); vertical-align: top; }
tr:last-child > * { border-bottom: 0; }
th { background: var(--soft); } .wide th { position: sticky; top: 0; z-index: 1; }
table.pairs { border: 1px solid var(--line); } table.pairs td { overflow-wrap: anywhere; }
table.pairs th { width: min(14rem, 40%); overflow-wrap: anywhere; font-weight: 500; color: var(--note); }
td.n, th.n { text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums; }
td.name { color: var(--note); max-width: 20rem; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
table.steps td { white-space: nowrap; height: 28px; padding: 0 8px; vertical-align: middle; border: 0; }
table.steps tr:nth-child(even) > td { background-color: color-mix(in srgb, var(--soft) 55%, transparent); }
table.steps td.g { padding: 0 0 0 4px; } svg.g { display: block; background: none; width: auto; border-radius: 0; }
td.m { min-width: 7rem; background-repeat: no-repeat; background-position: 0 22px; background-size: var(--w, 0) 4px;
  background-image: linear-gradient(var(--c), var(--c)); --c: var(--bar); }
td.good { --c: var(--good); } td.fair { --c: var(--fair); } td.poor { --c: var(--poor); }
.cards { display: flex; flex-wrap: wrap; gap: .8rem; margin-bottom: 1rem; } .card { background: var(--soft);
  border-radius: 8px; padding: .6rem 1rem; color: var(--note); font-size: 13px; overflow-wrap: anywhere; }
.card b { display: block; font-size: 1.2rem; color: var(--fg); }
svg { width: 100%; height: auto; background: var(--soft); border-radius: 8px; }
svg text { fill: var(--note); font-size: 11px; }
svg text.over { fill: var(--fg); paint-order: stroke; stroke: var(--soft); stroke-width: 3px; }
rect.t { stroke: var(--bg); stroke-width: .5; }
rect.bar { fill: var(--bar); } rect.good { fill: var(--good); } rect.fair { fill: var(--fair); }
rect.poor { fill: var(--poor); } path.rule { stroke: var(--line); stroke-dasharray: 4 4; }
path.e { stroke: var(--note); stroke-width: 1.5; fill: none; opacity: .6; }
polyline.whole { fill: none; stroke: var(--whole); stroke-width: 2; }
.figures { display: grid; grid-template-columns: repeat(auto-fill, minmax(17rem, 1fr)); gap: 1rem; }
figure { margin: 0; background: var(--soft); border-radius: 8px; padding: .6rem; font-size: 12px; }
figure img { width: 100%; height: 96px; image-rendering: pixelated; border-bottom: 1px solid var(--line); }
figcaption { overflow-wrap: anywhere; color: var(--note); } figcaption b { color: var(--fg); }
figcaption span { display: -webkit-box; -webkit-box-orient: vertical; -webkit-line-clamp: 2; overflow: hidden; }
details { margin: .8rem 0; } summary { cursor: pointer; } p.note { color: var(--note); font-size: 13px; }
"""
)


@dataclasses.dataclass
class Extras:
    """What a report shows beside the bundle.

    Attributes:
        errors: What quantization costs in each layer.
        weights: Histograms of integer weights.
        previous: The difference from an earlier bundle.
        accuracy: What `tealight eval --json` printed.
    """

    errors: list[LayerError] = dataclasses.field(default_factory=list)
    weights: list[WeightHistogram] = dataclasses.field(default_factory=list)
    previous: Diff | None = None
    accuracy: Mapping[str, Any] | None = None

    @classmethod
    def of(cls, path: str | os.PathLike[str], **known: Any) -> Extras:
        """Returns those that come from a bundle itself, and the given ones."""
        return cls(weights=list(weight_histograms(reader.read_bundle(path))), **known)


def page(summary: Summary, extras: Extras | None = None) -> str:
    """Returns the page."""
    extras = extras or Extras()
    parts = [
        "<!doctype html><html lang='en'><head><meta charset='utf-8'>",
        "<meta name='viewport' content='width=device-width, initial-scale=1'>",
        f"<title>{_text(summary.file)}</title><style>{_STYLE}</style></head><body>",
        f"<h1>{_text(summary.file)}</h1>",
        _cards(summary, extras),
        _facts(summary),
    ]
    if extras.accuracy is not None:
        parts.append(html_sections.accuracy(extras.accuracy))
    if extras.previous is not None:
        parts.append(html_sections.previous(extras.previous))
    for i, program in enumerate(summary.programs):
        parts.append(_program(program, summary, extras.errors if i == 0 else []))
    if extras.weights:
        parts.append(html_sections.weights(extras.weights, extras.errors))
    if summary.notes:
        notes = "".join(f"<li>{_text(f'{n}: ' if n else '')}{_text(t)}</li>" for n, t in summary.notes)
        parts.append(f"<h2>Notes of the compiler</h2><ul>{notes}</ul>")
    return "\n".join([*parts, "</body></html>", ""])


def _text(text: str) -> str:
    return html.escape(text, quote=True)


def _cards(summary: Summary, extras: Extras) -> str:
    first = summary.programs[0]
    times = [r.min_ns for r in first.rows if r.min_ns is not None]
    cards = [
        ("file", size_text(summary.file_bytes)),
        ("weights", size_text(summary.weights_bytes)),
        ("arena", size_text(first.arena_bytes) if first.is_static else "at run time"),
        ("multiply-adds", count_text(first.macs) or "0"),
        ("instructions", str(len(first.rows))),
    ]
    if times:
        cards.append(("time of all instructions", time_text(sum(times))))
    outputs = {t.partition(": ")[0] for t in first.outputs}
    cards += [(f"{e.name} against float", db_text(e.sqnr_db)) for e in extras.errors if e.name in outputs][-1:]
    return "<div class='cards'>" + "".join(f"<div class='card'>{k}<b>{_text(v)}</b></div>" for k, v in cards) + "</div>"


def _facts(summary: Summary) -> str:
    rows = [(k.replace("_", " "), str(v)) for k, v in summary.provenance.items()]
    rows += [(f"picture for {i['input']}", image_text(i)) for i in summary.images]
    rows += [(f"labels of {k}", str(n)) for k, n in summary.labels.items()]
    rows += [("golden samples", str(summary.golden))] if summary.golden else []
    rows += list(summary.metadata.items())
    return _pairs(rows)


def _pairs(rows: Sequence[tuple[str, str]]) -> str:
    cells = "".join(f"<tr><th>{_text(k)}</th><td>{_text(v)}</td></tr>" for k, v in rows)
    return f"<table class=pairs>{cells}</table>" if cells else ""


def _program(program: ProgramSummary, summary: Summary, errors: Sequence[LayerError]) -> str:
    kind = "Entry point" if program.is_entry else "Body"
    rows = [("input", t) for t in program.inputs] + [("output", t) for t in program.outputs]
    rows += memory_rows(program, summary if program.is_entry else None)
    parts = [f"<h2>{kind} {_text(program.name)}</h2>", _pairs(rows)]
    if program.spans:
        parts.append("<h2>Memory plan</h2>" + memory_picture(program))
    if any(r.min_ns is not None for r in program.rows):
        parts.append("<h2>Time per instruction</h2>" + time_picture(program.rows))
    if errors:
        parts.append(html_sections.errors(errors))
    parts.append("<h2>By op</h2>" + _totals(program.rows))
    parts.append("<h2>Graph</h2>" + _instructions(program.rows, errors))
    return "\n".join(parts)


def memory_picture(program: ProgramSummary) -> str:
    """Returns an SVG: time runs right (instructions), the arena upward (bytes); a box is a tensor's life and place."""
    steps, top = max(len(program.rows), 1), max(program.arena_bytes, 1)
    dx, dy = _WIDTH / steps, (_HEIGHT - 24) / top
    boxes = []
    for s in program.spans:
        x, y = s.first * dx, (_HEIGHT - 24) - (s.offset + s.size) * dy
        w, h = max((s.last - s.first + 1) * dx, 0.8), max(s.size * dy, 0.8)
        boxes.append(
            f"<rect class='t' x='{x:.2f}' y='{y:.2f}' width='{w:.2f}' height='{h:.2f}' fill='{colour(s.op)}'>"
            f"<title>{_text(_span_text(s))}</title></rect>"
        )
    label = f"0 to {steps - 1}: instructions; height: {size_text(program.arena_bytes)} of arena"
    return (
        f"<svg viewBox='0 0 {_WIDTH} {_HEIGHT}' role='img' aria-label='memory plan'>{''.join(boxes)}"
        f"<text x='4' y='{_HEIGHT - 8}'>{_text(label)}</text></svg>"
        "<p class='note'>A box is a tensor: left to right while it lives, bottom to top where it lies.</p>"
    )


def _span_text(s: Span) -> str:
    return f"{s.name} ({s.op}): {size_text(s.size)} at {s.offset}, instructions {s.first} to {s.last}"


def time_picture(rows: Sequence[Row]) -> str:
    """Returns an SVG with one bar an instruction."""
    timed = [r for r in rows if r.min_ns is not None]
    most = max((r.min_ns or 0 for r in timed), default=1) or 1
    total = sum(r.min_ns or 0 for r in timed) or 1
    dx = _WIDTH / max(len(timed), 1)
    bars = []
    for i, r in enumerate(timed):
        h = (_HEIGHT - 30) * (r.min_ns or 0) / most
        share = 100 * (r.min_ns or 0) / total
        text = f"{r.index} {r.op} {r.name}: {time_text(r.min_ns)}, {share:.1f} %"
        bars.append(
            f"<rect class='bar' x='{i * dx:.2f}' y='{_HEIGHT - 20 - h:.2f}' width='{max(dx - 0.6, 0.6):.2f}' "
            f"height='{h:.2f}'><title>{_text(text)}</title></rect>"
        )
    label = f"instructions in order; the tallest bar is {time_text(most)}, all together {time_text(total)}"
    return (
        f"<svg viewBox='0 0 {_WIDTH} {_HEIGHT}' role='img' aria-label='time per instruction'>{''.join(bars)}"
        f"<text x='4' y='{_HEIGHT - 6}'>{_text(label)}</text></svg>"
    )


def colour(op: str) -> str:
    """Returns a colour for an op, the same on every host."""
    hue = zlib.crc32(op.encode()) % 360
    return f"hsl({hue} 55% var(--l))"


def _totals(rows: Sequence[Row]) -> str:
    lines = ["<tr><th></th><th>op</th><th class=n>count</th><th class=n>MACs</th><th class=n>weights</th>"
             "<th class=n>time</th></tr>"]  # fmt: skip
    for t in by_op(rows):
        weights = size_text(t.weight_bytes) if t.weight_bytes else ""
        numbers = (str(t.count), count_text(t.macs), weights, time_text(t.min_ns))
        swatch = f"<td style='background:{colour(t.op)};width:1rem'></td>"
        lines.append(f"<tr>{swatch}<td>{_text(t.op)}</td>{''.join(f'<td class=n>{n}</td>' for n in numbers)}</tr>")
    return f"<div class=wide><table>{''.join(lines)}</table></div>"


def _instructions(rows: Sequence[Row], errors: Sequence[LayerError]) -> str:
    """Returns the graph and the table of instructions in one: a mark and lines for values on the left of each row."""
    error = {e.instruction: e for e in errors}
    most = max((r.min_ns or 0 for r in rows), default=0)
    head = ["", "#", "op", "does", "result", "weights", "activations", "MACs", "on"]
    head += (["time"] if most else []) + (["alone", "whole"] if error else []) + ["node"]
    numeric = {"#", "weights", "activations", "MACs", "time", "alone", "whole"}
    lines = ["<tr>" + "".join(f"<th{' class=n' if h in numeric else ''}>{h}</th>" for h in head) + "</tr>"]
    steps = graph_picture.steps(rows)
    wide = graph_picture.width(steps)
    for r, step in zip(rows, steps, strict=True):
        mark = graph_picture.svg(step, colour(r.op), f"{r.index} {r.op} {r.name}", wide)
        cells = [f"<td class=g>{mark}</td>", _cell(str(r.index), "n"), _cell(r.op), _cell(r.fused)]
        cells += [_cell(" ".join(r.outputs)), _cell(size_text(r.weight_bytes) if r.weight_bytes else "", "n")]
        cells += [_cell(size_text(r.activation_bytes), "n"), _cell(count_text(r.macs), "n"), _cell(r.placement)]
        if most:
            cells.append(_cell(time_text(r.min_ns), "n m", (r.min_ns or 0) / most))
        if error:
            cells += _error_cells(error.get(r.index))
        lines.append(f"<tr>{''.join(cells)}<td class=name title='{_text(r.name)}'>{_text(r.name)}</td></tr>")
    return f"<div class=wide><table class=steps>{''.join(lines)}</table></div>"


def _cell(text: str, kind: str = "", part: float = 0.0) -> str:
    style = f" style='--w:{100 * min(max(part, 0.0), 1.0):.1f}%'" if part > 0 else ""
    named = f" class='{kind}'" if kind else ""
    return f"<td{named}{style}>{_text(text)}</td>"


def _error_cells(e: LayerError | None) -> list[str]:
    values = (None, None) if e is None else (e.local_db, e.sqnr_db)
    return [_cell(db_text(db), f"n m {level(db)}".strip(), 0.0 if db is None else db / FULL_DB) for db in values]
