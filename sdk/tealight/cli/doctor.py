# SPDX-License-Identifier: Apache-2.0
"""tealight doctor: a table of what is right and wrong with the files that an app ships."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from tealight.cli import parts

if TYPE_CHECKING:
    from tealight.doctor import Report

_STYLES = {"ok": "green", "warning": "yellow", "error": "bold red"}


def arguments(p: argparse.ArgumentParser) -> None:
    """Adds the arguments of the command."""
    p.add_argument(
        "files",
        nargs="+",
        metavar="FILE",
        help=".apk, .aar, .xcframework, .so, .tea; bundles are compared with the runtimes beside them",
    )
    p.add_argument(
        "--runtime", metavar="SO", help="the runtime that bundles are compared with (default: that of this package)"
    )
    p.add_argument(
        "--linux-libraries",
        action="store_true",
        help="accept libraries of Linux in an .apk or .aar made without the NDK",
    )
    p.add_argument("--strict", action="store_true", help="warnings count as errors")


def run(o: argparse.Namespace) -> int:
    """Examines libraries, packages and bundles before a phone does; exit code 1 on errors."""
    from tealight import doctor
    from tealight.emulator import _ffi

    installed = _ffi.native_folder() / "libtealight.so"
    runtime = o.runtime or (installed if installed.is_file() else None)
    report = doctor.examine(o.files, runtime, linux_libraries=o.linux_libraries)
    failed = report.errors > 0 or (o.strict and report.warnings > 0)
    if o.json:
        rows = [
            {"file": f.file, "part": f.part, "check": f.check, "level": f.level.value, "text": f.text}
            for f in report.findings
        ]
        parts.print_json({"findings": rows, "errors": report.errors, "warnings": report.warnings, "passed": not failed})
    else:
        _print(report)
    return int(failed)


def _print(report: Report) -> None:
    from rich.table import Table

    console = parts.console()
    table = Table("", "check", "in", "finding")
    for f in report.findings:
        style = _STYLES[f.level.value]
        where = f.file if f.part in ("", f.file) else f"{f.file}: {f.part}"
        table.add_row(f"[{style}]{f.level.value}[/]", *map(parts.escape, (f.check, where, f.text)))
    console.print(table)
    console.print(f"errors: {report.errors}, warnings: {report.warnings}", highlight=False)
