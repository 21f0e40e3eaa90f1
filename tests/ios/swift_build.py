# SPDX-License-Identifier: Apache-2.0
"""Where the Swift package, its build and the libraries are, and how the toolchain is run."""

from __future__ import annotations

import pathlib
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "ios"
HEADER = ROOT / "native" / "include" / "tealight.h"
LIBRARY = ROOT / "build" / "host"
SANITIZED = ROOT / "build" / "asan"
SCRATCH = ROOT / "build" / "ios"
PROBE = SCRATCH / "release" / "probe"
#: Where a toolchain may lie that is not on PATH.
TOOLCHAIN = pathlib.Path("/opt/swift/usr/bin")

#: Marks of the tests that share the build folder.
built = [pytest.mark.slow, pytest.mark.xdist_group("swift")]


def run(environment: dict[str, str], *command: object, cwd: pathlib.Path = ROOT, timeout: float = 600) -> str:
    """Runs a command; returns what it printed."""
    words = [str(word) for word in command]
    done = subprocess.run(words, env=environment, capture_output=True, text=True, timeout=timeout, cwd=cwd)
    text = done.stdout + done.stderr
    assert done.returncode == 0, f"{' '.join(words)}: {text[-6000:]}"
    return text


def compile_with_package(environment: dict[str, str], program: pathlib.Path, *sources: object) -> None:
    """Compiles a program over the built package as SwiftPM would: Swift 6, no warnings."""
    module = PACKAGE / "Sources" / "CTealight" / "module.modulemap"
    objects = sorted((SCRATCH / "release" / "Tealight.build").glob("*.o"))
    run(
        environment, "swiftc", "-swift-version", "6", "-warnings-as-errors", "-parse-as-library", *sources, *objects,
        "-I", SCRATCH / "release" / "Modules", "-Xcc", f"-fmodule-map-file={module}",
        f"-L{LIBRARY}", "-ltealight", "-Xlinker", f"-rpath={LIBRARY}", "-o", program,
    )  # fmt: skip
