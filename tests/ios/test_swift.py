# SPDX-License-Identifier: Apache-2.0
"""The Swift package on Linux, against the native library of this tree: built once, tested with real models."""

from __future__ import annotations

import os
import pathlib
import shutil
import subprocess

import pytest

from ios import swift_data

ROOT = pathlib.Path(__file__).resolve().parents[2]
LIBRARY = ROOT / "build" / "host"
SCRATCH = ROOT / "build" / "ios"
#: Where a toolchain may lie that is not on PATH.
TOOLCHAIN = pathlib.Path("/opt/swift/usr/bin")

# They share the build folder.
pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("swift")]


@pytest.fixture(scope="session")
def environment():
    """The environment with Swift on PATH."""
    variables = dict(os.environ)
    if shutil.which("swift") is None and (TOOLCHAIN / "swift").exists():
        variables["PATH"] = f"{variables['PATH']}{os.pathsep}{TOOLCHAIN}"
    if shutil.which("swift", path=variables["PATH"]) is None:
        pytest.skip("swift: not on PATH; install Swift 6.1 or newer from swift.org to test the iOS package")
    if not (LIBRARY / "libtealight.so").exists():
        pytest.skip("build/host/libtealight.so is not built; tools/test builds it")
    return variables


def swift(environment: dict[str, str], *command: str, timeout: float = 600) -> str:
    """Runs a command of the toolchain; returns what it printed."""
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=timeout, cwd=ROOT)
    text = done.stdout + done.stderr
    assert done.returncode == 0, text[-6000:]
    return text


@pytest.fixture(scope="session")
def package(environment):
    """Builds the package and its tests; returns the options that name the build."""
    options = ["--package-path", "ios", "--scratch-path", str(SCRATCH)]
    options += ["-Xlinker", f"-L{LIBRARY}", "-Xlinker", f"-rpath={LIBRARY}", "-Xswiftc", "-warnings-as-errors"]
    swift(environment, "swift", "build", "--build-tests", *options)
    return options


@pytest.fixture(scope="session")
def data(assets, tmp_path_factory):
    """The folder that swift_data describes."""
    folder = tmp_path_factory.mktemp("swift")
    swift_data.write(assets, folder)
    return folder


def test_swift_tests_pass(package, data, environment):
    variables = {**environment, "TEALIGHT_TEST_DATA": str(data)}
    text = swift(variables, "swift", "test", "--skip-build", *package)
    assert "Test run with" in text and "passed" in text
