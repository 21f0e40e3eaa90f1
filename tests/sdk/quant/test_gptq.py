# SPDX-License-Identifier: Apache-2.0
"""GPTQ keeps a layer's results where plain rounding does not."""

from __future__ import annotations

import numpy as np
import pytest

from tealight.ir.graph import Node, Value
from tealight.ir.types import DType, TensorType
from tealight.ops import get
from tealight.ops._stored import restore
from tealight.quant.gptq import Moments, gptq, input_rows, takes_moments
from tealight.quant.rounding import round_weights


def _correlated(rows: int, k: int) -> np.ndarray:
    """Inputs with a few strong common directions, as real activations have."""
    rng = np.random.default_rng(7)
    base = rng.standard_normal((rows, k // 8)) @ rng.standard_normal((k // 8, k))
    return (base + 0.3 * rng.standard_normal((rows, k))).astype(np.float32)


@pytest.mark.parametrize(
    ("dtype", "block_size", "k"), [(DType.INT4, 32, 256), (DType.UINT4, 64, 200), (DType.INT4, 0, 96)]
)
def test_results_are_closer_than_with_plain_rounding(dtype: DType, block_size: int, k: int) -> None:
    x = _correlated(1000, k)
    weight = np.random.default_rng(8).standard_normal((48, k)).astype(np.float32)
    moments = Moments(k)
    for part in np.split(x, 4):
        moments.add(part)
    assert moments.rows == 1000
    errors = []
    for r in (gptq(weight, moments.total, dtype, block_size), round_weights(weight, dtype, block_size, search=True)):
        assert r.q.dtype == dtype.numpy
        restored = restore(r.q, r.scale, r.zero_point, block_size)
        errors.append(float(((x @ (restored - weight).T) ** 2).mean()))
    assert errors[0] < 0.6 * errors[1]


def test_inputs_that_are_always_zero_do_no_harm() -> None:
    x = _correlated(300, 64)
    x[:, 10:20] = 0
    moments = Moments(64)
    moments.add(x)
    weight = np.random.default_rng(9).standard_normal((8, 64)).astype(np.float32)
    r = gptq(weight, moments.total, DType.INT4, 32)
    restored = restore(r.q, r.scale, None, 32)
    assert np.isfinite(restored).all()
    assert float(((x @ (restored - weight).T) ** 2).mean()) < 0.2 * float(((x @ weight.T) ** 2).mean())


def test_without_inputs_it_is_plain_rounding() -> None:
    weight = np.random.default_rng(9).standard_normal((8, 64)).astype(np.float32)
    for moments in (np.zeros((64, 64)), np.full((64, 64), np.nan)):
        found, plain = gptq(weight, moments, DType.INT4, 32), round_weights(weight, DType.INT4, 32, search=True)
        np.testing.assert_array_equal(found.q.astype(int), plain.q.astype(int))


def test_rows_of_a_convolution_multiply_its_weights() -> None:
    rng = np.random.default_rng(2)
    x = rng.standard_normal((2, 7, 6, 5)).astype(np.float32)
    weight = rng.standard_normal((4, 3, 2, 5)).astype(np.float32)
    attrs = get("conv2d").complete({"kernel_shape": [3, 2], "strides": [2, 1], "pads": [1, 0, 1, 1]})
    node = Node("conv2d", [Value("x", TensorType(DType.FLOAT32, x.shape)), _constant(weight)], [], attrs)
    assert takes_moments(node)
    y = get("conv2d").reference(x, weight, **attrs)
    np.testing.assert_allclose(input_rows(node, x) @ weight.reshape(4, -1).T, np.reshape(y, (-1, 4)), atol=1e-4)


def _constant(array: np.ndarray) -> Value:
    return Value("w", TensorType(DType.of(array.dtype), array.shape, array))
