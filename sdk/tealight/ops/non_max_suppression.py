# SPDX-License-Identifier: Apache-2.0
"""NonMaxSuppression: the best boxes that do not overlap a better one (ONNX NonMaxSuppression-11)."""

from __future__ import annotations

from typing import Any

import numpy as np

from tealight.ir.types import DType, TensorType
from tealight.ops._registry import Case, OpDef, register
from tealight.ops._window import fresh_dim
from tealight.ops.gather import same_dim

_EXACT: dict[str, Any] = {"rtol": 0.0, "atol": 0.0, "why": "the same sequence of float32 operations"}


def _corners(boxes: np.ndarray, center_point_box: bool) -> np.ndarray:
    """Returns [n, (y1, x1, y2, x2)] with ordered corners, in float32."""
    if center_point_box:
        x, y, w, h = boxes.T
        half_w, half_h = w * np.float32(0.5), h * np.float32(0.5)
        boxes = np.stack([y - half_h, x - half_w, y + half_h, x + half_w], -1)
    low, high = boxes[:, :2], boxes[:, 2:]
    return np.concatenate([np.where(high < low, high, low), np.where(high < low, low, high)], -1)


def _overlaps(one: np.ndarray, others: np.ndarray, threshold: np.float32) -> np.ndarray:
    """Whether the intersection over union of a box with each of others is above the threshold."""
    top = np.where(one[:2] > others[:, :2], one[:2], others[:, :2])
    bottom = np.where(one[2:] < others[:, 2:], one[2:], others[:, 2:])
    sides = bottom - top
    inner = sides[:, 0] * sides[:, 1]
    area = (one[2] - one[0]) * (one[3] - one[1])
    areas = (others[:, 2] - others[:, 0]) * (others[:, 3] - others[:, 1])
    outer = area + areas - inner
    positive = (sides[:, 0] > 0) & (sides[:, 1] > 0) & (area > 0) & (areas > 0) & (outer > 0)
    return np.asarray(positive & (inner / outer > threshold))


@register
class NonMaxSuppression(OpDef):
    """y [m, 3] = (batch, class, box) of the chosen boxes: by batch, class, then falling score.

    Of equal scores the lower index comes first; a NaN score is never chosen. A box must score above score_threshold
    (any score will do when it is absent) and overlap no chosen box of its class by more than iou_threshold (0 when
    absent). Without max_output_boxes_per_class nothing is chosen, as ONNX says.
    """

    name = "non_max_suppression"
    inputs = ("boxes", "scores", "max_output_boxes_per_class?", "iou_threshold?", "score_threshold?")
    defaults = {"center_point_box": False}
    host_inputs = ("max_output_boxes_per_class",)
    data_dependent = True

    def infer(
        self, boxes: TensorType, scores: TensorType, *more: TensorType | None, center_point_box: bool
    ) -> TensorType:
        """Returns int64 [?, 3]."""
        if boxes.dtype is not DType.FLOAT32 or boxes.rank != 3 or not same_dim(boxes.shape[2], 4):
            raise self.error("boxes", found=boxes, expected="float32[batches, boxes, 4]")
        if scores.dtype is not DType.FLOAT32 or scores.rank != 3:
            raise self.error("scores", found=scores, expected="float32[batches, classes, boxes]")
        if not same_dim(boxes.shape[0], scores.shape[0]) or not same_dim(boxes.shape[1], scores.shape[2]):
            raise self.error("scores", found=scores, expected=f"the batches and boxes of {boxes}")
        for name, operand, dtype in zip(
            self.inputs[2:], more, (DType.INT64, DType.FLOAT32, DType.FLOAT32), strict=False
        ):
            if operand is not None and (operand.dtype is not dtype or operand.shape not in ((), (1,))):
                raise self.error(name.rstrip("?"), found=operand, expected=f"a scalar of dtype {dtype.label}")
        return TensorType(DType.INT64, (fresh_dim(), 3))

    def reference(
        self, boxes: np.ndarray, scores: np.ndarray, *more: np.ndarray | None, center_point_box: bool
    ) -> np.ndarray:
        """The greedy choice."""
        limit, iou, least = (None if v is None else v.reshape(-1)[0] for v in (*more, None, None, None)[:3])
        threshold = np.float32(0 if iou is None else iou)
        chosen: list[tuple[int, int, int]] = []
        for batch in range(boxes.shape[0]):
            corners = _corners(boxes[batch], center_point_box)
            for c, row in enumerate(scores[batch]):
                fits = ~np.isnan(row) if least is None else row > least
                order = [int(i) for i in np.argsort(-row, kind="stable") if fits[i]]
                taken: list[int] = []
                for i in order:
                    if len(taken) >= (0 if limit is None else limit):
                        break
                    if not _overlaps(corners[i], corners[taken], threshold).any():
                        taken.append(i)
                chosen += [(batch, c, i) for i in taken]
        return np.array(chosen, np.int64).reshape(-1, 3)

    def cases(self) -> list[Case]:
        """Both box forms, flipped corners, ties, NaN, empty boxes, limits and absent operands."""
        rng = np.random.default_rng(21)

        def case(n: int, batches: int, classes: int, *more: float | None, step: float = 0, **attrs: bool) -> Case:
            boxes = rng.uniform(0, 10, (batches, n, 4)).astype(np.float32)
            if attrs.get("center_point_box"):
                boxes[..., 2:] *= 0.4
            scores = rng.uniform(0, 1, (batches, classes, n)).astype(np.float32)
            if step:
                scores = np.round(scores / step).astype(np.float32) * np.float32(step)
            dtypes = (np.int64, np.float32, np.float32)
            operands = [None if v is None else np.array([v], t) for v, t in zip(more, dtypes, strict=False)]
            constants = tuple(i + 2 for i, v in enumerate(operands) if v is not None)
            return Case([boxes, scores, *operands], attrs, constants, **_EXACT)

        made = [
            case(37, 1, 1, 10, 0.5, 0.3),
            case(300, 2, 3, 20, 0.4, 0.2),
            case(50, 1, 2, 100, 0.3),
            case(50, 1, 2, 100, None, 0.1),
            case(50, 2, 1, 7),
            case(50, 1, 1),
            case(50, 1, 1, 0, 0.5, 0.1),
            case(101, 2, 3, 30, 0.25, 0.1, step=0.25),
            case(101, 1, 3, 30, 0.3, 0.1, center_point_box=True),
            case(0, 2, 1, 5, 0.5, 0.1),
            case(40, 1, 1, 5, 0.5, 2.0),
            case(2000, 1, 2, 2**62, 0.7, 0.5),
        ]
        special = made[2]
        boxes, scores = (np.array(v) for v in special.inputs[:2])
        boxes[0, 3] = np.nan
        boxes[0, 4] = [1, 1, 1, 5]
        boxes[0, 5] = [-np.inf, 0, np.inf, 1]
        scores[0, 0, 6] = np.nan
        scores[0, 1, 7] = np.inf
        scores[0, 1, 8] = -np.inf
        return [*made, Case([boxes, scores, *special.inputs[2:]], special.attrs, special.constants, **_EXACT)]
