# SPDX-License-Identifier: Apache-2.0
"""tealight bench: times and memory of a bundle here, on an emulated phone, or on a phone behind adb."""

from __future__ import annotations

import argparse
import os
from typing import Any

from tealight.cli import parts
from tealight.errors import TealightError


def arguments(p: argparse.ArgumentParser) -> None:
    """Adds the arguments of the command."""
    parts.bundle_argument(p)
    p.add_argument("--runs", type=int, default=50, metavar="N", help="timed runs (default: 50)")
    p.add_argument("--warmup", type=int, default=5, metavar="N", help="runs before those (default: 5)")
    p.add_argument(
        "--adb", nargs="?", const="", metavar="SERIAL",
        help="run on a phone: the one that is connected, or the one of this serial (write it after the bundle)",
    )  # fmt: skip
    p.add_argument("--library", metavar="SO", help="with --adb: run this libtealight.so, not the runtime in the runner")
    p.add_argument("-o", "--output", metavar="NPZ", help="with --adb: write the outputs to this .npz file")
    parts.session_arguments(p)


def run(o: argparse.Namespace) -> int:
    """Measures load time, latency and memory of a bundle on this machine, or on a phone (--adb)."""
    from tealight.report import bench as measure

    if o.adb is not None:
        return _run_on_phone(o)
    if o.library or o.output:
        raise TealightError(f"{'--library' if o.library else '--output'}: without --adb, expected a phone to run on")
    result = parts.with_progress(
        o.json,
        lambda progress: measure.measure(
            o.bundle, runs=o.runs, warmup=o.warmup, threads=o.threads, isa=o.isa, device=o.device, progress=progress
        ),
    )
    if o.json:
        return parts.print_json(result)
    _print(o.bundle, result)
    return 0


def _run_on_phone(o: argparse.Namespace) -> int:
    from tealight.report import bench as measure
    from tealight.report import tables

    if o.device != "host":
        raise TealightError(f"--adb with --device {o.device}: two devices, expected one of them")
    result, outputs = measure.measure_phone(
        o.bundle, o.adb, runs=o.runs, warmup=o.warmup, threads=o.threads, isa=o.isa, library=o.library
    )
    if o.output:
        parts.save_arrays(o.output, outputs)
    problem = measure.phone_problem(result)
    if o.json:
        parts.print_json({**result, "problem": problem})
    else:
        _print(o.bundle, {k: v for k, v in result.items() if k != "profile"})
        parts.console().print(tables.profile_table(result["profile"]))
    if problem:
        parts.print_error(TealightError(problem), False)
    return int(bool(problem))


def _print(bundle: str, result: dict[str, Any]) -> None:
    from tealight.report import bench as measure
    from tealight.report import tables

    rows = [
        (k.removesuffix("_ns").removesuffix("_bytes").replace("_", " "), measure.text(k, v)) for k, v in result.items()
    ]
    tables.pairs(parts.console(), os.path.basename(bundle), rows)
