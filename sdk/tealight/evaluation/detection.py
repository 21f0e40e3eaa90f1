# SPDX-License-Identifier: Apache-2.0
"""Average precision of detected boxes, as COCO defines it.

Per picture and class: boxes in falling order of score (at most 100 of a picture) each take the free true box they
overlap most, if by at least the threshold. Per class: precision over recall from all pictures, made non-increasing
from the right, read at recalls 0, 0.01 … 1; the mean of these is the class's average precision. Classes without a true
box do not count.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

OVERLAPS = np.arange(10) * 0.05 + 0.5
MAX_BOXES = 100
_RECALLS = np.arange(101) / 100


@dataclasses.dataclass(frozen=True)
class Matches:
    """What one picture gave.

    Attributes:
        scores: float64 [n], falling.
        classes: int64 [n].
        hits: bool [10, n]: whether a box matches a true one at each of OVERLAPS.
        truths: int64 [m]: classes of the true boxes.
    """

    scores: np.ndarray
    classes: np.ndarray
    hits: np.ndarray
    truths: np.ndarray


def overlap(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Returns intersection over union of boxes [n, 4] and [m, 4] (x1, y1, x2, y2), float64 [n, m]."""
    low = np.maximum(a[:, None, :2], b[None, :, :2])
    high = np.minimum(a[:, None, 2:], b[None, :, 2:])
    both = np.prod(np.maximum(high - low, 0), axis=2)
    area_a, area_b = (np.prod(np.maximum(x[:, 2:] - x[:, :2], 0), axis=1) for x in (a, b))
    total = area_a[:, None] + area_b[None] - both
    return np.asarray(np.divide(both, total, out=np.zeros_like(both), where=total > 0))


def match(found: Mapping[str, Any], truth: Mapping[str, Any]) -> Matches:
    """Matches the boxes of one picture with the true ones, class by class."""
    boxes = np.asarray(found["boxes"], np.float64).reshape(-1, 4)
    scores = np.asarray(found["scores"], np.float64).reshape(-1)
    classes = np.asarray(found["classes"]).reshape(-1).astype(np.int64)
    order = np.argsort(-scores, kind="stable")[:MAX_BOXES]
    boxes, scores, classes = boxes[order], scores[order], classes[order]
    true_boxes = np.asarray(truth["boxes"], np.float64).reshape(-1, 4)
    true_classes = np.asarray(truth["classes"]).reshape(-1).astype(np.int64)
    table = overlap(boxes, true_boxes)
    table[classes[:, None] != true_classes[None]] = -1
    hits = np.zeros((len(OVERLAPS), len(boxes)), bool)
    for t, least in enumerate(OVERLAPS):
        free = np.ones(len(true_boxes), bool)
        for i in range(len(boxes)):
            fits = np.where(free, table[i], -1)
            best = int(np.argmax(fits)) if fits.size else -1
            if best >= 0 and fits[best] >= least - 1e-10:
                free[best] = False
                hits[t, i] = True
    return Matches(scores, classes, hits, true_classes)


def mean_average_precision(pictures: Sequence[Matches]) -> dict[str, float]:
    """Returns map50 (overlap 0.5) and map (mean over 0.5 … 0.95) of all pictures, in their order."""
    scores = np.concatenate([p.scores for p in pictures])
    classes = np.concatenate([p.classes for p in pictures])
    hits = np.concatenate([p.hits for p in pictures], axis=1)
    truths = np.concatenate([p.truths for p in pictures])
    order = np.argsort(-scores, kind="stable")
    classes, hits = classes[order], hits[:, order]
    areas = [_average_precision(hits[:, classes == c], int((truths == c).sum())) for c in np.unique(truths)]
    if not areas:
        return {"map50": 0.0, "map": 0.0}
    by_overlap = np.mean(areas, axis=0)
    return {"map50": float(by_overlap[0]), "map": float(by_overlap.mean())}


def _average_precision(hits: np.ndarray, truths: int) -> np.ndarray:
    """Returns the average precision at each overlap; hits: bool [10, n] in falling order of score."""
    right = np.cumsum(hits, axis=1)
    if not hits.shape[1]:
        return np.zeros(len(OVERLAPS))
    recall = right / truths
    precision = right / np.arange(1, hits.shape[1] + 1)
    precision = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
    areas = []
    for r, p in zip(recall, precision, strict=True):
        at = np.searchsorted(r, _RECALLS - 1e-12, side="left")
        areas.append(np.where(at < len(p), p[np.minimum(at, len(p) - 1)], 0.0).mean())
    return np.array(areas)
