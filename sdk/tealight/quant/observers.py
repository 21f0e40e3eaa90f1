# SPDX-License-Identifier: Apache-2.0
"""Observers: what is remembered of a float value over a data set, and the range that follows from it.

Histograms have bins of a power of two that are aligned to 0; where a larger number comes, neighbours are joined. Counts
are integers, so a histogram depends only on the set of numbers seen: not on their order or how they came in batches.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Hashable

import numpy as np

from tealight.ir.types import DType
from tealight.quant import numerics
from tealight.quant.recipe import Settings

#: Bins over [-2^e, 2^e); a quarter of them at least lie on either side below the greatest number.
BINS = 8192
#: The weight of the newest run in a moving average.
MOMENTUM = 0.1
_LEAST_EXPONENT = -100
_MASK = -1e4
_CANDIDATES = 40
_FINE = 12

#: A function of one number, over arrays.
Function = Callable[[np.ndarray], np.ndarray]
#: (centres, counts, low, high) -> what is to be least.
Cost = Callable[[np.ndarray, np.ndarray, float, float], float]


@dataclasses.dataclass
class Statistics:
    """What is known of one value.

    Attributes:
        counts: int64 [BINS]: how many numbers lie in [i - BINS / 2, i - BINS / 2 + 1) * 2^(exponent + 1) / BINS.
        exponent: All numbers lie in [-2^exponent, 2^exponent).
        least: Least number seen.
        greatest: Greatest number seen.
        average: Moving average of (least, greatest) of each run; None before the first.
        finite: Whether no NaN or infinity was seen.
        ranges: Ranges chosen from these numbers before, by what decided them.
        runs: (least, greatest) of each run since this object was made; what merge() needs of the second part.
    """

    counts: np.ndarray = dataclasses.field(default_factory=lambda: np.zeros(BINS, np.int64))
    exponent: int = _LEAST_EXPONENT
    least: float = math.inf
    greatest: float = -math.inf
    average: tuple[float, float] | None = None
    finite: bool = True
    ranges: dict[Hashable, tuple[float, float]] = dataclasses.field(default_factory=dict, repr=False, compare=False)
    runs: list[tuple[float, float]] = dataclasses.field(default_factory=list, repr=False, compare=False)

    def update(self, x: np.ndarray) -> None:
        """Adds the numbers of one run, float32."""
        self.ranges = {}
        flat = np.ravel(x)
        if not flat.size:
            return
        least, greatest = float(flat.min()), float(flat.max())
        if not (math.isfinite(least) and math.isfinite(greatest)):
            self.finite = False
            return
        self.least, self.greatest = min(self.least, least), max(self.greatest, greatest)
        self.runs.append((least, greatest))
        self._average((least, greatest))
        self._grow(max(math.frexp(max(abs(least), abs(greatest)))[1], _LEAST_EXPONENT))
        width = np.float32(math.ldexp(1.0, -self._step()))  # a power of two: products are exact
        index = np.floor(flat * width).astype(np.int32)
        self.counts += np.bincount(np.clip(index + BINS // 2, 0, BINS - 1), minlength=BINS)

    def _average(self, found: tuple[float, float]) -> None:
        if self.average is None:
            self.average = found
        else:
            a, b = self.average
            self.average = a + MOMENTUM * (found[0] - a), b + MOMENTUM * (found[1] - b)

    def _step(self) -> int:
        """Returns log2 of a bin's width."""
        return self.exponent + 1 - int(math.log2(BINS))

    def _grow(self, exponent: int) -> None:
        if exponent <= self.exponent:
            return
        shift = min(exponent - self.exponent, 30)
        where = ((np.arange(BINS) - BINS // 2) >> shift) + BINS // 2
        joined = np.zeros(BINS, np.int64)
        np.add.at(joined, where, self.counts)
        self.counts, self.exponent = joined, exponent

    @property
    def masked(self) -> bool:
        """Whether numbers that stand for minus infinity (-1e4, -1e9 …) lie far below all others.

        No int8 steps fit both; a softmax gives them 0 in any case.
        """
        if not self.least <= _MASK or self.greatest > -self.least / 100:
            return False
        centres, _ = self.bins()
        return not np.any((centres > self.least / 2) & (centres < self.least / 100))

    def bins(self) -> tuple[np.ndarray, np.ndarray]:
        """Returns the centres of the bins that hold numbers, float64, and their counts."""
        used = np.flatnonzero(self.counts)
        centres = (used - BINS // 2 + 0.5) * math.ldexp(1.0, self._step())
        return np.clip(centres, self.least, self.greatest), self.counts[used].astype(np.float64)


def merge(a: Statistics, b: Statistics) -> Statistics:
    """Returns the statistics of two parts of a set, a before b: those of one pass over both, to the bit."""
    parts = [dataclasses.replace(s, counts=s.counts.copy()) for s in (a, b)]
    exponent = max(a.exponent, b.exponent)
    for part in parts:
        part._grow(exponent)
    joined = Statistics(
        parts[0].counts + parts[1].counts, exponent, min(a.least, b.least), max(a.greatest, b.greatest), a.average,
        a.finite and b.finite, runs=[*a.runs, *b.runs],
    )  # fmt: skip
    for found in b.runs:
        joined._average(found)
    return joined


def value_range(s: Statistics, settings: Settings, function: Function | None = None) -> tuple[float, float]:
    """Returns the range (low <= 0 <= high) that the steps of int8 shall cover.

    minmax: all that was seen. moving_average: of each run's least and greatest number. percentile: leaves out the same
    share of numbers at either end. entropy: the range whose 256 steps keep the distribution best (least KL
    divergence). mse: the range with the least mean squared error of rounding and saturation; where only `function`
    reads the value, of what the function makes of it (silu hardly sees numbers below -6).
    """
    key = settings.observer, settings.percentile, getattr(function, "key", function)
    if key not in s.ranges:
        s.ranges[key] = _value_range(s, settings, function)
    return s.ranges[key]


def _value_range(s: Statistics, settings: Settings, function: Function | None) -> tuple[float, float]:
    low, high = min(s.least, 0.0), max(s.greatest, 0.0)
    if not s.counts.any() or low == high:
        return (low, high) if s.counts.any() else (0.0, 0.0)
    if settings.observer == "moving_average" and s.average is not None:
        low, high = min(s.average[0], 0.0), max(s.average[1], 0.0)
    elif settings.observer == "percentile":
        low, high = _percentile(s, settings.percentile)
    elif settings.observer in ("entropy", "mse"):
        low, high = _search(s, low, high, _divergence if settings.observer == "entropy" else _SquaredError(function))
    return low, high


def parameters(low: float, high: float, symmetric: bool = False) -> tuple[np.float32, int]:
    """Returns scale and zero point of int8 for a range; a range of nothing gets scale 1."""
    if not symmetric:
        return numerics.asymmetric_params(low, high)
    scale = numerics.symmetric_scale(np.array(max(-low, high)))
    return np.float32(scale), 0


def _percentile(s: Statistics, percentile: float) -> tuple[float, float]:
    centres, counts = s.bins()
    share = np.cumsum(counts) / counts.sum()
    cut = (1 - percentile / 100) / 2
    low = centres[np.searchsorted(share, cut, "right")] if cut else s.least
    high = centres[min(int(np.searchsorted(share, 1 - cut, "left")), len(centres) - 1)] if cut else s.greatest
    return min(float(low), 0.0), max(float(high), 0.0)


def _search(s: Statistics, low: float, high: float, cost: Cost) -> tuple[float, float]:
    """Returns the best of shrunken ranges: both ends together, then each alone, coarse and fine."""
    centres, counts = s.bins()
    factors = np.linspace(1.0, 0.1, _CANDIDATES)
    best = (cost(centres, counts, low, high), low, high)
    for f in factors[1:]:
        best = min(best, (cost(centres, counts, low * f, high * f), low * f, high * f), key=lambda b: b[0])
    for fine in (False, True):
        for end in (0, 1):
            _, kept_low, kept_high = best
            whole = ((low, high), (kept_low, kept_high))[fine][end]
            for f in np.linspace(1.1, 0.9, _FINE) if fine else factors:
                a = kept_low if end else max(whole * f, low)
                b = min(whole * f, high) if end else kept_high
                best = min(best, (cost(centres, counts, a, b), a, b), key=lambda c: c[0])
    return float(best[1]), float(best[2])


class _SquaredError:
    """Sum of squared differences between f(x) and f(x as int8)."""

    def __init__(self, function: Function | None) -> None:
        self.function = function

    def __call__(self, centres: np.ndarray, counts: np.ndarray, low: float, high: float) -> float:
        """Returns the error of a range."""
        scale, zero_point = numerics.asymmetric_params(low, high)
        steps = np.clip(np.rint(centres / float(scale)), -128 - zero_point, 127 - zero_point)
        real, wanted = steps * float(scale), centres
        if self.function is not None:
            real, wanted = self.function(real), self.function(centres)
        error = real - wanted
        return _rounded(np.sum(counts * (error * error)))


def _rounded(cost: np.floating) -> float:
    """Drops the digits in which sums may differ between machines: equal costs must stay equal on all of them."""
    return float(f"{float(cost):.9e}")


def _divergence(centres: np.ndarray, counts: np.ndarray, low: float, high: float) -> float:
    """Returns sum p log(p / q): p the clipped distribution, q each step's count spread evenly over its bins."""
    scale, zero_point = numerics.asymmetric_params(low, high)
    step = (np.clip(np.rint(centres / float(scale)) + zero_point, -128, 127) + 128).astype(np.int64)
    inside = (centres >= low) & (centres <= high)
    if not inside.any():
        return math.inf
    p = np.where(inside, counts, 0.0)
    for end, outside in ((0, centres < low), (-1, centres > high)):
        p[np.flatnonzero(inside)[end]] += counts[outside].sum()
    kept = np.where(inside, counts, 0.0)
    total = np.bincount(step, kept, 256)
    members = np.bincount(step, inside, 256)
    q = np.where(inside, total[step] / np.maximum(members[step], 1), 0.0)
    used = p > 0
    q = np.maximum(q[used], 1e-9)
    p = p[used]
    return _rounded(np.sum(p * np.log((p / p.sum()) / (q / q.sum()))) / p.sum())


def weight_scales(weight: np.ndarray, settings: Settings, axis: int = 0, dtype: DType = DType.INT8) -> np.ndarray:
    """Returns the symmetric scales of a weight, float32 [n] along an axis, or [] for one scale."""
    length = weight.size // weight.shape[axis] if weight.shape[axis] else 0
    rows = np.moveaxis(weight, axis, 0).reshape(weight.shape[axis], length).astype(np.float64)
    rows = rows if settings.per_channel else rows.reshape(1, -1)
    bound = np.abs(rows).max(axis=1, initial=0.0)
    if settings.weight_observer == "mse":
        bound = _least_error_bound(rows, bound, dtype)
    scale = numerics.symmetric_scale(bound, dtype)
    return scale if settings.per_channel else scale.reshape(())


def _least_error_bound(rows: np.ndarray, bound: np.ndarray, dtype: DType) -> np.ndarray:
    """Returns per row the bound, from the greatest |w| down to half of it, with the least squared error."""
    greatest = numerics.LIMITS[dtype][1]
    best, least = bound, np.full(len(bound), np.inf)
    for f in np.linspace(1.0, 0.5, 26):
        scale = np.where(bound > 0, bound * f / greatest, 1.0)[:, None]
        error = np.clip(np.rint(rows / scale), -greatest, greatest) * scale - rows
        cost = (error * error).sum(axis=1)
        best, least = np.where(cost < least, bound * f, best), np.minimum(cost, least)
    return best
