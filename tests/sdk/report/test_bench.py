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


GOOD = {"phone": "P (1)", "abi": "arm64-v8a", "self_test": "passed", "same_bits_as_here": True}


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({}, ""),
        ({"self_test": "none", "same_bits_as_here": None}, ""),
        ({"same_bits_as_here": False, "abi": "armeabi-v7a"}, ""),
        ({"self_test": "output 'y' differs"}, "self-test gave \"output 'y' differs\""),
        ({"same_bits_as_here": False}, "other bits than on this machine"),
    ],
)
def test_what_makes_a_phone_fail(change, problem):
    assert problem in bench.phone_problem({**GOOD, **change}) and bool(bench.phone_problem({**GOOD, **change})) == bool(
        problem
    )
