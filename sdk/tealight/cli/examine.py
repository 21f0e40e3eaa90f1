# SPDX-License-Identifier: Apache-2.0
"""tealight compare, diff, report: a bundle beside its source model, beside another bundle, and all on one page."""

from __future__ import annotations

import argparse
import dataclasses
import json
import math
import os
import pathlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import tealight
from tealight.cli import parts
from tealight.errors import TealightError

if TYPE_CHECKING:
    from tealight.emulator.layer_errors import LayerError

#: Rows shown without --all.
_WORST = 10
_TOLERANCE = 1e-4


def compare_arguments(p: argparse.ArgumentParser) -> None:
    """Adds the arguments of compare."""
    p.add_argument("model", help="the source model, or a float .tea; '-' compares with the reference engine only")
    parts.bundle_argument(p)
    parts.input_arguments(p)
    p.add_argument(
        "--tolerance", type=float,
        help=f"of the largest error, relative to the output's range (default {_TOLERANCE:g}; none for quantized ones)",
    )  # fmt: skip
    p.add_argument("--all", action="store_true", help="show every layer, not only the ten that differ most")
    parts.session_arguments(p)


def compare(o: argparse.Namespace) -> int:
    """Compares a bundle with its source model, layer by layer."""
    feeds = parts.feeds(o)
    model = None if o.model == "-" else o.model
    result = parts.with_progress(
        o.json,
        lambda _: tealight.compare(model, o.bundle, feeds, threads=o.threads, isa=o.isa, device=o.device),
        "compare",
    )
    tolerance = o.tolerance if o.tolerance is not None else math.inf if result.quantization else _TOLERANCE
    worst = max((d.relative for d in result.outputs), default=0.0)
    passed = worst <= tolerance and not math.isnan(worst)
    if o.json:
        data = {
            "judge": result.judge, "passed": passed, "tolerance": tolerance, "worst": worst,
            "outputs": [_difference(d) for d in result.outputs], "layers": [_difference(d) for d in result.layers],
            "quantization": [dataclasses.asdict(e) for e in result.quantization],
        }  # fmt: skip
        parts.print_json(data)
    else:
        _print(result, o.all, f"largest error {worst:.2e} of the range" + _verdict(passed, tolerance))
    return 0 if passed else 1


def _verdict(passed: bool, tolerance: float) -> str:
    return "" if math.isinf(tolerance) else f", {'within' if passed else 'above'} {tolerance:g}"


def _print(result: Any, everything: bool, verdict: str) -> None:
    from tealight.report import tables

    console = parts.console()
    layers = result.layers if everything else sorted(result.layers, key=lambda d: -d.relative)[:_WORST]
    title = "layers" if everything else f"the layers that differ most, of {len(result.layers)}"
    console.print(tables.difference_table(f"{title}: native against the reference engine", layers))
    if result.quantization:
        rows = result.quantization if everything else worst_first(result.quantization)[:_WORST]
        title = "layers" if everything else f"the layers that lose most by themselves, of {len(result.quantization)}"
        console.print(tables.error_table(f"{title}: quantized against float", rows))
    console.print(tables.difference_table(f"outputs: native against {result.judge}", result.outputs))
    console.print(verdict)


def worst_first(rows: Sequence[LayerError]) -> list[LayerError]:
    """Returns layers by their local error, the worst first; those without one by their accumulated error."""
    return sorted(rows, key=lambda e: e.sqnr_db if e.local_db is None else e.local_db)


def _difference(d: Any) -> dict[str, Any]:
    return {**dataclasses.asdict(d), "relative": d.relative}


def diff_arguments(p: argparse.ArgumentParser) -> None:
    """Adds the arguments of diff."""
    p.add_argument("before", help="a .tea file")
    p.add_argument("after", help="another one")
    p.add_argument("--all", action="store_true", help="show every change, not only the first twenty")


def diff(o: argparse.Namespace) -> int:
    """Shows what differs between two bundles: sizes, memory, recipe, instructions, weights."""
    from tealight.report import tables
    from tealight.report.diff import diff as find

    found = find(o.before, o.after)
    if o.json:
        return parts.print_json(found.to_json())
    tables.print_diff(parts.console(), found, o.all)
    return 0


def report_arguments(p: argparse.ArgumentParser) -> None:
    """Adds the arguments of report."""
    parts.bundle_argument(p)
    parts.input_arguments(p)
    p.add_argument(
        "-o", "--output", metavar="FILE", help="the .html file to write (default: the bundle's name with .html)"
    )
    p.add_argument("--model", help="the source model, or a float .tea: adds what quantization costs in each layer")
    p.add_argument("--against", metavar="BUNDLE", help="an earlier .tea file: adds what differs")
    p.add_argument("--accuracy", metavar="FILE", help="what `tealight eval --json` printed")
    p.add_argument("--no-time", action="store_true", help="do not run it for the time of each instruction")
    parts.session_arguments(p)


def report(o: argparse.Namespace) -> int:
    """Writes one HTML page on a bundle: graph, errors, time, memory, weights, accuracy, a comparison."""
    from tealight._build import check_target
    from tealight._compare import quantization_errors
    from tealight.report.diff import diff as find
    from tealight.report.html import Extras

    output = o.output or str(pathlib.Path(o.bundle).with_suffix(".html"))
    check_target(pathlib.Path(output))
    accuracy = None if o.accuracy is None else _accuracy(o.accuracy)
    previous = None if o.against is None else find(o.against, o.bundle)
    session = {"threads": o.threads, "isa": o.isa, "device": o.device}
    errors: list[LayerError] = []
    if o.model is not None:
        feeds = [parts.feeds(o)]
        errors = parts.with_progress(
            o.json, lambda _: quantization_errors(o.model, o.bundle, feeds, **session), "what quantization costs"
        )
        if not errors:
            raise TealightError(f"--model: {o.bundle!r} is not quantized, expected a bundle that is; leave it out")
    summary = parts.with_progress(o.json, lambda _: parts.summary(o.bundle, None if o.no_time else o), "measure")
    parts.write_html(output, summary, Extras.of(o.bundle, errors=errors, previous=previous, accuracy=accuracy))
    if o.json:
        return parts.print_json({"output": output, "bytes": os.path.getsize(output), "errors": len(errors)})
    parts.console().print(f"{output}: {os.path.getsize(output):,} bytes", markup=False, highlight=False)
    return 0


def _accuracy(path: str) -> dict[str, Any]:
    try:
        data = json.loads(pathlib.Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError) as e:
        why = e.strerror if isinstance(e, OSError) else "no JSON"
        raise TealightError(f"accuracy {path!r}: {why}, expected what `tealight eval --json` prints") from e
    if not isinstance(data, dict) or not isinstance(data.get("rows"), list):
        raise TealightError(f"accuracy {path!r}: no 'rows', expected what `tealight eval --json` prints")
    return data
