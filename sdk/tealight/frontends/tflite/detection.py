# SPDX-License-Identifier: Apache-2.0
"""Converters of what detectors end with: the choice among overlapping boxes.

How many boxes are found is known while running only; results have room for the most there can be, zeros in the rest.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from tealight.frontends.problems import RefusedError
from tealight.frontends.tflite.context import OperatorContext
from tealight.frontends.tflite.registry import converts
from tealight.ir.graph import Value
from tealight.ir.types import DType

#: Boxes that a result has room for; more is a damaged option.
_MOST_BOXES = 1 << 16


@dataclasses.dataclass(frozen=True)
class _Limits:
    """How many boxes there may be, and which.

    Attributes:
        boxes: That the results may show.
        per_class: Boxes of a class, where each class is looked at by itself.
        room: Rows of the results for the classes of a box.
        least_score: A box must score above it.
        overlap: Of a box and a better one, at most.
    """

    boxes: int
    per_class: int
    room: int
    least_score: np.float32
    overlap: np.float32


@converts("CUSTOM TFLite_Detection_PostProcess")
def detection_postprocess(c: OperatorContext) -> list[Value]:
    """Boxes, classes, scores and their number from what an SSD head gives for each anchor.

    Fast: an anchor stands for its best classes, and the best of them decides. Regular: each class by itself, then the
    best of all.
    """
    c.options = c.custom_options()
    scores = c.floats(1)
    dims = c.dims(scores, "the scores")
    classes = int(c.option("num_classes"))
    if len(dims) != 3 or dims[0] != 1 or not 1 <= classes <= dims[2]:
        raise RefusedError(f"scores of shape {dims} for {classes} classes, expected [1, boxes, at least {classes}]")
    limits = _limits(c)
    boxes = _decoded(c, dims[1])
    scores = c.slice(scores, 2, dims[2] - classes, dims[2])  # the background comes first
    if c.option("use_regular_nms", False):
        return _regular(c, boxes, scores, limits)
    return _fast(c, boxes, scores, limits)


def _limits(c: OperatorContext) -> _Limits:
    most, room = int(c.option("max_detections")), int(c.option("max_classes_per_detection"))
    per_class = int(c.option("detections_per_class", 100))
    overlap = float(c.option("nms_iou_threshold", 0.0))
    if not (0 < most <= _MOST_BOXES and 0 < room <= _MOST_BOXES // most and per_class > 0 and 0 < overlap <= 1):
        raise RefusedError(
            f"{most} boxes, {per_class} of a class, {room} classes of a box, overlap {overlap}, "
            f"expected 1 to {_MOST_BOXES} boxes and an overlap in (0, 1]"
        )
    # The op wants scores above its threshold, the operator those from its threshold on.
    least = np.nextafter(np.float32(c.option("nms_score_threshold", 0.0)), np.float32(-np.inf))
    return _Limits(most, per_class, room, least, np.float32(overlap))


def _decoded(c: OperatorContext, count: int) -> Value:
    """Returns the corners [count, 4] of boxes given as offsets (y, x, h, w) from anchors."""
    given, anchors = c.floats(0), c.floats(2)
    if given.shape[:2] != (1, count) or anchors.shape != (count, 4):
        raise RefusedError(f"boxes {list(given.shape)} and anchors {list(anchors.shape)}, expected {count} of both")
    scale = {k: float(c.option(f"{k}_scale", 1.0)) for k in "yxhw"}
    if not all(np.isfinite(s) and s > 0 for s in scale.values()):
        raise RefusedError(f"scales {list(scale.values())} of boxes, expected positive numbers")
    given = c.reshape(c.slice(given, 2, 0, 4), [count, 4])
    centers, sizes = c.slice(given, 1, 0, 2), c.slice(given, 1, 2, 4)
    from_centers, from_sizes = c.slice(anchors, 1, 0, 2), c.slice(anchors, 1, 2, 4)
    centers = c.binary("div", centers, c.constant([scale["y"], scale["x"]], "float32"))
    centers = c.binary("add", c.binary("mul", centers, from_sizes), from_centers)
    sizes = c.unary("exp", c.binary("div", sizes, c.constant([scale["h"], scale["w"]], "float32")))
    half = c.binary("mul", c.binary("mul", sizes, c.constant(0.5, "float32")), from_sizes)
    return c.add("concat", [c.binary("sub", centers, half), c.binary("add", centers, half)], {"axis": 1})


def _chosen(c: OperatorContext, boxes: Value, scores: Value, most: int, limits: _Limits) -> Value:
    """Returns rows (batch, class, box) of boxes [n, 4] and scores [1, classes, n] that overlap no better one."""
    operands = [c.reshape(boxes, [1, *c.dims(boxes, "the boxes")]), scores, c.constant(most, "int64")]
    operands += [c.constant(limits.overlap, "float32"), c.constant(limits.least_score, "float32")]
    return c.add("non_max_suppression", operands)


def _filled(c: OperatorContext, x: Value, count: int, filler: Value) -> Value:
    """Returns the first `count` elements of a vector of any length, `filler` where it has fewer."""
    more = c.add("expand", [filler, c.int64s([count])])
    return c.reshape(c.slice(c.add("concat", [x, more], {"axis": 0}), 0, 0, count), [count])


def _column(c: OperatorContext, rows: Value, i: int) -> Value:
    """Returns column i of rows [?, 3]."""
    return c.reshape(c.slice(rows, 1, i, i + 1), [-1])


def _fast(c: OperatorContext, boxes: Value, scores: Value, limits: _Limits) -> list[Value]:
    n, classes = c.dims(scores, "the scores")[1:]
    best = c.add("reduce", [scores, c.int64s([2])], {"kind": "max", "keepdims": False})
    rows = _chosen(c, boxes, c.reshape(best, [1, 1, n]), limits.boxes, limits)
    index = _filled(c, _column(c, rows, 2), limits.boxes, c.constant(0, "int64"))
    scores = c.add("gather", [c.reshape(scores, [n, classes]), index], {"axis": 0})
    per_box = min(limits.room, classes)
    values, kinds = c.emit("top_k", [scores, c.int64s([per_box])], {"axis": 1}, outputs=2)
    places = [(i // limits.room, i % limits.room) for i in range(limits.boxes * limits.room)]
    return _results(c, rows, [c.add("gather", [boxes, index], {"axis": 0}), kinds, values], places)


def _regular(c: OperatorContext, boxes: Value, scores: Value, limits: _Limits) -> list[Value]:
    scores = c.transpose(scores, [0, 2, 1])
    rows = _chosen(c, boxes, scores, limits.per_class, limits)
    worst = c.constant(np.full(limits.boxes, -np.inf), "float32")
    found = c.add("concat", [c.add("gather_nd", [scores, rows], {"batch_dims": 0}), worst], {"axis": 0})
    values, order = c.emit("top_k", [found, c.int64s([limits.boxes])], {"axis": 0}, outputs=2)
    kinds, index = (
        c.add(
            "gather",
            [c.add("concat", [_column(c, rows, i), c.int64s([0] * limits.boxes)], {"axis": 0}), order],
            {"axis": 0},
        )
        for i in (1, 2)
    )
    boxes = c.add("gather", [boxes, index], {"axis": 0})
    kinds, values = (c.reshape(x, [limits.boxes, 1]) for x in (kinds, values))
    places = [(i, 0) for i in range(limits.boxes)] + [(0, 1)] * (limits.boxes * (limits.room - 1))
    return _results(c, rows, [boxes, kinds, values], places)


def _results(c: OperatorContext, rows: Value, every: list[Value], places: list[tuple[int, int]]) -> list[Value]:
    """Returns boxes, classes and scores [1, all, ...], and how many boxes there are.

    Args:
        c: The operator.
        rows: One for each box that was chosen; there may be more than results have room for.
        every: Boxes [most, 4], and classes and their scores [most, per box]. The first count, as far as there are rows.
        places: The box and the one of its classes that each row of the results shows; zeros where there is none.
    """
    boxes, kinds, values = every
    most, per_box = c.dims(kinds, "the classes")
    found = c.binary("min", c.slice(c.add("shape", [rows]), 0, 0, 1), c.int64s([most]))
    is_shown = c.binary("less", c.int64s([i if j < per_box else most for i, j in places]), found)
    index = c.int64s([i * per_box + min(j, per_box - 1) for i, j in places])
    results = [c.add("gather", [boxes, c.int64s([i for i, _ in places])], {"axis": 0})]
    results += [c.add("gather", [c.reshape(x, [-1]), index], {"axis": 0}) for x in (kinds, values)]
    zero, count = c.constant(0.0, "float32"), len(places)
    shown = [c.reshape(is_shown, [count, *[1] * (len(x.shape) - 1)]) for x in results]
    results = [c.add("where", [s, c.cast(x, DType.FLOAT32), zero]) for s, x in zip(shown, results, strict=True)]
    return [*(c.reshape(x, [1, *c.dims(x, "the result")]) for x in results), c.cast(found, DType.FLOAT32)]


@converts("NON_MAX_SUPPRESSION_V4", "NON_MAX_SUPPRESSION_V5")
def non_max_suppression(c: OperatorContext) -> list[Value]:
    """The indices of the best boxes [n, 4] by scores [n] and, in version 5, their scores; and how many there are."""
    boxes, scores = c.floats(0), c.floats(1)
    (count,) = c.ints(2, "number of boxes")
    if not 0 <= count <= _MOST_BOXES:
        raise RefusedError(f"{count} boxes, expected up to {_MOST_BOXES}")
    if c.op.endswith("V5") and float(c.array(5, "sigma").reshape(())) != 0:
        raise RefusedError("scores that fall with overlap, expected sigma 0")
    dims = c.dims(boxes, "the boxes")
    operands = [c.reshape(boxes, [1, *dims]), c.reshape(scores, [1, 1, dims[0]]), c.constant(count, "int64")]
    operands += [c.reshape(c.floats(i), []) for i in (3, 4)]
    rows = c.add("non_max_suppression", operands)
    found = _column(c, rows, 2)
    index = c.cast(_filled(c, found, count, c.constant(0, "int64")), DType.INT32)
    number = c.cast(c.reshape(c.add("shape", [found]), []), DType.INT32)
    if c.op.endswith("V4"):
        return [index, number]
    chosen = c.add("gather", [scores, found], {"axis": 0})
    return [index, _filled(c, chosen, count, c.constant(0.0, "float32")), number]
