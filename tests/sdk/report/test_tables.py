# SPDX-License-Identifier: Apache-2.0
"""Numbers for people."""

import io
import math

import pytest
from rich.console import Console
from rich.table import Table

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
        (tables.db_text(41.46), "41.5 dB"),
        (tables.db_text(math.inf), "exact"),
        (tables.db_text(None), ""),
        (tables.figure_text(2 / 3, True), "66.67%"),
        (tables.figure_text(2 / 3, False), "0.666667"),
        (tables.drop_text(0.005, True), "0.50"),
        (tables.name_text("block/conv;block/add;block/relu"), "block/conv; …"),
        (tables.name_text("block/conv"), "block/conv"),
    ],
)
def test_text(found, expected):
    assert found == expected


def test_a_title_is_one_line_over_a_narrow_table():
    table = Table("class")
    table.add_row("1")
    out = io.StringIO()
    Console(file=out, width=80).print(tables.titled("best of [a] very_long/name/of/an/output", table))
    assert out.getvalue().splitlines()[0].strip() == "best of [a] very_long/name/of/an/output"
