# SPDX-License-Identifier: Apache-2.0
"""Weights as integers: ranges, blocks, and a search that never does worse."""

from __future__ import annotations

import numpy as np
import pytest

from tealight.ir.types import DType
from tealight.ops._stored import restore
from tealight.quant.rounding import Rounded, round_weights

RNG = np.random.default_rng(3)
DTYPES = (DType.INT8, DType.INT4, DType.UINT4)


def _restored(r: Rounded, block_size: int) -> np.ndarray:
    return restore(r.q, r.scale, r.zero_point, block_size)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("block_size", [0, 32, 50])
def test_every_weight_is_within_half_a_step(dtype: DType, block_size: int) -> None:
    rows = RNG.standard_normal((5, 130)).astype(np.float32)
    rounded = round_weights(rows, dtype, block_size)
    assert rounded.q.dtype == dtype.numpy and rounded.q.shape == rows.shape
    assert rounded.scale.shape == ((5,) if block_size == 0 else (5, -(-130 // block_size)))
    steps = np.repeat(rounded.scale.reshape(5, -1), block_size or 130, axis=1)[:, :130]
    # A zero point is rounded too, so the range of a block may miss its end by half a step.
    most = 1.01 if dtype is DType.UINT4 else 0.5001
    assert np.all(np.abs(_restored(rounded, block_size) - rows) <= most * steps)


@pytest.mark.parametrize("dtype", DTYPES)
def test_search_is_never_worse_and_helps_where_an_element_stands_out(dtype: DType) -> None:
    rows = RNG.standard_normal((64, 128)).astype(np.float32)
    rows[:, 5] *= 4
    plain, searched = (round_weights(rows, dtype, 32, search=s) for s in (False, True))
    errors = [((_restored(r, 32) - rows) ** 2).reshape(64, 4, 32).sum(axis=-1) for r in (plain, searched)]
    assert np.all(errors[1] <= errors[0] * (1 + 1e-6))
    assert errors[1].sum() < (1.0 if dtype is DType.INT8 else 0.95) * errors[0].sum()


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_row_that_is_no_multiple_of_the_block_has_a_shorter_last_block(dtype: DType) -> None:
    rows = RNG.standard_normal((3, 70)).astype(np.float32)
    whole = round_weights(rows, dtype, 32, search=True)
    tail = round_weights(rows[:, 64:], dtype, 32, search=True)
    assert whole.scale.shape == (3, 3)
    np.testing.assert_array_equal(whole.q[:, 64:].astype(int), tail.q.astype(int))
    np.testing.assert_array_equal(whole.scale[:, 2:], tail.scale)


@pytest.mark.parametrize("dtype", DTYPES)
def test_zeros_and_constants_are_exact(dtype: DType) -> None:
    rows = np.zeros((2, 32), np.float32)
    np.testing.assert_array_equal(_restored(round_weights(rows, dtype, 32, search=True), 32), rows)
    rows[1] = 0.75
    np.testing.assert_allclose(_restored(round_weights(rows, dtype, 32, search=True), 32), rows, rtol=1e-6)


def test_int8_is_symmetric() -> None:
    rows = -np.abs(RNG.standard_normal((4, 40))).astype(np.float32)
    assert round_weights(rows, DType.INT8).q.min() == -127
