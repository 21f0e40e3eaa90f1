# SPDX-License-Identifier: Apache-2.0
"""What the commands share: the terminal, JSON, the progress bar, errors, and options with a form of their own."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import pathlib
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from tealight.errors import TealightError

if TYPE_CHECKING:
    from tealight.emulator.types import TensorInfo
    from tealight.report.html import Extras
    from tealight.report.summary import Summary


class Command(argparse.ArgumentParser):
    """The parser of a command: its options may stand between and before its files."""

    _mixed = False

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Parses as parse_known_intermixed_args does, which comes back here for its parts."""
        if self._mixed:
            return super().parse_known_args(args, namespace)
        self._mixed = True
        try:
            return self.parse_known_intermixed_args(args, namespace)
        finally:
            self._mixed = False


def print_error(error: TealightError, as_json: bool) -> None:
    """Prints an error on stderr, or as data."""
    if as_json:
        fields = {"type": type(error).__name__, "message": str(error), "node": error.node, "op": error.op}
        try:
            print(json.dumps({"error": fields}, indent=2), flush=True)
            return
        except OSError:  # nobody takes the data: a full disk, a closed pipe
            pass
    print(f"error: {error}", file=sys.stderr)


def flush_output() -> None:
    """Writes what was printed; gives it up where it cannot be, so that the end of the program does not fail on it."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def console() -> Any:
    """Returns the terminal of a command."""
    from rich.console import Console

    # A pipe has no width of its own: wide enough that no cell of a table is cut.
    return Console() if sys.stdout.isatty() else Console(width=200, highlight=False)


def escape(text: str) -> str:
    """Returns text that rich prints as it is."""
    from rich.markup import escape

    return escape(text)


def print_json(data: Any) -> int:
    """Prints data and returns exit code 0."""
    from tealight.report.results import finite

    print(json.dumps(finite(data), indent=2, default=str, allow_nan=False))
    return 0


def with_progress(
    quiet: bool, work: Callable[[Callable[[str, int, int], None] | None], Any], stage: str = "start"
) -> Any:
    """Runs work with a progress bar on stderr, where somebody may see it; work that says nothing is one stage."""
    if quiet or not sys.stderr.isatty():
        return work(None)
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description:32}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(stage, total=None)
        return work(lambda stage, i, n: bar.update(task, description=stage, completed=i, total=n))


def pair(text: str, option: str) -> tuple[str, str]:
    """Returns key and value of KEY=VALUE."""
    key, equals, value = text.partition("=")
    if not equals or not key:
        raise TealightError(f"{option} {text!r}: no '=', expected KEY=VALUE")
    return key, value


def shape(text: str) -> tuple[str, list[int | str]]:
    """Returns name and dims of INPUT=DIMS."""
    name, _, dims = text.rpartition("=")
    if not name or not dims:
        raise TealightError(f"--shape {text!r}: not INPUT=DIMS, expected for example x=1,3,224,224")
    return name, [int(d) if d.lstrip("-").isdigit() else d for d in dims.replace("x", ",").split(",")]


def image(text: str) -> dict[str, Any]:
    """Returns the image options of KEY=VALUE,…."""
    result: dict[str, Any] = {}
    for part in text.split(","):
        key, value = pair(part, "--image")
        if key in ("mean", "scale"):
            try:
                result[key] = [float(v) for v in value.split(":")]
            except ValueError as e:
                raise TealightError(f"--image {key}: {value!r}, expected numbers separated by ':'") from e
        else:
            result[key] = int(value) if value.isdigit() else value
    return result


def labels(path: str) -> list[str]:
    """Returns the labels of a text file."""
    try:
        found = pathlib.Path(path).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as e:
        why = e.strerror if isinstance(e, OSError) else "no UTF-8 text"
        raise TealightError(f"labels {path!r}: {why}, expected a text file with one label a line") from e
    if not found:
        raise TealightError(f"labels {path!r}: the file is empty, expected one label a line")
    return found


def bundle_argument(p: argparse.ArgumentParser) -> None:
    """Adds the bundle."""
    p.add_argument("bundle", metavar="BUNDLE", help="a .tea file")


def session_arguments(p: argparse.ArgumentParser) -> None:
    """Adds the options of a session."""
    p.add_argument("--threads", type=int, default=1, metavar="N", help="of a run (default: 1)")
    p.add_argument("--isa", default="auto", help="kernel path: auto (default), scalar, avx2, avx512, neon")
    p.add_argument(
        "--device", default="host",
        help="host (default), or an emulated phone: cortex-a53, cortex-a76, arm64-max, armv7",
    )  # fmt: skip


def input_arguments(p: argparse.ArgumentParser) -> None:
    """Adds the ways of naming inputs."""
    p.add_argument("files", nargs="*", metavar="FILE", help="inputs in order: picture, .wav, .npy; or one .npz")
    p.add_argument("--input", action="append", default=[], metavar="NAME=FILE", help="a single input by name")


def named(o: argparse.Namespace) -> dict[str, str]:
    """Returns the file of each --input."""
    return dict(pair(text, "--input") for text in o.input)


def check_given(infos: Sequence[TensorInfo], found: Mapping[str, Any]) -> None:
    """Raises where no file was named for an input."""
    missing = [i for i in infos if i.name not in found]
    if missing:
        raise TealightError(
            f"input {missing[0].name!r}: no file, expected one for {missing[0]}; name it behind the bundle, with "
            f"--input {missing[0].name}=FILE, or take --random"
        )


def feeds(o: argparse.Namespace) -> dict[str, Any]:
    """Returns the inputs that the arguments name for o.bundle; missing ones are seeded random numbers."""
    import tealight
    from tealight.bundle import reader
    from tealight.data import inputs

    with tealight.Session(o.bundle, engine="reference") as session:
        infos = session.inputs
    return inputs.fill(infos, inputs.load(o.files, named(o), infos, reader.read_bundle(o.bundle).images))


def cluster_argument(p: argparse.ArgumentParser) -> None:
    """Adds --cluster."""
    p.add_argument(
        "--cluster", nargs="?", const="", metavar="ADDRESS",
        help="share the work through Dask: address of a scheduler, or a local cluster without one",
    )  # fmt: skip


@contextlib.contextmanager
def cluster(address: str | None) -> Iterator[Any]:
    """Gives a Dask client for --cluster (None without it) and closes it."""
    if address is None:
        yield None
        return
    from tealight.evaluation.distributed import connect

    with connect(address or None) as client:
        yield client


def summary(path: str, timed: argparse.Namespace | None = None) -> Summary:
    """Returns the summary, with the native runtime's memory promise (and times) where it is built."""
    from tealight.report import bench as measure
    from tealight.report.summary import summarize

    result = summarize(path)
    session = {} if timed is None else {"threads": timed.threads, "isa": timed.isa, "device": timed.device}
    measure.add_native(result, path, timed=timed is not None, **session)
    return result


def write_html(path: str, summary: Summary, extras: Extras) -> None:
    """Writes the HTML report."""
    from tealight.bundle import writer
    from tealight.report import html

    writer.write(path, html.page(summary, extras).encode())


def save_arrays(path: str, arrays: dict[str, Any]) -> None:
    """Writes arrays to an .npz file."""
    import io

    import numpy as np

    from tealight.bundle import writer

    data = io.BytesIO()
    np.savez(data, **arrays)
    writer.write(path if path.endswith(".npz") else f"{path}.npz", data.getvalue())
