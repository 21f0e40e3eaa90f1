# SPDX-License-Identifier: Apache-2.0
"""tealight build --recipe auto: the options of a search, and its table."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from tealight.cli import parts
from tealight.errors import TealightError

if TYPE_CHECKING:
    from rich.console import Group

    from tealight._search import SearchReport

_OPTIONS = ("max_drop", "max_latency", "max_size", "data", "data_labels", "metric", "formats", "costs")


def arguments(p: argparse.ArgumentParser) -> None:
    """Adds the options of --recipe auto."""
    group = p.add_argument_group("search of mixed precision (--recipe auto)")
    group.add_argument("--max-drop", type=float, metavar="POINTS", help="points of the metric that may be lost")
    group.add_argument("--max-latency", type=float, metavar="MS", help="milliseconds of one run here")
    group.add_argument("--max-size", type=int, metavar="BYTES", help="size of the file")
    group.add_argument("--data", help="labelled data, as for eval (without: results near float32 on calibration data)")
    group.add_argument("--data-labels", help="labels of the data, as for eval")
    group.add_argument("--metric", help="as for eval (default: cosine)")
    group.add_argument(
        "--formats", nargs="+", metavar="RECIPE",
        help="what layers may take (default: static_wi8_ai8, and with --max-size weight_only_wi4_af32)",
    )  # fmt: skip
    group.add_argument("--costs", metavar="JSON", help="measured costs: read when there, else written")


def check_unused(o: argparse.Namespace, recipe: str) -> None:
    """Raises for an option of a search where the recipe is another."""
    for name in _OPTIONS:
        if getattr(o, name) is not None:
            raise TealightError(f"--{name.replace('_', '-')}: recipe {recipe!r}, expected --recipe auto with it")


def run(o: argparse.Namespace, output: str, options: dict[str, Any]) -> int:
    """Searches, builds and shows what was chosen."""
    import dataclasses

    import tealight
    from tealight.report.html import Extras

    given = {name: getattr(o, name) for name in _OPTIONS} | {"metric": o.metric or "cosine"}
    with parts.cluster(o.cluster) as client:
        report = parts.with_progress(
            o.json,
            lambda progress: tealight.search_recipe(
                o.model, output, o.calibration, progress=progress, client=client, **given, **options
            ),
        )
    if o.html:
        parts.write_html(o.html, parts.summary(output), Extras.of(output))
    if o.json:
        tried = [{"moved": k, **dataclasses.asdict(m)} for k, m in report.found.tried]
        data = {"rows": report.rows(), "recipe": report.recipe, "tried": tried}
        return parts.print_json({**dataclasses.asdict(report.build), "search": data})
    parts.console().print(str(report.build), markup=False, highlight=False)
    parts.console().print(table(report))
    parts.console().print(f"{report.found.measured}; allowed: {report.budget}", highlight=False)
    return 0


def table(report: SearchReport) -> Group:
    """Returns a row for each layer: what was chosen, and why."""
    import math

    from rich.table import Table

    from tealight.report.tables import name_text, time_text, titled

    moved = ", ".join(f"{k}: {m.drop:.3g}" for k, m in report.found.tried)
    title = f"{len(report.layers)} layers; drop by moves: {moved}"
    result = Table()
    result.add_column("layer", overflow="ellipsis", no_wrap=True, min_width=24, max_width=40)
    for name in ("op", "format", "noise", "time", "float32", "why"):
        result.add_column(name)
    for row in report.rows():
        noise = f"{10 * math.log10(row['noise']):.1f} dB" if row["noise"] else ""
        times = time_text(row["ns"]), time_text(row["float32_ns"])
        result.add_row(parts.escape(name_text(row["layer"])), row["op"], row["format"], noise, *times, row["why"])
    return titled(title, result)
