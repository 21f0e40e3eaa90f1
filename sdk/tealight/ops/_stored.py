# SPDX-License-Identifier: Apache-2.0
"""Weights that float32 ops store as float16, int8, int4 or uint4: their operands checked, and their values."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from tealight.errors import TealightError
from tealight.ir.types import DType, TensorType
from tealight.ops._registry import Case

#: Dtypes of a weight besides float32.
STORED = (DType.FLOAT16, DType.INT8, DType.INT4, DType.UINT4)


def check_stored(
    error: Callable[..., TealightError],
    weight: TensorType,
    scale: TensorType | None,
    zero_point: TensorType | None,
    block_size: int = 0,
) -> None:
    """Raises the op's error unless the operands describe weights [n, ...] as ops.fbs (Conv2d) says."""
    if weight.dtype is not DType.FLOAT32 and weight.dtype not in STORED:
        raise error("weight", found=weight.dtype.label, expected="float32, float16, int8, int4 or uint4")
    if weight.dtype.is_float:
        if scale is not None or zero_point is not None or block_size:
            raise error("scale", found=f"one for {weight.dtype.label} weights", expected="none")
        return
    if scale is None:
        raise error("scale", found=f"none for {weight.dtype.label} weights", expected="one for each row or block")
    if block_size < 0:
        raise error("block_size", found=block_size, expected="at least 0")
    shape: tuple[Any, ...] = weight.shape[:1]
    if block_size:
        shape = (*shape, -(-math.prod(int(d) for d in weight.shape[1:]) // block_size))
    for name, operand, dtype in (("scale", scale, DType.FLOAT32), ("zero_point", zero_point, weight.dtype)):
        if operand is not None and (operand.shape != shape or operand.dtype is not dtype):
            raise error(name, found=operand, expected=TensorType(dtype, shape))


def restore(
    weight: np.ndarray, scale: np.ndarray | None = None, zero_point: np.ndarray | None = None, block_size: int = 0
) -> np.ndarray:
    """Returns the float32 weights: float32(q - zero_point) * scale, one rounding; float16 exactly.

    Args:
        weight: [n, ...].
        scale: [n], or [n, blocks] over the flattened rest in blocks of block_size.
        zero_point: As scale, or None for 0.
        block_size: 0 = one scale for each row.
    """
    if scale is None:
        return weight.astype(np.float32)
    n = weight.shape[0]
    flat = weight.reshape(n, -1).astype(np.float32)
    k = flat.shape[1]

    def spread(a: np.ndarray) -> np.ndarray:
        rows = a.astype(np.float32).reshape(n, -1)
        return np.repeat(rows, block_size, axis=1)[:, :k] if block_size else rows

    steps = flat if zero_point is None else flat - spread(zero_point)
    return np.asarray((steps * spread(scale)).reshape(weight.shape))


def stored_operands(
    rng: np.random.Generator, shape: tuple[int, ...], dtype: DType, block_size: int = 0, asymmetric: bool = False
) -> tuple[np.ndarray, np.ndarray | None, np.ndarray | None]:
    """Returns weight, scale and zero point of a parity case; the weights have about unit spread."""
    if dtype is DType.FLOAT16:
        return rng.standard_normal(shape).astype(np.float16), None, None
    lo, hi = {DType.INT8: (-127, 127), DType.INT4: (-8, 7), DType.UINT4: (0, 15)}[dtype]
    rows: tuple[int, ...] = shape[:1]
    if block_size:
        rows = (*rows, -(-math.prod(shape[1:]) // block_size))
    weight = rng.integers(lo, hi + 1, shape).astype(dtype.numpy)
    scale = (rng.uniform(0.5, 2.0, rows) / hi).astype(np.float32)
    zero_point = rng.integers(lo, hi + 1, rows).astype(dtype.numpy) if asymmetric else None
    return weight, scale, zero_point


def stored_cases(
    make: Callable[..., Case],
    variants: list[tuple[Any, ...]],
    weight_index: int = 1,
    scale_index: int = 4,
    with_zero_point: bool = True,
) -> list[Case]:
    """Returns cases of an op with stored weights.

    Args:
        make: Returns the float32 case of its arguments.
        variants: (dtype, block_size, asymmetric, args, kwargs) each; args and kwargs are those of `make`.
        weight_index: The weight's operand; its shape in the float32 case is that of the weight.
        scale_index: The scale's operand; the zero point follows it.
        with_zero_point: Whether the op has that operand.
    """
    rng = np.random.default_rng(17)
    cases = []
    for dtype, block_size, asymmetric, args, kwargs in variants:
        case = make(*args, **kwargs)
        operands = [*case.inputs, *[None] * 8][: scale_index + (2 if with_zero_point else 1)]
        shape = operands[weight_index]
        assert isinstance(shape, tuple)
        weight, scale, zero_point = stored_operands(rng, shape, dtype, block_size, asymmetric)
        operands[weight_index], operands[scale_index] = weight, scale
        if with_zero_point:
            operands[scale_index + 1] = zero_point
        constants = [*case.constants, *(i for i in (scale_index, scale_index + 1) if i < len(operands))]
        case.inputs = operands
        case.constants = tuple(i for i in constants if operands[i] is not None)
        if block_size:
            case.attrs["block_size"] = block_size
        cases.append(case)
    return cases
