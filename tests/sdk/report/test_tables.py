# SPDX-License-Identifier: Apache-2.0
"""Numbers for people."""

import pytest

from tealight.report import tables


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (tables.size_text(0), "0 B"),
        (tables.size_text(1500), "1.5 KB"),
        (tables.size_text(2_000_000_000), "2.00 GB"),
        (tables.size_text(None), "?"),
        (tables.count_text(300_774_272), "300.8 M"),
        (tables.count_text(0), ""),
        (tables.time_text(1_250_000), "1.25 ms"),
        (tables.time_text(None), ""),
    ],
)
def test_text(found, expected):
    assert found == expected
