# SPDX-License-Identifier: Apache-2.0
"""The sections hold their figures, escaped, and mark what is bad."""

import math

import numpy as np
import pytest

from tealight.emulator.layer_errors import LayerError
from tealight.report import html_sections as sections
from tealight.report.diff import Change, Diff, Fact
from tealight.report.weights import WeightHistogram


def error(i: int, local: float | None, whole: float) -> LayerError:
    return LayerError(i, "q_conv2d", "n", f"<v{i}>", (1, 4), 0.5, 3, whole, local, 0.9, 0.1, 2.0, 0.25, 1, 4)


@pytest.mark.parametrize(("db", "name"), [(40, "good"), (20, "fair"), (3, "poor"), (math.inf, "good"), (None, "")])
def test_level(db, name):
    assert sections.level(db) == name


def test_errors_worst_first():
    text = sections.errors([error(0, 40.0, 40.0), error(1, 5.0, 4.0), error(2, None, 20.0)])
    table = text[text.index("<table>") :]
    assert table.index("&lt;v1&gt;") < table.index("&lt;v2&gt;") < table.index("&lt;v0&gt;")
    assert "class='poor'" in text and "class='good'" in text and "25 %" in table and "1 of 4" in table
    assert "<v" not in text


def test_weights_show_what_is_wrong():
    histogram = WeightHistogram(1, "q_conv2d", "<n>", "int8", 8, np.ones((64, 8), np.int64), 2, 0.9)
    text = sections.weights([histogram], [error(1, 5.0, 4.0)])
    assert "2 of zeros only" in text and "leaves 90 % of the range empty" in text and "&lt;n&gt;" in text
    assert text.count("data:image/png") == 1


def test_accuracy():
    row = {"model": "m<", "recipe": "float32", "engine": "native", "file_bytes": 1000, "median_ns": 2e6,
           "samples": 5, "figures": {"top1": 0.75}, "drop": 0.0}  # fmt: skip
    text = sections.accuracy({"data": "set", "samples": 5, "rows": [row]})
    assert all(t in text for t in ("m&lt;", "0.75", "2 ms", "1.0 KB", "top1", "set, 5 samples"))


def test_previous():
    facts = [Fact("file", "4 MB", "1 MB", 0.25), Fact("recipe", "a", "a")]
    found = Diff("old.tea", "new.tea", facts, [Change("v", "conv2d", "")], [], 3)
    text = sections.previous(found)
    assert "x 0.25" in text and "Instructions that differ: 1" in text and "recipe" not in text
    assert "No other facts" in sections.previous(Diff("a", "b", facts[1:], [], [], 3))
