# SPDX-License-Identifier: Apache-2.0
"""Runs the C++ unit tests: plain, with AddressSanitizer and UBSan, and with ThreadSanitizer."""

from __future__ import annotations

import os
import pathlib
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]


@pytest.mark.slow
@pytest.mark.parametrize("build", ["host", "asan", "tsan"])
def test_unit_tests_pass(build):
    program = ROOT / "build" / build / "tealight_tests"
    if not program.exists():
        pytest.skip(f"build/{build}/tealight_tests is not built; tools/test builds it")
    environment = {
        **os.environ,
        "ASAN_OPTIONS": "detect_leaks=1",
        "UBSAN_OPTIONS": "halt_on_error=1:print_stacktrace=1",
    }
    done = subprocess.run([program, "--gtest_brief=1"], capture_output=True, text=True, timeout=600, env=environment)
    assert done.returncode == 0, (done.stdout + done.stderr)[-6000:]
    assert "PASSED" in done.stdout
