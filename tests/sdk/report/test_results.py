# SPDX-License-Identifier: Apache-2.0
"""Outputs are described by what they are."""

import io

import numpy as np
from rich.console import Console

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


def rows(classes: list[int], count: int) -> np.ndarray:
    return np.eye(count, dtype=np.float32)[classes][None]


def test_a_sequence_of_classes_is_a_text():
    labels = ["", "h", "e", "l", "o", " "]
    array = rows([1, 1, 0, 2, 3, 3, 0, 3, 4, 4, 0, 5], 6)
    data = results.describe("y", array, labels, 5)
    assert data["text"] == "hello" and "top" not in data
    assert results.describe("y", rows([0, 1, 1], 2), ["a", "b"], 5)["text"] == "a b b"
    assert results.describe("y", rows([0], 6), labels, 5)["top"][0]["label"] == ""
    shown = Console(width=80, record=True, file=io.StringIO())
    results.show(shown, [data])
    assert "y reads: hello" in shown.export_text()


def test_labels_of_another_length_say_nothing_of_a_sequence():
    data = results.describe("y", rows([0, 1], 3), ["a", "b"], 5)
    assert "text" not in data and "top" not in data
