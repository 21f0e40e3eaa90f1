# SPDX-License-Identifier: Apache-2.0
"""Examines what is shipped: libraries, packages and bundles, before a phone does.

    report = doctor.examine(["libtealight.so", "model.tea"])
    if report.errors: ...

Files are only read, never run, and may be of any processor. A damaged or hostile file is a finding, never a crash.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Sequence

from tealight.doctor.checks import CHECKS
from tealight.doctor.findings import Finding, Level
from tealight.doctor.load import load_safely
from tealight.doctor.package import Library, Package, Slice
from tealight.errors import TealightError

__all__ = ["Finding", "Level", "Report", "examine"]


@dataclasses.dataclass(frozen=True)
class Report:
    """All findings, in the order of the files."""

    findings: tuple[Finding, ...]

    @property
    def errors(self) -> int:
        """How many findings are errors."""
        return sum(f.level is Level.ERROR for f in self.findings)

    @property
    def warnings(self) -> int:
        """How many findings are warnings."""
        return sum(f.level is Level.WARNING for f in self.findings)


def examine(
    paths: Sequence[str | os.PathLike[str]],
    runtime: str | os.PathLike[str] | None = None,
    *,
    linux_libraries: bool = False,
) -> Report:
    """Examines files.

    Args:
        paths: .apk, .aar, .xcframework, .so and .tea files.
        runtime: The library that bundles are compared with where none of the files has one; it is not examined.
        linux_libraries: Accept libraries of Linux in an Android package: it was made without the NDK, for tests.

    Raises:
        TealightError: The runtime is none.
    """
    packages = [load_safely(os.fspath(p)) for p in paths]
    _find_runtimes(packages, runtime)
    findings = []
    for package in packages:
        package.may_be_linux = linux_libraries
        rows = [*package.contents, *(row for check in CHECKS for row in check(package))]
        findings += [dataclasses.replace(row, file=package.name) for row in rows]
    return Report(tuple(findings))


def _find_runtimes(packages: Sequence[Package], runtime: str | os.PathLike[str] | None) -> None:
    """Gives each package the runtimes of its bundles: its own ones first."""
    given = [r for p in packages for r in _runtimes(p)]
    if not given and runtime is not None:
        loaded = load_safely(os.fspath(runtime))
        given = _runtimes(loaded)
        if not given:
            texts = [f.text for f in loaded.contents if f.level is Level.ERROR]
            raise TealightError(f"runtime {texts[0] if texts else f'{loaded.name}: no build info, expected a runtime'}")
    for p in packages:
        p.runtimes = _runtimes(p) or given


def _runtimes(package: Package) -> list[Library | Slice]:
    return [part for part in package.parts if part.info is not None]
