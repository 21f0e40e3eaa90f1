# SPDX-License-Identifier: Apache-2.0
"""How the integer weights of a layer spread over their steps, channel by channel."""

from __future__ import annotations

import base64
import dataclasses
import io
from collections.abc import Iterator

import numpy as np
from PIL import Image

from tealight.bundle import reader
from tealight.bundle.format import Bundle
from tealight.ir.types import DType

#: Weight operand of the ops with integer weights.
_WEIGHT = 1
_BINS = 64
_COLUMNS = 256
_COLOUR = (224, 123, 57)


@dataclasses.dataclass(frozen=True)
class WeightHistogram:
    """The integers of a weight.

    Attributes:
        instruction: Index in the program.
        op: Of the instruction.
        node: Of the source model.
        dtype: Of the weight.
        channels: Output channels.
        counts: int64 [64, columns]: how many weights of a channel (or of some neighbours) lie in each 1/64 of the
            integers' range, least first.
        idle: Channels of zeros only.
        unused: The greatest part of the range that a channel with weights leaves empty.
    """

    instruction: int
    op: str
    node: str
    dtype: str
    channels: int
    counts: np.ndarray
    idle: int
    unused: float


def weight_histograms(bundle: Bundle) -> Iterator[WeightHistogram]:
    """Yields the histogram of each integer weight of the first entry point."""
    program = bundle.programs[bundle.entry_points[0][1]]
    for i, step in enumerate(program.instructions):
        t = step.inputs[_WEIGHT] if len(step.inputs) > _WEIGHT else -1
        if t < 0 or program.tensors[t].constant < 0 or len(program.tensors[t].shape) < 2:
            continue
        tensor = program.tensors[t]
        if tensor.dtype not in (DType.INT8, DType.INT4):
            continue
        array = reader.constant_array(bundle, tensor, step.attrs)
        rows = np.asarray(array, np.int8).reshape(array.shape[0], -1)
        limit = 127 if tensor.dtype is DType.INT8 else 7
        bound = np.abs(rows.astype(np.int16)).max(axis=1, initial=0)
        live = bound[bound > 0]
        yield WeightHistogram(
            i, step.op, step.name, tensor.dtype.label, len(rows), _counts(rows, limit),
            int(np.count_nonzero(bound == 0)), float(1 - live.min() / limit) if live.size else 0.0,
        )  # fmt: skip


def _counts(rows: np.ndarray, limit: int) -> np.ndarray:
    bins = np.clip((rows.astype(np.int64) + limit + 1) * _BINS // (2 * limit + 2), 0, _BINS - 1)
    column = np.arange(len(rows)) * min(len(rows), _COLUMNS) // max(len(rows), 1)
    counts = np.zeros((_BINS, min(len(rows), _COLUMNS)), np.int64)
    np.add.at(counts, (bins, np.broadcast_to(column[:, None], bins.shape)), 1)
    return counts


def picture(histogram: WeightHistogram) -> str:
    """Returns a PNG as a data URI: a column for each channel, the greatest weights on top; transparent where none."""
    counts = histogram.counts[::-1].astype(np.float64)
    density = np.sqrt(counts / np.maximum(counts.max(axis=0, keepdims=True), 1))
    pixels = np.zeros((*counts.shape, 4), np.uint8)
    pixels[..., :3] = _COLOUR
    pixels[..., 3] = np.rint(255 * density)
    out = io.BytesIO()
    Image.fromarray(pixels, "RGBA").save(out, "PNG")
    return "data:image/png;base64," + base64.b64encode(out.getvalue()).decode()
