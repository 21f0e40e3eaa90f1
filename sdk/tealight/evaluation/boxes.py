# SPDX-License-Identifier: Apache-2.0
"""Boxes in the outputs of a detection model, where their form tells what they are.

Known forms, n boxes and c classes:
- three outputs [n, 4], [n] and integer [n] (or named boxes, scores, classes): boxes, scores, classes;
- LiteRT's detection postprocessing: [1, n, 4] with y before x, [1, n] classes, [1, n] scores, [1] count;
- decoded SSD: [1, n, 4] boxes and [1, n, c] scores of every class, class 0 the background where rows add up to 1;
- YOLO of anchors-free kind: one [1, 4 + c, n] (or turned), n places of strides 8, 16 and 32: centre, size, scores;
- YOLO with three anchors a place: one [1, 3 n, 5 + c]: centre, size, whether there is something, scores.
Anything else needs a function of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from tealight.evaluation.detection import overlap

_LEAST_SCORE, _SAME, _MOST = 0.05, 0.45, 200
Arrays = Mapping[str, np.ndarray]
Boxes = dict[str, np.ndarray]


def find(outputs: Arrays, size: tuple[int, int]) -> Boxes | None:
    """Returns {"boxes", "scores", "classes"}, the best first, without those that overlap a better one of their class.

    Args:
        outputs: Array by output name.
        size: Height and width of the picture that the model saw.

    Returns:
        Boxes [n, 4] as x1, y1, x2, y2 in parts of the picture (0 to 1); None where no known form fits.
    """
    arrays = {k: np.asarray(v) for k, v in outputs.items()}
    for form in (_listed, _postprocessed, _ssd, _yolo):
        found = form(arrays, size)
        if found is not None:
            return tidy(found, size)
    return None


def tidy(found: Mapping[str, Any], size: tuple[int, int]) -> Boxes | None:
    """Returns decoded boxes in parts of the picture, the best first; None where they are no boxes."""
    boxes = np.asarray(found["boxes"], np.float64).reshape(-1, 4)
    scores = np.asarray(found["scores"], np.float64).reshape(-1)
    classes = np.asarray(found["classes"]).reshape(-1).astype(np.int64)
    keep = np.flatnonzero((scores >= _LEAST_SCORE) & np.isfinite(boxes).all(axis=1))
    keep = keep[np.argsort(-scores[keep], kind="stable")][: 10 * _MOST]
    boxes, scores, classes = boxes[keep], scores[keep], classes[keep]
    if boxes.size and np.abs(boxes).max() > 2:
        boxes = boxes / [size[1], size[0], size[1], size[0]]
    ordered = (boxes[:, 2:] >= boxes[:, :2]).all(axis=1) & (np.abs(boxes - 0.5) <= 1.5).all(axis=1)
    if boxes.size and ordered.mean() < 0.9:
        return None  # offsets from anchors that are not in the model, or something else of this shape
    boxes, scores, classes = boxes[ordered], scores[ordered], classes[ordered]
    best = _suppressed(boxes, classes)
    return {"boxes": boxes[best], "scores": scores[best], "classes": classes[best]}


def _suppressed(boxes: np.ndarray, classes: np.ndarray) -> list[int]:
    """Returns which boxes stay when each one drops those behind it that lie in its place."""
    kept: list[int] = []
    free = np.ones(len(boxes), bool)
    for i in range(len(boxes)):
        if free[i] and len(kept) < _MOST:
            kept.append(i)
            free &= ~((overlap(boxes[i : i + 1], boxes)[0] > _SAME) & (classes == classes[i]))
    return kept


# ---- forms ----


def _listed(arrays: Arrays, size: tuple[int, int]) -> Boxes | None:
    if {"boxes", "scores", "classes"} <= set(arrays):
        boxes, scores, classes = (arrays[k] for k in ("boxes", "scores", "classes"))
    elif len(arrays) == 3:
        rows = list(arrays.values())
        boxes = next((a for a in rows if a.shape[-1:] == (4,)), np.empty(0))
        classes = next((a for a in rows if a.dtype.kind in "iu"), np.empty(0))
        scores = next((a for a in rows if a is not boxes and a is not classes), np.empty(0))
    else:
        return None
    n = boxes.size // 4
    fits = boxes.dtype.kind == "f" and boxes.shape[-1:] == (4,) and scores.size == classes.size == n
    return {"boxes": boxes, "scores": scores, "classes": classes} if fits else None


def _postprocessed(arrays: Arrays, size: tuple[int, int]) -> Boxes | None:
    if len(arrays) != 4:
        return None
    boxes, classes, scores, count = arrays.values()
    n = boxes.size // 4
    if boxes.shape != (1, n, 4) or classes.shape != (1, n) or scores.shape != (1, n) or count.size != 1:
        return None
    keep = int(np.clip(np.nan_to_num(count.reshape(-1)[0]), 0, n))
    return {"boxes": boxes[0, :keep, [1, 0, 3, 2]].T, "scores": scores[0, :keep], "classes": classes[0, :keep]}


def _ssd(arrays: Arrays, size: tuple[int, int]) -> Boxes | None:
    if len(arrays) != 2:
        return None
    by_width = sorted(arrays.values(), key=lambda a: a.shape[-1:] != (4,))
    boxes, scores = by_width
    if boxes.ndim != 3 or scores.ndim != 3 or boxes.shape[-1] != 4 or boxes.shape[:2] != scores.shape[:2]:
        return None
    table = scores[0].astype(np.float64)
    if not table.size or not (table.min() >= 0 and table.max() <= 1.001):
        return None
    first = int(table.shape[1] > 1 and bool(np.abs(table.sum(axis=1) - 1).max() < 1e-2))
    return _best_class(boxes[0], table[:, first:], first)


def _yolo(arrays: Arrays, size: tuple[int, int]) -> Boxes | None:
    if len(arrays) != 1:
        return None
    (table,) = arrays.values()
    if table.ndim != 3 or table.shape[0] != 1 or table.dtype.kind != "f":
        return None
    places = sum((size[0] // s) * (size[1] // s) for s in (8, 16, 32))
    rows = table[0] if table.shape[1] in (places, 3 * places) else table[0].T
    if rows.shape[0] not in (places, 3 * places) or rows.shape[1] < 5:
        return None
    rows = rows.astype(np.float64)
    with_anchors = rows.shape[0] == 3 * places
    scores = rows[:, 5:] * rows[:, 4:5] if with_anchors else rows[:, 4:]
    if not scores.size or not (scores.min() >= 0 and scores.max() <= 1.001):
        return None
    centre, extent = rows[:, :2], rows[:, 2:4]
    return _best_class(np.hstack([centre - extent / 2, centre + extent / 2]), scores, 0)


def _best_class(boxes: np.ndarray, scores: np.ndarray, first: int) -> Boxes:
    best = scores.argmax(axis=1)
    return {"boxes": boxes, "scores": scores[np.arange(len(scores)), best], "classes": best + first}
