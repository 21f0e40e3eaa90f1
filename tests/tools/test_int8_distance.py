# SPDX-License-Identifier: Apache-2.0
"""The distance table: what is compared, and what is said of it."""

from __future__ import annotations

import pathlib

import numpy as np
from tool_scripts import tool

int8_distance = tool("int8_distance")


def engine(offset: int, *more: str):
    """Adds an offset to what it is fed; results of other names too."""
    return lambda x: {"t": x + np.int8(offset), **{name: x for name in more}}


def test_distances_of_every_pair() -> None:
    engines = {"tealight": engine(0), "a": engine(2), "b": engine(-1, "only b")}
    inputs = [np.zeros((1, 4), np.int8), np.ones((1, 4), np.int8)]
    table = int8_distance.compare(engines, inputs)
    assert set(table["tealight", "a"]) == {"t"}
    pairs = int8_distance.summary(table)
    assert pairs == {("tealight", "a"): (2, 2.0), ("tealight", "b"): (1, 1.0), ("a", "b"): (3, 3.0)}
    assert int8_distance.verdicts(pairs) == [("a", 2.0, 3.0, 3.0), ("b", 1.0, 3.0, 3.0)]


def test_report_says_when_ours_is_the_larger() -> None:
    engines = {"tealight": engine(9), "a": engine(0), "b": engine(1)}
    table = int8_distance.compare(engines, [np.zeros((1, 4), np.int8)])
    lines = int8_distance.report(pathlib.Path("folder/m.tflite"), table, tensors=True)
    assert sum("LARGER" in line for line in lines) == 2 and any(line.startswith("    t: ") for line in lines)


def test_images_of_tflite_are_turned() -> None:
    run = int8_distance.channels_first(lambda x: {"image": np.zeros((1, 4, 5, 6)), "flat": np.zeros((2, 3))})
    assert {k: v.shape for k, v in run(np.zeros(1)).items()} == {"image": (1, 6, 4, 5), "flat": (2, 3)}
