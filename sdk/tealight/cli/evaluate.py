# SPDX-License-Identifier: Apache-2.0
"""tealight eval: models, recipes and engines on a labelled set, in one table."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from tealight.cli import parts
from tealight.errors import TealightError

if TYPE_CHECKING:
    from rich.console import Group

    from tealight._evaluate import Evaluation


def arguments(p: argparse.ArgumentParser) -> None:
    """Adds the arguments of the command."""
    p.add_argument("models", nargs="+", metavar="MODEL", help="the source model (.onnx, .tflite), .tea files, or both")
    p.add_argument(
        "--data", required=True,
        help=".npz (an array per input, labels), .npy, a folder of class-named folders, or module:function",
    )  # fmt: skip
    p.add_argument("--labels", help=".npy, or a text file with one class a line, where the data has none")
    p.add_argument(
        "--metric", default="top1", help="top1, map, mse, cosine, auc, reconstruction or module:function (default top1)"
    )
    p.add_argument("--output", help="name of the output that counts (default: the first)")
    p.add_argument(
        "--decode", metavar="MODULE:FUNCTION", help="for map: module:function from outputs to boxes, scores and classes"
    )
    p.add_argument("--recipe", action="append", default=[], help="build this recipe of the source model too")
    p.add_argument("--calibration", help="data for the recipes that need it, in the same forms as --data")
    p.add_argument(
        "--engine", action="append", default=[], metavar="ENGINE",
        help="native, reference, an ISA path (scalar, avx2 …) or a phone (cortex-a53 …); default native",
    )  # fmt: skip
    p.add_argument("--image", metavar="KEY=VALUE,…", help="how a picture becomes an input, as for build")
    p.add_argument("--limit", type=int, metavar="N", help="stop after this many samples")
    p.add_argument("--threads", type=int, default=1, metavar="N", help="of a run (default: 1)")
    p.add_argument(
        "--max-drop",
        type=float,
        metavar="POINTS",
        help="fail when a row loses more than this against the first (in points)",
    )
    parts.cluster_argument(p)


def run(o: argparse.Namespace) -> int:
    """Measures accuracy on a labelled set: float, each recipe, each engine."""
    import tealight

    options: dict[str, Any] = {
        "labels": o.labels, "metric": o.metric, "output": o.output, "decode": o.decode, "recipes": o.recipe,
        "calibration": o.calibration, "engines": o.engine or ["native"], "threads": o.threads, "limit": o.limit,
        "image": parts.image(o.image) if o.image else None,
    }  # fmt: skip
    with parts.cluster(o.cluster) as client:
        found = parts.with_progress(
            o.json, lambda progress: tealight.evaluate(o.models, o.data, client=client, progress=progress, **options)
        )
    if o.json:
        parts.print_json(found.to_json())
    else:
        parts.console().print(table(found))
    scale = 100 if found.metric.unit == "points" else 1
    worst = max(found.drop(r) * scale for r in found.results)
    if o.max_drop is not None and not worst <= o.max_drop:
        raise TealightError(f"the worst row: loses {worst:.4g}, expected at most {o.max_drop:g}")
    return 0


def table(found: Evaluation) -> Group:
    """Returns the table: a row for each model on each engine."""
    from rich.markup import escape
    from rich.table import Table

    from tealight.report.tables import drop_text, figure_text, size_text, time_text, titled

    points = found.metric.unit == "points"
    names = list(found.results[0].figures)
    result = Table("model", "recipe", "engine", "size", "latency", *names, "drop")
    for r in found.results:
        c = r.contender
        result.add_row(
            escape(c.name), escape(c.recipe), escape(c.engine), size_text(c.file_bytes), time_text(r.median_ns) or "-",
            *(figure_text(r.figures[n], points) for n in names), drop_text(found.drop(r), points),
        )  # fmt: skip
    return titled(f"{found.data}, samples: {found.samples}", result)
