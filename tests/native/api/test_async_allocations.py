# SPDX-License-Identifier: Apache-2.0
"""An app in C that runs asynchronously: after the first run, nothing is allocated."""

from __future__ import annotations

import pathlib
import subprocess

import pytest
from sdk.test_build import small_cnn

import tealight

ROOT = pathlib.Path(__file__).resolve().parents[3]
BUILD = ROOT / "build" / "host"


def test_asynchronous_runs_allocate_nothing(tmp_path):
    if not (BUILD / "libtealight.so").exists():
        pytest.skip("build/host/libtealight.so is not built; tools/test builds it")
    tealight.build(small_cnn(), tmp_path / "cnn.tea")
    program = tmp_path / "async_runs"
    sources = [pathlib.Path(__file__).with_name("async_runs.c"), ROOT / "tests" / "models" / "count_allocations.c"]
    flags = ["-std=gnu11", "-O1", "-fno-builtin", "-Wall", "-Wextra", "-Werror", "-pthread"]
    include, link = ["-I", str(ROOT / "native" / "include")], [f"-L{BUILD}", "-ltealight", f"-Wl,-rpath,{BUILD}"]
    subprocess.run(["gcc", *flags, *include, *map(str, sources), *link, "-o", str(program)], check=True)
    done = subprocess.run([program, tmp_path / "cnn.tea"], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.split() == ["0", "1"]
