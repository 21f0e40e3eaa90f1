# SPDX-License-Identifier: Apache-2.0
"""What layers do behind their sums: bias, residual, one rounding to float32, activation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from tealight.ops._registry import get


def finish(
    sums: np.ndarray,
    bias: np.ndarray | None,
    residual: np.ndarray | None = None,
    activation: Mapping[str, Any] | None = None,
) -> np.ndarray:
    """Returns the results of float64 sums: plus bias, plus residual, rounded to float32, through the activation."""
    y = sums if bias is None else sums + bias
    y = y if residual is None else y + residual
    return activate(np.asarray(y).astype(np.float32), activation)


def activate(y: np.ndarray, activation: Mapping[str, Any] | None) -> np.ndarray:
    """Applies an Activation table, which may be absent."""
    return y if activation is None else np.asarray(get("unary").reference(y, **activation), np.float32)
