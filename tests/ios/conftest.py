# SPDX-License-Identifier: Apache-2.0
"""The Swift package, built once, and what its tests read."""

from __future__ import annotations

import os
import pathlib
import shutil

import pytest
from ios.swift_build import LIBRARY, SANITIZED, SCRATCH, TOOLCHAIN, run

from ios import swift_data


@pytest.fixture(scope="session")
def environment() -> dict[str, str]:
    """The environment with Swift on PATH."""
    variables = dict(os.environ)
    if shutil.which("swift") is None and (TOOLCHAIN / "swift").exists():
        variables["PATH"] = f"{variables['PATH']}{os.pathsep}{TOOLCHAIN}"
    if shutil.which("swift", path=variables["PATH"]) is None:
        pytest.skip("swift: not on PATH; install Swift 6.1 or newer from swift.org to test the iOS package")
    if not (LIBRARY / "libtealight.so").exists():
        pytest.skip("build/host/libtealight.so is not built; tools/test builds it")
    return variables


@pytest.fixture(scope="session")
def package(environment) -> list[str]:
    """Builds the package and its tests; returns the options that name the build."""
    options = ["-c", "release", "--package-path", "ios", "--scratch-path", str(SCRATCH)]
    options += ["-Xlinker", f"-L{LIBRARY}", "-Xlinker", f"-rpath={LIBRARY}", "-Xswiftc", "-warnings-as-errors"]
    run(environment, "swift", "build", "--build-tests", *options)
    return options


@pytest.fixture(scope="session")
def data(assets, native, tmp_path_factory) -> pathlib.Path:
    """The folder that swift_data describes."""
    folder = tmp_path_factory.mktemp("swift")
    swift_data.write(assets, folder)
    return folder


@pytest.fixture(scope="session")
def sanitized(environment, package) -> dict[str, str]:
    """An environment in which the probe uses the library that AddressSanitizer and its leak checker watch."""
    if not (SANITIZED / "libtealight.so").exists():
        pytest.skip("build/asan/libtealight.so is not built; tools/test builds it")
    libraries = [run(environment, "gcc", f"-print-file-name=lib{name}.so").strip() for name in ("asan", "ubsan")]
    return {**environment, "LD_PRELOAD": " ".join(libraries), "LD_LIBRARY_PATH": str(SANITIZED)}
