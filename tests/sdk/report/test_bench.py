# SPDX-License-Identifier: Apache-2.0
"""Measurements; the native ones are in test_cli.py."""

import pytest

from tealight.errors import TealightError
from tealight.report import bench


def test_refuses_no_runs():
    with pytest.raises(TealightError, match="runs 0"):
        bench.measure("m.tea", runs=0, warmup=0, threads=1, isa="auto", device="host")


def test_text():
    assert bench.text("open_ns", 2_000_000) == "2 ms"
    assert bench.text("arena_bytes", 1000) == "1.0 KB"
    assert bench.text("runs", 5) == "5"
