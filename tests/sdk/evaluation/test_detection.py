# SPDX-License-Identifier: Apache-2.0
"""Average precision against values worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from tealight.evaluation import detection
from tealight.evaluation.detection import match, mean_average_precision

A = [0, 0, 10, 10]
B = [20, 20, 30, 30]


def found(boxes, scores, classes=None):
    return {"boxes": boxes, "scores": scores, "classes": classes or [0] * len(boxes)}


def truth(boxes, classes=None):
    return {"boxes": boxes, "classes": classes or [0] * len(boxes)}


def test_overlap_is_intersection_over_union():
    table = detection.overlap(np.array([A, [5, 5, 5, 9]], float), np.array([A, [5, 0, 15, 10], B], float))
    assert np.allclose(table, [[1, 50 / 150, 0], [0, 0, 0]])


def test_perfect_boxes_have_precision_1():
    assert mean_average_precision([match(found([A, B], [0.9, 0.8]), truth([A, B]))]) == {"map50": 1.0, "map": 1.0}


def test_a_false_box_between_two_right_ones():
    # Falling score: right, false, right; 2 true boxes. Recall 0.5 at precision 1, recall 1 at precision 2/3.
    # 51 of the 101 recalls (0 .. 0.5) read 1, the other 50 read 2/3.
    far = [50, 50, 60, 60]
    got = mean_average_precision([match(found([A, far, B], [0.9, 0.8, 0.7]), truth([A, B]))])
    assert got["map50"] == pytest.approx((51 + 50 * 2 / 3) / 101)


def test_overlap_of_0_72_counts_up_to_0_7():
    # [0, 0, 10, 7.2] overlaps A by 0.72: right at 0.5, 0.55, 0.6, 0.65, 0.7 and wrong at the other five.
    got = mean_average_precision([match(found([[0, 0, 10, 7.2]], [0.9]), truth([A]))])
    assert got == {"map50": 1.0, "map": pytest.approx(0.5)}


def test_a_true_box_is_taken_once():
    # The second box on A is false: precision 1/2 does not matter after recall 1 at precision 1.
    assert mean_average_precision([match(found([A, A], [0.9, 0.8]), truth([A]))])["map50"] == 1.0
    # As the first of the ranking it does: two boxes, the better scored misses.
    far = [50, 50, 60, 60]
    assert mean_average_precision([match(found([A, far], [0.8, 0.9]), truth([A]))])["map50"] == pytest.approx(0.5)


def test_missing_box_halves_recall_and_unknown_class_does_not_count():
    got = mean_average_precision([match(found([A], [0.9]), truth([A, B]))])
    assert got["map50"] == pytest.approx(51 / 101)
    assert mean_average_precision([match(found([A, B], [0.9, 0.8], [0, 7]), truth([A]))])["map50"] == 1.0
    assert mean_average_precision([match(found([A], [0.9], [1]), truth([A]))])["map50"] == 0.0


def test_classes_are_averaged_over_pictures():
    pictures = [
        match(found([A], [0.9]), truth([A])),
        match(found([], []), truth([B], [1])),  # class 1 is never found
    ]
    assert mean_average_precision(pictures) == {"map50": 0.5, "map": 0.5}
    assert mean_average_precision([match(found([], []), truth([]))]) == {"map50": 0.0, "map": 0.0}
