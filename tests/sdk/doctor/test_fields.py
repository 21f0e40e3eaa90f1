# SPDX-License-Identifier: Apache-2.0
"""Reads of fields stay inside of the file."""

from __future__ import annotations

import pytest

from tealight.doctor.fields import Fields
from tealight.errors import TealightError

F = Fields(b"\x01\x02\x03\x04ab\0c", "f")


def test_reads():
    assert F.at("HH", 0, "x") == (0x201, 0x403) and Fields(b"\x01\x02", "f", ">").at("H", 0, "x") == (0x102,)
    assert F.span(4, 2, "x") == b"ab" and F.text(4, 8, "x") == "ab"


@pytest.mark.parametrize("offset", [-1, 5, 1 << 70])
def test_outside_is_an_error(offset):
    with pytest.raises(TealightError, match=rf"f: x at byte {offset}, expected it in a file of 8 bytes"):
        F.at("I", offset, "x")
    with pytest.raises(TealightError, match="f: x at byte"):
        F.span(offset, 4, "x")


@pytest.mark.parametrize(("offset", "end"), [(7, 8), (4, 6), (-1, 8), (9, 9)])
def test_a_string_without_end_is_an_error(offset, end):
    with pytest.raises(TealightError, match="without end"):
        F.text(offset, end, "x")


def test_a_long_string_is_an_error():
    with pytest.raises(TealightError, match="4096 bytes"):
        Fields(b"a" * 5000 + b"\0", "f").text(0, 5001, "x")
