# SPDX-License-Identifier: Apache-2.0
"""The parts of the HTML report that need more than the bundle: errors, weights, accuracy, a previous bundle."""

from __future__ import annotations

import html
import math
from collections.abc import Mapping, Sequence
from typing import Any

from tealight.emulator.layer_errors import LayerError
from tealight.report import tables
from tealight.report.diff import Diff
from tealight.report.weights import WeightHistogram, picture

_WIDTH, _HEIGHT = 960, 240
#: What a full bar stands for, and from where on a layer is bad or doubtful, in dB.
FULL_DB, GOOD_DB, POOR_DB = 60.0, 25.0, 12.0
_WORST, _CHANGES = 24, 200


def text(value: object) -> str:
    """Returns text that HTML shows as it is."""
    return html.escape(str(value), quote=True)


def table(head: Sequence[str], rows: Sequence[Sequence[str]], numeric: Sequence[str] = ()) -> str:
    """Returns a table of texts; columns in `numeric` are set right, long names in "value" are cut."""
    kinds = [" class=n" if h in numeric else "" for h in head]
    lines = ["<tr>" + "".join(f"<th{k}>{text(h)}</th>" for h, k in zip(head, kinds, strict=True)) + "</tr>"]
    for row in rows:
        cells = [
            f"<td class=name title='{text(c)}'>{text(c)}</td>" if h == "value" else f"<td{k}>{text(c)}</td>"
            for h, c, k in zip(head, row, kinds, strict=True)
        ]
        lines.append(f"<tr>{''.join(cells)}</tr>")
    return f"<div class=wide><table>{''.join(lines)}</table></div>"


def level(db: float | None) -> str:
    """Returns the class of an error: good, fair, poor; empty where it is not known."""
    if db is None or math.isnan(db):
        return ""
    return "good" if db >= GOOD_DB else "fair" if db >= POOR_DB else "poor"


def errors(rows: Sequence[LayerError]) -> str:
    """Returns the section on what quantization costs in each layer."""
    worst = sorted(rows, key=lambda e: e.sqnr_db if e.local_db is None else e.local_db)[:_WORST]
    head = ["#", "value", "op", *tables.ERROR_COLUMNS]
    cells = [[str(e.instruction), e.name, e.op, *tables.error_cells(e)] for e in worst]
    return "\n".join([
        "<h2>Error per instruction</h2>", _error_picture(rows),
        "<p class=note>Signal to noise against the float model, in dB. Bars: the instruction alone, fed with the float "
        "model's values, quantized. Line: in the whole program, with what came before.</p>",
        f"<h2>The {len(worst)} instructions that lose most by themselves</h2>", table(head, cells, [*head[3:], "#"]),
    ])  # fmt: skip


def _error_picture(rows: Sequence[LayerError]) -> str:
    dx = _WIDTH / max(len(rows), 1)

    def y(db: float) -> float:
        return (_HEIGHT - 20) * (1 - min(max(db, 0.0), FULL_DB) / FULL_DB) + 4

    parts = []
    points = []
    for i, e in enumerate(rows):
        alone, whole = tables.db_text(e.local_db) or "not known", tables.db_text(e.sqnr_db)
        hint = f"{e.instruction} {e.op} {e.name}: alone {alone}, whole {whole}"
        title = f"<title>{text(hint)}</title>"
        if e.local_db is not None:
            top = y(e.local_db)
            parts.append(
                f"<rect class='{level(e.local_db)}' x='{i * dx:.2f}' y='{top:.1f}' width='{max(dx - 0.8, 0.6):.2f}' "
                f"height='{_HEIGHT - 16 - top:.1f}'>{title}</rect>"
            )
        points.append(f"{(i + 0.5) * dx:.1f},{y(e.sqnr_db):.1f}")
    for db in (GOOD_DB, POOR_DB):
        parts.append(f"<path class='rule' d='M0 {y(db):.1f}H{_WIDTH}'/>")
    parts.append(f"<polyline class='whole' points='{' '.join(points)}'/>")
    parts += [f"<text class=over x='4' y='{y(db) - 3:.1f}'>{db:g} dB</text>" for db in (GOOD_DB, POOR_DB)]
    return (
        f"<svg class=plot viewBox='0 0 {_WIDTH} {_HEIGHT}' role='img' aria-label='error per instruction'>"
        f"{''.join(parts)}<text x='4' y='{_HEIGHT - 3}'>instructions in order</text></svg>"
    )


def weights(histograms: Sequence[WeightHistogram], rows: Sequence[LayerError]) -> str:
    """Returns the section on integer weights: of the layers that lose most, or of the first ones."""
    loss = {e.instruction: e.sqnr_db if e.local_db is None else e.local_db for e in rows}
    chosen = sorted(histograms, key=lambda h: (loss.get(h.instruction, math.inf), h.instruction))[:_WORST]
    figures = []
    for h in chosen:
        remark = f"{h.channels} channels"
        remark += f", {h.idle} of zeros only" if h.idle else ""
        remark += f", one leaves {100 * h.unused:.0f} % of the range empty" if h.unused > 0.5 else ""
        figures.append(
            f"<figure><img src='{picture(h)}' alt='weights of {text(h.node)}'>"
            f"<figcaption><b>{h.instruction} {text(h.op)}</b> {text(h.dtype)}, {remark}"
            f"<span title='{text(h.node)}'>{text(h.node)}</span></figcaption></figure>"
        )
    title = f"<h2>Weights per channel ({len(chosen)} of {len(histograms)} layers)</h2>"
    note = (
        "<p class=note>A column is an output channel, from the greatest integer on top to the least; dark is many.</p>"
    )
    return f"{title}<div class=figures>{''.join(figures)}</div>{note}"


def accuracy(data: Mapping[str, Any]) -> str:
    """Returns the section on accuracy; data: what `tealight eval --json` prints."""
    rows = data.get("rows") or []
    names = list(dict.fromkeys(n for r in rows for n in r["figures"]))
    head = ["model", "recipe", "engine", "size", "latency", *names, "drop"]
    points = data.get("unit") == "points"
    cells = []
    for r in rows:
        figures = [tables.figure_text(r["figures"][n], points) if n in r["figures"] else "-" for n in names]
        cost = [tables.size_text(r["file_bytes"]), tables.time_text(r["median_ns"]) or "-"]
        cells.append([r["model"], r["recipe"], r["engine"], *cost, *figures, tables.drop_text(r["drop"], points)])
    note = f"<p class=note>{text(data.get('data', ''))}, {text(data.get('samples', '?'))} samples.</p>"
    return "<h2>Accuracy</h2>" + table(head, cells, head[3:]) + note


def previous(found: Diff) -> str:
    """Returns the section that compares with a previous bundle."""
    facts = [[f.name, f.before, f.after, tables.ratio_text(f)] for f in found.facts if f.before != f.after]
    parts = [f"<h2>Against {text(found.before)}</h2>"]
    parts.append(
        table(["", found.before, found.after, "ratio"], facts, ["ratio"]) if facts else "<p>No other facts.</p>"
    )
    for title, changes in (("Instructions that differ", found.instructions), ("Weights that differ", found.weights)):
        if changes:
            rows = [[c.name, c.before or "-", c.after or "-"] for c in changes[:_CHANGES]]
            more = "" if len(changes) <= _CHANGES else f"<p>and {len(changes) - _CHANGES} more</p>"
            parts.append(
                f"<details><summary>{title}: {len(changes)}</summary>"
                f"{table(['value', found.before, found.after], rows)}{more}</details>"
            )
    return "\n".join(parts)
