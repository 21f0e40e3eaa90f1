# SPDX-License-Identifier: Apache-2.0
"""The arithmetic of quantized tensors against exact fractions."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest

from tealight.ir.types import DType
from tealight.quant import numerics


def exact_round(x: Fraction) -> int:
    """Rounds half to even."""
    return round(x)


@pytest.mark.parametrize("x", [1.0, 0.5, 3e-5, 0.0123456789, 7.9999999, 1.5, 2.0**-20, 1e-39, 12345.678])
def test_odd_scale_is_near_and_odd(x: float) -> None:
    scale = numerics.odd_scale(x)
    mantissa, _ = math.frexp(float(scale))
    assert int(mantissa * (1 << 24)) % 2 == 1
    if x > 1e-38:
        assert abs(float(scale) - x) <= x * 2.0**-23


def test_tie_free_scales_keep_what_cannot_tie() -> None:
    rng = np.random.default_rng(2)
    for _ in range(300):
        most = int(np.exp(rng.uniform(0, np.log(1 << 22))))
        zeros = int(rng.integers(0, 24))
        m = int(rng.integers(1 << 23, 1 << 24)) >> zeros << zeros  # significands with many trailing zeros
        scale = np.float32(math.ldexp(max(m, 1 << 23), int(rng.integers(-36, -24))))
        found = numerics.tie_free_scales(scale, np.array(most))
        assert abs(float(found) - float(scale)) <= float(scale) * 2.0**-23
        step = Fraction(float(found)) * 2
        # sum * 2 * scale is an odd integer for no sum in 1 .. most: the smallest that makes it an integer is too large.
        if step.denominator <= most:
            assert (step.denominator * step) % 2 == 0
    assert numerics.tie_free_scales(np.float32(0.1), np.array(1000)) == np.float32(0.1)
    assert numerics.tie_free_scales(np.float32(0.25), np.array(1000)) != np.float32(0.25)


def test_requantize_is_exact_and_never_ties() -> None:
    rng = np.random.default_rng(0)
    for _ in range(300):
        scale = numerics.odd_scale(float(np.exp(rng.uniform(np.log(1e-5), np.log(0.4)))))
        limit = int(min(numerics.MAX_SUM - 1, numerics.MAX_PRODUCT / float(scale) - 1))
        sums = rng.integers(-limit, limit + 1, 50)
        zero_point = int(rng.integers(-128, 128))
        found = numerics.requantize(sums, scale, zero_point)
        for total, q in zip(sums, found, strict=True):
            product = Fraction(int(total)) * Fraction(float(scale))
            assert total == 0 or (product * 2) % 2 != 1, "a tie"
            assert q == min(127, max(-128, exact_round(product) + zero_point))


def test_requantize_equals_the_magic_number_form() -> None:
    rng = np.random.default_rng(1)
    scale = numerics.odd_scale(0.0007)
    sums = rng.integers(-(1 << 23) + 1, 1 << 23, 20000)
    magic = np.float32(1.5 * 2**23)
    y = numerics.fma(sums.astype(np.float32), scale, magic + np.float32(-5))
    fast = y.view(np.int32) - np.float32(1.5 * 2**23).view(np.int32)
    np.testing.assert_array_equal(np.clip(fast, -128, 127), numerics.requantize(sums, scale, -5))


def test_fma_rounds_once() -> None:
    rng = np.random.default_rng(2)
    a, b = (rng.standard_normal(4000).astype(np.float32) * np.float32(2) ** rng.integers(-20, 20, 4000) for _ in "ab")
    c = (-a.astype(np.float64) * b * (1 + rng.standard_normal(4000) * 2.0 ** rng.integers(-40, 2, 4000))).astype(
        np.float32
    )
    for x, y, z, found in zip(a, b, c, numerics.fma(a, b, c), strict=True):
        exact = Fraction(float(x)) * Fraction(float(y)) + Fraction(float(z))
        near = np.float32(float(exact))
        around = [np.nextafter(near, np.float32(-np.inf)), near, np.nextafter(near, np.float32(np.inf))]
        assert abs(Fraction(float(found)) - exact) == min(abs(Fraction(float(v)) - exact) for v in around)


def test_wide_where_the_proof_fails() -> None:
    assert not numerics.is_wide(np.array([1000.0]), np.float32(0.5))
    assert numerics.is_wide(np.array([2.0**23]), np.float32(1e-4))
    assert numerics.is_wide(np.array([10.0, 5e6]), np.float32(0.9))


def test_quantize_saturates_rounds_half_to_even_and_maps_nan_to_zero() -> None:
    x = np.array([0.5, 1.5, 2.5, -0.5, 1e9, -np.inf, np.nan], np.float32)
    found = numerics.quantize(x, np.float32(1), 3, DType.INT8)
    assert found.tolist() == [3, 5, 5, 3, 127, -128, 3]


@pytest.mark.parametrize(("low", "high"), [(0, 6), (-1, 1), (-3, -1), (2, 5), (0, 0), (-1e-30, 1e-30)])
def test_asymmetric_params_hold_zero_exactly(low: float, high: float) -> None:
    scale, zero_point = numerics.asymmetric_params(low, high)
    assert scale > 0 and -128 <= zero_point <= 127
    ends = numerics.dequantize(np.array([-128, 127]), scale, zero_point)
    assert ends[0] <= min(low, 0) + float(scale) and ends[1] >= max(high, 0) - float(scale)


def test_rescaled_add_is_near_the_real_sum() -> None:
    rng = np.random.default_rng(5)
    a, b = (rng.integers(-128, 128, 1000).astype(np.int8) for _ in "ab")
    constants = numerics.add_constants(0.1, 3, 0.02, -100, 0.15, 7)
    real = (a.astype(float) - 3) * 0.1 + (b.astype(float) + 100) * 0.02
    found = numerics.rescaled_add(a, b, *constants).astype(float)
    assert np.max(np.abs(found - np.clip(real / 0.15 + 7, -128, 127))) <= 0.5 + 1e-4


def test_softmax_is_within_a_step_of_the_real_one() -> None:
    rng = np.random.default_rng(3)
    x = rng.integers(-128, 128, (50, 77)).astype(np.int8)
    for scale in (1e-3, 0.02, 0.11, 2.0):
        table = np.exp(-scale * np.arange(256)).astype(np.float32)
        real = np.exp(scale * x.astype(np.float64))
        real /= real.sum(axis=1, keepdims=True)
        assert np.abs((numerics.softmax(x, table) + 128.0) / 256 - np.minimum(real, 255 / 256)).max() <= 0.51 / 256


def test_norm_factor_is_the_float_deviation() -> None:
    x = np.random.default_rng(4).integers(-128, 128, (5, 300)).astype(np.int8)
    real = 0.03 * (x.astype(np.float64) - 11)
    for rms in (False, True):
        r, centre = numerics.norm_factor(x, (1,), 0.03, 11, 1e-3, rms)
        mean = np.zeros((5, 1)) if rms else real.mean(axis=1, keepdims=True)
        deviation = np.sqrt(((real - mean) ** 2).mean(axis=1, keepdims=True) + 1e-3)
        np.testing.assert_allclose((x - centre) * r, (real - mean) / deviation, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("x", "scale", "zero_point"),
    [([-1.0, 3.0], 4 / 255, 64), ([2.0, 5.1], 0.02, 0), ([-2.55, np.nan], 0.01, 255), ([0.0], 1.0, 0), ([], 1.0, 0)],
)
def test_dynamic_params(x: list[float], scale: float, zero_point: int) -> None:
    found = numerics.dynamic_params(np.array(x, np.float32))
    assert found[0] == pytest.approx(scale, rel=1e-6) and found[1] == zero_point


def test_scale_of_mean_is_the_quotient() -> None:
    counts = np.arange(1, 500)
    scales = numerics.scale_of_mean(0.7, counts)
    assert scales.dtype == np.float32
    np.testing.assert_allclose(scales, 0.7 / counts, rtol=2.0**-22)
    assert numerics.scale_of_mean(0.7, 0) == 0 and numerics.scale_of_mean(1.0, 4) == 0.25
