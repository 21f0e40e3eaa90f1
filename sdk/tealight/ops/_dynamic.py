# SPDX-License-Identifier: Apache-2.0
"""What the ops that quantize float32 rows while running share."""

from __future__ import annotations

import numpy as np

from tealight.ir.types import DType
from tealight.quant import numerics


def quantize_rows(x: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Quantizes each row x [m, k] by its own range.

    Returns:
        q - zero_point int64 [m, k], scale float32 [m, 1], and q int8 [m, k].
    """
    steps, scales, q = np.zeros(x.shape, np.int64), np.ones((len(x), 1), np.float32), np.zeros(x.shape, np.int8)
    for i, row in enumerate(np.asarray(x, np.float32)):
        scale, zero_point = numerics.dynamic_params(row)
        q[i] = numerics.quantize(row, np.array(scale), zero_point - 128, DType.INT8)
        steps[i], scales[i] = q[i].astype(np.int64) - (zero_point - 128), scale
    return steps, scales, q


def to_float(sums: np.ndarray, row_scale: np.ndarray, scale: np.ndarray, bias: np.ndarray | None) -> np.ndarray:
    """Returns fma(float(sum), row_scale * scale, bias): sums [m, n], row_scale [m, 1], scale [n], bias [n]?."""
    with np.errstate(over="ignore", invalid="ignore"):
        product = np.asarray(row_scale * scale, np.float32)
    return numerics.fma(sums.astype(np.float32), product, np.zeros(1, np.float32) if bias is None else bias)
