# SPDX-License-Identifier: Apache-2.0
"""What the ops with requantized int8 results share: attribute checks, the epilogue, operands for cases."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tealight.ir.types import DType, TensorType
from tealight.quant import numerics


def check_int8(error: Callable[..., Exception], **values: int) -> None:
    """Raises error(...) for a value that is no int8."""
    for name, value in values.items():
        if not -128 <= value <= 127:
            raise error(name, found=value, expected="in [-128, 127]")


def check_output(error: Callable[..., Exception], output: dict[str, Any] | None) -> None:
    """Checks a Requantization table; an absent key has the schema's default."""
    table = output or {}
    if unknown := set(table) - {"zero_point", "lo", "hi", "wide"}:
        raise error("output", found=sorted(unknown), expected="zero_point, lo, hi, wide")
    check_int8(error, **{f"output {k}": int(table[k]) for k in ("zero_point", "lo", "hi") if k in table})


def check_channels(error: Callable[..., Exception], name: str, found: TensorType, dtype: DType, n: Any) -> None:
    """Checks a per-channel operand: bias int32 [n] or scale float32 [n]."""
    if found.dtype is not dtype or found.shape != (n,):
        raise error(name, found=found, expected=f"{dtype.label} [{n}]")


def check_epilogue(
    error: Callable[..., Exception], y: TensorType, residual: TensorType | None, table: TensorType | None,
    residual_add: dict[str, Any] | None,
) -> None:  # fmt: skip
    """Checks the operands residual (of y's type) and table (int8 [256]) and the attribute residual_add."""
    if residual is not None:
        if residual_add is None:
            raise error("residual_add", found="none", expected="its scales beside a residual")
        fits = residual.shape == y.shape or not (residual.is_static and y.is_static)
        if residual.dtype is not DType.INT8 or not fits:
            raise error("residual", found=residual, expected=y)
    if residual_add is not None:
        check_int8(error, **{f"residual_add {k}": int(residual_add[k]) for k in ("lo", "hi") if k in residual_add})
    if table is not None and (table.dtype is not DType.INT8 or table.shape != (256,)):
        raise error("table", found=table, expected="int8 [256]")


def requantize(sums: np.ndarray, scale: np.ndarray, output: dict[str, Any] | None) -> np.ndarray:
    """Returns the int8 of sums by a Requantization table."""
    q = output or {}
    return numerics.requantize(
        sums, scale, int(q.get("zero_point", 0)), int(q.get("lo", -128)), int(q.get("hi", 127)),
        bool(q.get("wide", False)),
    )  # fmt: skip


def epilogue(
    sums: np.ndarray, scale: np.ndarray, output: dict[str, Any] | None, residual: np.ndarray | None,
    table: np.ndarray | None, residual_add: dict[str, Any] | None,
) -> np.ndarray:  # fmt: skip
    """Returns the int8 result of sums [..., n]: requantized, through the table, plus the residual."""
    y = requantize(sums, scale, output)
    if table is not None:
        y = table[y.astype(np.int64) + 128]
    if residual is not None:
        add = residual_add or {}
        y = numerics.rescaled_add(
            y,
            residual,
            add["a_scale"],
            add["b_scale"],
            add["offset"],
            int(add.get("lo", -128)),
            int(add.get("hi", 127)),
        )
    return y


def case_int8(rng: np.random.Generator, shape: tuple[int, ...], low: int = -128) -> np.ndarray:
    """Returns uniform int8 in [low, 127]."""
    return rng.integers(low, 128, shape, np.int8)


def case_channels(
    rng: np.random.Generator, weight: np.ndarray, large_sums: bool = False
) -> tuple[np.ndarray, np.ndarray, bool]:
    """Returns bias and scale for a weight [n, ...] that spread the results over int8, and whether they are wide.

    large_sums: biases push sums past 2^23, so that they are.
    """
    flat = weight.reshape(weight.shape[0], -1).astype(np.int64)
    bound = 128 * np.abs(flat).sum(axis=1) + 1000
    bias = rng.integers(-999, 1000, len(flat)).astype(np.int32)
    spread = np.sqrt(np.maximum((flat**2).sum(axis=1), 1)) * 74.0  # of uniform int8 x
    scale = numerics.odd_scales(60.0 / spread * rng.uniform(0.3, 1.0, len(flat)))
    if large_sums:
        bias = (bias.astype(np.int64) * 20011).astype(np.int32)
        bound = bound + 20_000_000
        scale = numerics.odd_scales(scale * 0.01)
    return bias, scale, numerics.is_wide(bound, scale)
