# SPDX-License-Identifier: Apache-2.0
"""Histograms that depend on the numbers only, and the ranges that observers choose from them."""

from __future__ import annotations

import numpy as np
import pytest

from tealight.quant import numerics
from tealight.quant.observers import BINS, Statistics, merge, parameters, value_range, weight_scales
from tealight.quant.recipe import Settings


def seen(*arrays: np.ndarray) -> Statistics:
    s = Statistics()
    for a in arrays:
        s.update(a.astype(np.float32))
    return s


def test_histogram_does_not_depend_on_order_or_batches() -> None:
    x = np.random.default_rng(0).standard_normal(5000).astype(np.float32) * np.logspace(-6, 3, 5000, dtype=np.float32)
    whole, parts, back = seen(x), seen(*np.split(x, 50)), seen(*np.split(x[::-1], 50))
    joined = merge(seen(*np.split(x[:2000], 4)), seen(x[2000:]))
    for other in (parts, back, joined):
        assert other.exponent == whole.exponent and np.array_equal(other.counts, whole.counts)
        assert (other.least, other.greatest) == (whole.least, whole.greatest)
    assert whole.counts.sum() == 5000 and whole.counts.size == BINS


def test_histogram_counts_each_number_in_its_bin() -> None:
    s = seen(np.array([-1.0, -0.5, 0.0, 0.5, 0.999]))
    centres, counts = s.bins()
    assert s.exponent == 1 and counts.tolist() == [1] * 5
    assert np.all(np.abs(centres - [-1.0, -0.5, 0.0, 0.5, 0.999]) <= 4 / BINS)


def test_minmax_holds_zero() -> None:
    assert value_range(seen(np.array([2.0, 5.0])), Settings(observer="minmax")) == (0.0, 5.0)
    assert value_range(seen(np.array([-3.0, -1.0])), Settings(observer="minmax")) == (-3.0, 0.0)


@pytest.mark.parametrize("observer", ["minmax", "moving_average", "percentile", "entropy", "mse"])
def test_constant_numbers_give_a_range_that_holds_them(observer: str) -> None:
    for value in (0.0, 7.5, -7.5):
        low, high = value_range(seen(np.full(100, value)), Settings(observer=observer))
        assert low <= min(value, 0) + 1e-2 and high >= max(value, 0) - 1e-2
        scale, zero_point = parameters(low, high)
        real = numerics.dequantize(
            numerics.quantize(np.float32([value]), scale, zero_point, numerics.DType.INT8), scale, zero_point
        )
        assert abs(float(real[0]) - value) <= 0.02
    assert value_range(Statistics(), Settings(observer=observer)) == (0.0, 0.0)


def test_moving_average_follows_the_runs() -> None:
    s = seen(np.array([-1.0, 1.0]), np.array([-2.0, 11.0]))
    low, high = value_range(s, Settings(observer="moving_average"))
    assert low == pytest.approx(-1.1) and high == pytest.approx(2.0)


def test_percentile_leaves_out_the_ends() -> None:
    x = np.concatenate([np.linspace(-1, 1, 9998), [-100.0, 100.0]])
    low, high = value_range(seen(x), Settings(observer="percentile", percentile=99.9))
    assert -1.1 < low < -0.9 and 0.9 < high < 1.1
    assert value_range(seen(x), Settings(observer="percentile", percentile=100.0)) == (-100.0, 100.0)


def error(x: np.ndarray, low: float, high: float) -> float:
    scale, zero = parameters(low, high)
    q = numerics.quantize(x.astype(np.float32), scale, zero, numerics.DType.INT8)
    return float(((numerics.dequantize(q, scale, zero) - x) ** 2).mean())


def test_mse_has_less_error_than_minmax_on_long_tails_and_no_more_elsewhere() -> None:
    rng = np.random.default_rng(1)
    for x, gain in ((rng.uniform(-1, 1, 20000), 1.01), (rng.laplace(size=300000), 0.97)):
        ranges = {o: value_range(seen(x), Settings(observer=o)) for o in ("minmax", "mse")}
        assert error(x, *ranges["mse"]) <= error(x, *ranges["minmax"]) * gain


def test_entropy_drops_outliers() -> None:
    rng = np.random.default_rng(1)
    x = np.concatenate([rng.standard_normal(20000), [50.0]])
    low, high = value_range(seen(x), Settings(observer="entropy"))
    assert 2.0 < high < 40.0 and low < -1.5


def test_infinity_is_remembered_not_counted() -> None:
    s = seen(np.array([1.0, 2.0]), np.array([np.inf]), np.array([np.nan, 1.0]))
    assert not s.finite and s.counts.sum() == 2


def test_symmetric_parameters() -> None:
    scale, zero = parameters(-1.0, 2.0, symmetric=True)
    assert zero == 0 and scale == np.float32(2.0 / 127)


def test_weight_scales() -> None:
    w = np.random.default_rng(2).standard_normal((4, 100))
    w[0], w[1, 0] = 0.0, 20.0
    plain = weight_scales(w, Settings())
    assert plain.shape == (4,) and plain[0] == 1.0 and plain[1] == np.float32(20 / 127)
    assert weight_scales(w, Settings(per_channel=False)) == np.float32(20 / 127)
    assert weight_scales(w, Settings(weight_observer="mse"))[1] <= plain[1]


def test_masks_are_told_from_ranges() -> None:
    rng = np.random.default_rng(0)
    scores = rng.standard_normal(1000).astype(np.float32)
    for numbers, masked in (
        (np.concatenate([scores, np.full(300, -1e9)]), True),
        (np.concatenate([scores, scores - np.float32(1e4)]), True),  # scores with a mask added
        (np.concatenate([scores, [-3.4028235e38]]), True),
        (np.full(10, -1e9), True),
        (scores, False),
        (scores * 1e9, False),  # large, but a range
        (np.concatenate([scores, np.full(300, 1e9)]), False),
        (np.linspace(-1e6, 0, 1000), False),
    ):
        s = Statistics()
        s.update(numbers.astype(np.float32))
        assert s.masked is masked


def test_merging_is_associative_to_the_bit() -> None:
    rng = np.random.default_rng(3)
    runs = [rng.standard_normal(50) * 10.0**k for k in (-3, 2, 0, 5, -1, 1)]
    whole = seen(*runs)
    a, b, c = seen(*runs[:2]), seen(*runs[2:3]), seen(*runs[3:])
    for joined in (merge(merge(a, b), c), merge(a, merge(b, c))):
        assert np.array_equal(joined.counts, whole.counts) and joined.exponent == whole.exponent
        assert (joined.least, joined.greatest, joined.average) == (whole.least, whole.greatest, whole.average)
