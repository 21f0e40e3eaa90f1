# SPDX-License-Identifier: Apache-2.0
"""Boxes are found in every known form of outputs, and in no other."""

import numpy as np
import pytest

from tealight.evaluation import boxes

SIZE = (96, 160)
# x1, y1, x2, y2 of the picture; the second is the first one again, a little aside and worse.
BOXES = np.array([[0.1, 0.2, 0.5, 0.6], [0.12, 0.2, 0.5, 0.6], [0.5, 0.5, 1.0, 1.0]])
SCORES = np.array([0.9, 0.7, 0.8])
CLASSES = np.array([2, 2, 1])


def table(first: int, classes: int = 3) -> np.ndarray:
    """Returns scores of each class, those of BOXES at CLASSES + first."""
    scores = np.zeros((1, len(BOXES), classes + first), np.float32)
    scores[0, np.arange(len(BOXES)), CLASSES + first] = SCORES
    return scores


def with_background() -> np.ndarray:
    scores = table(1)
    scores[0, :, 0] = 1 - SCORES
    return scores


def yolo(anchors: bool) -> np.ndarray:
    """Returns a table with BOXES at the first places of SIZE, in pixels."""
    places = (12 * 20 + 6 * 10 + 3 * 5) * (3 if anchors else 1)
    rows = np.zeros((1, places, 8 if anchors else 7), np.float32)
    scale = np.array([SIZE[1], SIZE[0]])
    rows[0, :3, :2] = (BOXES[:, :2] + BOXES[:, 2:]) / 2 * scale
    rows[0, :3, 2:4] = (BOXES[:, 2:] - BOXES[:, :2]) * scale
    if anchors:
        rows[0, :3, 4] = SCORES
        rows[0, np.arange(3), 5 + CLASSES] = 1
    else:
        rows[0, :3, 4:] = table(0)[0]
    return rows


def f32(a: np.ndarray) -> np.ndarray:
    return a[None].astype(np.float32)


FORMS = {
    "named": {"boxes": BOXES, "scores": SCORES, "classes": CLASSES},
    "in pixels": {"boxes": BOXES * [160, 96, 160, 96], "scores": SCORES, "classes": CLASSES},
    "by kind": {"a": CLASSES, "b": SCORES, "c": BOXES},
    "postprocessed": {"a": f32(BOXES[:, [1, 0, 3, 2]]), "b": f32(CLASSES), "c": f32(SCORES), "d": np.array([3.0])},
    "ssd": {"s": table(0), "b": f32(BOXES)},
    "yolo": {"y": yolo(False).transpose(0, 2, 1)},
    "yolo turned": {"y": yolo(False)},
    "yolo with anchors": {"y": yolo(True)},
}


@pytest.mark.parametrize("form", FORMS)
def test_each_form_gives_the_same_boxes(form):
    found = boxes.find(FORMS[form], SIZE)
    np.testing.assert_allclose(found["boxes"], BOXES[[0, 2]], atol=1e-6)
    np.testing.assert_allclose(found["scores"], SCORES[[0, 2]], atol=1e-6)
    assert found["classes"].tolist() == [2, 1]


def test_background_is_no_class():
    found = boxes.find({"b": f32(BOXES), "s": with_background()}, SIZE)
    assert found["classes"].tolist() == [3, 2]


def test_count_of_the_postprocessing_cuts():
    form = {**FORMS["postprocessed"], "d": np.array([1.0])}
    assert boxes.find(form, SIZE)["scores"].size == 1


def test_boxes_of_other_classes_stay():
    found = boxes.find({"boxes": BOXES, "scores": SCORES, "classes": np.arange(3)}, SIZE)
    assert found["scores"].tolist() == [0.9, 0.8, 0.7]


@pytest.mark.parametrize(
    "outputs",
    [
        {"y": np.zeros((1, 1000), np.float32)},
        {"y": np.zeros((1, 3, 64, 64), np.float32)},
        {"s": np.full((1, 3, 2), 5.0), "b": f32(BOXES)},  # no scores
        {"boxes": -f32(BOXES), "scores": with_background()},  # offsets, not boxes
        {"a": np.zeros(3), "b": np.zeros(3), "c": np.zeros(3)},
        {"boxes": np.zeros((2, 4)), "scores": np.zeros(3), "classes": np.zeros(3, int)},
        {},
    ],
)
def test_other_outputs_hold_no_boxes(outputs):
    assert boxes.find(outputs, SIZE) is None


def test_nothing_found_is_an_empty_list():
    found = boxes.find({"boxes": BOXES, "scores": SCORES * 0, "classes": CLASSES}, SIZE)
    assert found["boxes"].shape == (0, 4)


def test_numbers_that_are_not_finite_are_left_out():
    bad = BOXES.copy()
    bad[0, 0] = np.nan
    assert boxes.find({"boxes": bad, "scores": SCORES, "classes": CLASSES}, SIZE)["scores"].tolist() == [0.8, 0.7]
