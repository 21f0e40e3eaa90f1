# SPDX-License-Identifier: Apache-2.0
"""Outputs are described by what they are."""

import numpy as np

from tealight.report import results


def test_rows_of_numbers_are_classes():
    data = results.describe("y", np.array([[0.1, 0.7, 0.2]], np.float32), ["a", "b", "c"], 2)
    assert [(t["index"], t["label"]) for t in data["top"]] == [(1, "b"), (2, "c")]


def test_pictures_are_not():
    data = results.describe("y", np.zeros((1, 4, 4, 3), np.float32), None, 5)
    assert "top" not in data and data["max"] == 0


def test_small_integers_are_shown():
    assert results.describe("y", np.array([3, 4]), None, 5)["values"] == [3, 4]
    assert results.describe("y", np.zeros((0, 3), np.int64), None, 5)["values"] == []
