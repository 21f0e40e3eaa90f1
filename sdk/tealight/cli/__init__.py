# SPDX-License-Identifier: Apache-2.0
"""The command line: one function per command (`tealight --help` lists them).

Each command is one Python call of the package with a table around it; --json prints the same as data. Exit codes:
0 done, 1 an error or a failed check, 2 wrong usage, 130 interrupted.
"""

from __future__ import annotations

import argparse
import os
import pathlib
import sys
from collections.abc import Sequence
from typing import Any

import tealight
from tealight.cli import bench, doctor, evaluate, examine, examples, parts, search, serve
from tealight.errors import TealightError


def main(argv: Sequence[str] | None = None) -> int:
    """Runs a command and returns its exit code."""
    options = parser().parse_args(argv)
    try:
        code = int(options.run(options))
        sys.stdout.flush()
        return code
    except TealightError as e:
        parts.print_error(e, options.json)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:  # the reader of our output went away
        pass
    except OSError as e:
        what = "input or output" if e.filename is None else repr(e.filename)
        parts.print_error(TealightError(f"{what}: {e.strerror or e}"), options.json)
    except MemoryError:
        parts.print_error(TealightError("memory: all of it is in use, expected some to be free"), options.json)
    finally:
        parts.flush_output()
    return 1


# ---- arguments ----


def parser() -> argparse.ArgumentParser:
    """Returns the parser of all commands."""
    plain = argparse.RawDescriptionHelpFormatter  # keeps the lines of the examples
    root = argparse.ArgumentParser(
        prog="tealight", description="Builds, runs and examines .tea bundles.", epilog=examples.text(""),
        formatter_class=plain,
    )  # fmt: skip
    root.add_argument("--version", action="version", version=f"tealight {tealight.__version__}")
    commands = root.add_subparsers(dest="command", required=True, metavar="COMMAND", parser_class=parts.Command)
    for name, function, setup in (
        ("build", build, _build_arguments),
        ("run", run, _run_arguments),
        ("serve", serve.run, serve.arguments),
        ("inspect", inspect, _inspect_arguments),
        ("compare", examine.compare, examine.compare_arguments),
        ("diff", examine.diff, examine.diff_arguments),
        ("report", examine.report, examine.report_arguments),
        ("bench", bench.run, bench.arguments),
        ("verify", verify, _verify_arguments),
        ("explain", explain, _explain_arguments),
        ("eval", evaluate.run, evaluate.arguments),
        ("doctor", doctor.run, doctor.arguments),
    ):
        text = (function.__doc__ or "").splitlines()[0]
        command = commands.add_parser(
            name, help=text, description=text, epilog=examples.text(name), formatter_class=plain
        )
        command.set_defaults(run=function)
        command.add_argument("--json", action="store_true", help="print data instead of tables")
        setup(command)
    return root


def _build_arguments(p: argparse.ArgumentParser) -> None:
    p.add_argument("model", help="an .onnx or .tflite file")
    p.add_argument(
        "-o", "--output", metavar="FILE", help="the .tea file to write (default: the model's name with .tea)"
    )
    p.add_argument(
        "--recipe",
        help="how numbers are stored: float32 (default), float16, static_wi8_ai8, dynamic_wi8_af32, "
        "weight_only_wi8_af32, weight_only_wi4_af32, or auto, which searches",
    )  # fmt: skip
    p.add_argument(
        "--recipe-file", metavar="TOML", help="a recipe with overrides for single nodes, instead of --recipe"
    )
    p.add_argument(
        "--calibration", metavar="DATA", help="samples for static recipes: a folder, .npz, .npy, or module:function"
    )
    p.add_argument("--calibration-limit", type=int, metavar="N", help="use no more than N samples")
    p.add_argument(
        "--calibration-state", metavar="FILE", help="keeps what was seen: an interrupted calibration goes on"
    )
    p.add_argument(
        "--shape", action="append", default=[], metavar="INPUT=DIMS",
        help="fix the dims of an input: x=1,3,224,224 (a name keeps a dim open)",
    )  # fmt: skip
    p.add_argument("--name", default="main", help="of the entry point (default: main)")
    p.add_argument("--labels", metavar="FILE", help="text file with one label a line, for the first output")
    p.add_argument(
        "--image", metavar="KEY=VALUE,…",
        help="how a picture becomes an input: mean=123.7:116.3:103.5,scale=0.017,order=RGB,layout=NCHW,input=x",
    )  # fmt: skip
    p.add_argument("--metadata", action="append", default=[], metavar="KEY=TEXT", help="a text to keep in the bundle")
    p.add_argument("--golden", action="store_true", help="keep inputs and their outputs for the self-test on a phone")
    p.add_argument("--no-winograd", action="store_true", help="compute 3x3 convolutions directly: exact order of sums")
    p.add_argument("--html", metavar="FILE", help="also write the HTML report here")
    parts.cluster_argument(p)
    search.arguments(p)


def _run_arguments(p: argparse.ArgumentParser) -> None:
    parts.bundle_argument(p)
    parts.input_arguments(p)
    p.add_argument("--random", action="store_true", help="fill missing inputs with seeded random numbers")
    p.add_argument("-o", "--output", metavar="FILE", help="write the outputs to this .npz file")
    p.add_argument("--top", type=int, default=5, metavar="N", help="how many of the best classes to show (default: 5)")
    p.add_argument("--engine", default="native", help="native (default), or reference (the NumPy judge)")
    parts.session_arguments(p)


def _inspect_arguments(p: argparse.ArgumentParser) -> None:
    parts.bundle_argument(p)
    p.add_argument("--html", metavar="FILE", help="also write the HTML report here")
    p.add_argument("--time", action="store_true", help="run it a few times and show the time of each instruction")
    parts.session_arguments(p)


def _verify_arguments(p: argparse.ArgumentParser) -> None:
    parts.bundle_argument(p)


def _explain_arguments(p: argparse.ArgumentParser) -> None:
    p.add_argument("bundle", help="a .tea file; or a source model, to see what each pass does to it")
    p.add_argument("--node", default="", help="only instructions whose source node holds this text")
    p.add_argument("--shape", action="append", default=[], metavar="INPUT=DIMS", help="of a source model, as for build")
    p.add_argument("--ir", action="store_true", help="of a source model: also print the graph after the passes")


# ---- commands ----


def build(o: argparse.Namespace) -> int:
    """Compiles a source model into a bundle."""
    from tealight._build import check_target
    from tealight.report.html import Extras

    output = o.output or str(pathlib.Path(o.model).with_suffix(".tea"))
    options: dict[str, Any] = {
        "shapes": dict(parts.shape(s) for s in o.shape) or None,
        "name": o.name,
        "metadata": dict(parts.pair(m, "--metadata") for m in o.metadata),
        "golden": o.golden,
        "passes": {"winograd": False} if o.no_winograd else {},
    }
    if o.labels:
        options["labels"] = parts.labels(o.labels)
    if o.image:
        options["image"] = parts.image(o.image)
    options.update(calibration_limit=o.calibration_limit, calibration_state=o.calibration_state)
    if o.html:
        check_target(pathlib.Path(o.html))
    if o.recipe and o.recipe_file:
        raise TealightError(f"--recipe {o.recipe} with --recipe-file {o.recipe_file!r}: two recipes, expected one")
    recipe = o.recipe_file or o.recipe or "float32"
    if recipe == "auto":
        return search.run(o, output, options)
    search.check_unused(o, recipe)
    with parts.cluster(o.cluster) as client:
        report = parts.with_progress(
            o.json,
            lambda progress: tealight.build(
                o.model, output, recipe, o.calibration, progress=progress, client=client, **options
            ),
        )
    if o.html:
        parts.write_html(o.html, parts.summary(output), Extras.of(output))
    if o.json:
        import dataclasses

        return parts.print_json(dataclasses.asdict(report))
    parts.console().print(str(report), markup=False, highlight=False)
    return 0


def run(o: argparse.Namespace) -> int:
    """Runs a bundle on pictures, sound or arrays."""
    import numpy as np

    from tealight.bundle import reader
    from tealight.data import inputs
    from tealight.report import results

    bundle = reader.read_bundle(o.bundle)
    with tealight.Session(o.bundle, threads=o.threads, isa=o.isa, device=o.device, engine=o.engine) as session:
        feeds = inputs.load(o.files, parts.named(o), session.inputs, bundle.images)
        if o.random:
            feeds = inputs.fill(session.inputs, feeds)
        parts.check_given(session.inputs, feeds)
        quiet = o.json or (o.device == "host" and o.engine == "native")  # done before a bar could be seen
        outputs = parts.with_progress(quiet, lambda _: session.run(feeds), f"run on {o.device}")
    if o.output:
        parts.save_arrays(o.output, outputs)
    described = [results.describe(n, np.asarray(a), bundle.labels.get(n), o.top) for n, a in outputs.items()]
    if o.json:
        return parts.print_json({"outputs": described})
    results.show(parts.console(), described)
    return 0


def inspect(o: argparse.Namespace) -> int:
    """Shows what a bundle holds: entry points, memory, every instruction."""
    from tealight.report import tables
    from tealight.report.html import Extras

    timed = o if o.time or o.html else None
    summary = parts.with_progress(o.json or timed is None, lambda _: parts.summary(o.bundle, timed), "measure")
    if o.html:
        parts.write_html(o.html, summary, Extras.of(o.bundle))
    if o.json:
        return parts.print_json(summary.to_json())
    tables.print_summary(parts.console(), summary)
    return 0


def verify(o: argparse.Namespace) -> int:
    """Checks every byte of a bundle: the Python reader, the checksum, the C++ validator, and its golden data."""
    from tealight.bundle import reader
    from tealight.emulator import _ffi

    bundle = reader.read_bundle(o.bundle, check_sha=True)
    checks = ["structure", "checksum"]
    if _ffi.is_built():  # a runtime that was not built here proves nothing about the file
        with tealight.Session(o.bundle) as session:
            checks.append("native validator")
            if bundle.golden:
                session.self_test()
                checks.append("self-test")
    data = {"file": os.path.basename(o.bundle), "valid": True, "checks": checks, "programs": len(bundle.programs)}
    if o.json:
        return parts.print_json(data)
    parts.console().print(f"{data['file']}: valid ({', '.join(checks)})", highlight=False)
    return 0


def explain(o: argparse.Namespace) -> int:
    """Says why each instruction is as it is: what was fused, moved, or could not be avoided."""
    from rich.table import Table

    from tealight.report import explain as why
    from tealight.report.tables import name_text

    if o.bundle.lower().endswith((".onnx", ".tflite")):
        return _explain_source(o)
    if o.ir or o.shape:
        option = "--ir" if o.ir else "--shape"
        raise TealightError(f"{option}: {o.bundle!r} is a bundle, expected a source model (.onnx, .tflite) with it")
    reasons, notes = why.explain(o.bundle, node=o.node)
    if o.json:
        return parts.print_json(why.to_json(reasons, notes))
    console = parts.console()
    if not reasons:
        where = f"instructions whose source node holds {o.node!r}" if o.node else "any instruction"
        console.print(f"nothing to say about {where}", markup=False, highlight=False)
        return 0
    table = Table("#", "op")
    table.add_column("source node", overflow="ellipsis", no_wrap=True, max_width=40)
    table.add_column("why")
    before = -1
    for r in reasons:
        again = r.instruction == before
        known = ("", "", "") if again else (str(r.instruction), r.op, parts.escape(name_text(r.name)))
        table.add_row(*known, parts.escape(r.text))
        before = r.instruction
    console.print(table)
    for node, text in notes:
        console.print(f"note: {node + ': ' if node else ''}{text}", markup=False)
    return 0


def _explain_source(o: argparse.Namespace) -> int:
    """Shows what each pass does to a source model."""
    from rich.table import Table

    from tealight import _build
    from tealight.ir import printer
    from tealight.report.tables import time_text, titled

    if o.node:
        raise TealightError(f"--node: {o.bundle!r} is a source model, expected a bundle (.tea) with it")
    graph = _build.import_model(o.bundle, dict(parts.shape(s) for s in o.shape) or None)
    imported = len(graph.nodes)
    changes = parts.with_progress(o.json, lambda progress: _build.optimise(graph, {}, progress))
    if o.json:
        rows = [{"pass": c.name, "rewrites": c.rewrites, "nodes": c.nodes, "seconds": c.seconds} for c in changes]
        return parts.print_json(
            {"nodes_imported": imported, "passes": rows, "ir": printer.to_text(graph) if o.ir else None}
        )
    table = Table("pass", "rewrites", "nodes left", "time")
    for c in changes:
        if c.rewrites:
            table.add_row(c.name, str(c.rewrites), str(c.nodes), time_text(c.seconds * 1e9))
    console = parts.console()
    console.print(titled(f"{imported} nodes imported", table))
    if o.ir:
        console.print(printer.to_text(graph), markup=False, highlight=False, soft_wrap=True)
    return 0
