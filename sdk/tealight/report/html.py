# SPDX-License-Identifier: Apache-2.0
"""The HTML report of a bundle: one self-contained page with pictures of memory and time, light and dark."""

from __future__ import annotations

import html
from collections.abc import Sequence

from tealight.report.summary import ProgramSummary, Row, Span, Summary, by_op
from tealight.report.tables import count_text, image_text, memory_rows, size_text, time_text

_WIDTH, _HEIGHT = 960, 320
_STYLE = """
:root { color-scheme: light dark; --fg: #1d2330; --bg: #fff; --soft: #f2f4f8; --line: #cfd6e2; --bar: #e07b39;
  --note: #5c6678; }
@media (prefers-color-scheme: dark) { :root { --fg: #dde3ee; --bg: #14171d; --soft: #1d222b; --line: #353d4b;
  --bar: #f09a5c; --note: #97a2b6; } }
body { font: 15px/1.5 system-ui, sans-serif; color: var(--fg); background: var(--bg); margin: 2rem auto;
  max-width: 1040px; padding: 0 1rem; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.15rem; margin-top: 2.2rem; }
table { border-collapse: collapse; width: 100%; font-size: 13px; }
th, td { padding: 3px 8px; text-align: left; border-bottom: 1px solid var(--line); vertical-align: top; }
th { background: var(--soft); position: sticky; top: 0; } td.n, th.n { text-align: right; white-space: nowrap; }
td.name { overflow-wrap: anywhere; color: var(--note); }
.cards { display: flex; flex-wrap: wrap; gap: .8rem; } .card { background: var(--soft); border-radius: 8px;
  padding: .6rem 1rem; } .card b { display: block; font-size: 1.2rem; }
svg { width: 100%; height: auto; background: var(--soft); border-radius: 8px; } svg text { fill: var(--note);
  font-size: 11px; } rect.t { stroke: var(--bg); stroke-width: .5; } rect.bar { fill: var(--bar); }
p.note { color: var(--note); font-size: 13px; }
"""


def page(summary: Summary) -> str:
    """Returns the page."""
    parts = [
        "<!doctype html><html lang='en'><head><meta charset='utf-8'>",
        "<meta name='viewport' content='width=device-width, initial-scale=1'>",
        f"<title>{_text(summary.file)}</title><style>{_STYLE}</style></head><body>",
        f"<h1>{_text(summary.file)}</h1>",
        _cards(summary),
        _facts(summary),
    ]
    for program in summary.programs:
        parts.append(_program(program, summary))
    if summary.notes:
        notes = "".join(f"<li>{_text(f'{n}: ' if n else '')}{_text(t)}</li>" for n, t in summary.notes)
        parts.append(f"<h2>Notes of the compiler</h2><ul>{notes}</ul>")
    return "\n".join([*parts, "</body></html>", ""])


def _text(text: str) -> str:
    return html.escape(text, quote=True)


def _cards(summary: Summary) -> str:
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
    return "<div class='cards'>" + "".join(f"<div class='card'>{k}<b>{_text(v)}</b></div>" for k, v in cards) + "</div>"


def _facts(summary: Summary) -> str:
    rows = [(k.replace("_", " "), str(v)) for k, v in summary.provenance.items()]
    rows += [(f"picture for {i['input']}", image_text(i)) for i in summary.images]
    rows += [(f"labels of {k}", str(n)) for k, n in summary.labels.items()]
    rows += list(summary.metadata.items())
    return _pairs(rows)


def _pairs(rows: Sequence[tuple[str, str]]) -> str:
    cells = "".join(f"<tr><th>{_text(k)}</th><td>{_text(v)}</td></tr>" for k, v in rows)
    return f"<table>{cells}</table>" if cells else ""


def _program(program: ProgramSummary, summary: Summary) -> str:
    kind = "Entry point" if program.is_entry else "Body"
    rows = [("input", t) for t in program.inputs] + [("output", t) for t in program.outputs]
    rows += memory_rows(program, summary if program.is_entry else None)
    parts = [f"<h2>{kind} {_text(program.name)}</h2>", _pairs(rows)]
    if program.spans:
        parts.append("<h2>Memory plan</h2>" + memory_picture(program))
    if any(r.min_ns is not None for r in program.rows):
        parts.append("<h2>Time per instruction</h2>" + time_picture(program.rows))
    parts.append("<h2>By op</h2>" + _totals(program.rows))
    parts.append("<h2>Instructions</h2>" + _instructions(program.rows))
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
    hue = sum(ord(c) * (i + 7) for i, c in enumerate(op)) * 47 % 360
    return f"hsl({hue} 55% 58%)"


def _totals(rows: Sequence[Row]) -> str:
    lines = ["<tr><th></th><th>op</th><th class=n>count</th><th class=n>MACs</th><th class=n>weights</th>"
             "<th class=n>time</th></tr>"]  # fmt: skip
    for t in by_op(rows):
        numbers = (str(t.count), count_text(t.macs), size_text(t.weight_bytes), time_text(t.min_ns))
        swatch = f"<td style='background:{colour(t.op)};width:1rem'></td>"
        lines.append(f"<tr>{swatch}<td>{_text(t.op)}</td>{''.join(f'<td class=n>{n}</td>' for n in numbers)}</tr>")
    return f"<table>{''.join(lines)}</table>"


def _instructions(rows: Sequence[Row]) -> str:
    timed = any(r.min_ns is not None for r in rows)
    head = ["#", "op", "does", "result", "weights", "activations", "MACs", "on", *(["time"] if timed else []), "node"]
    numeric = {"#", "weights", "activations", "MACs", "time"}
    lines = ["<tr>" + "".join(f"<th{' class=n' if h in numeric else ''}>{h}</th>" for h in head) + "</tr>"]
    for r in rows:
        cells = {
            "#": str(r.index), "op": r.op, "does": r.fused, "result": " ".join(r.outputs),
            "weights": size_text(r.weight_bytes) if r.weight_bytes else "",
            "activations": size_text(r.activation_bytes),
            "MACs": count_text(r.macs), "on": r.placement, "time": time_text(r.min_ns), "node": r.name,
        }  # fmt: skip
        lines.append(
            "<tr>"
            + "".join(
                f"<td{' class=n' if h in numeric else ' class=name' if h == 'node' else ''}>{_text(cells[h])}</td>"
                for h in head
            )
            + "</tr>"
        )
    return "<table>" + "".join(lines) + "</table>"
