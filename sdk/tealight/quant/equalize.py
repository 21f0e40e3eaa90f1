# SPDX-License-Identifier: Apache-2.0
"""Cross-layer equalization: channels of a layer's result are scaled so that one scale per tensor fits all of them.

With a scale for each output channel of a weight, scaling channel i of a result by 1 / s[i] costs the producer nothing
(its own scales take it up). It gains resolution in the result, which has one scale, and costs resolution in those
consumers whose scales span the channels. The factors s = (bound / geometric mean of bounds)^strength are searched over
strengths 0, 0.125 … 1 for the least noise that this model of rounding expects at the consumers:

    noise = step^2 / 12 * sum of w^2  +  sum over i of E[x_i^2] * sum over o of step_w[o]^2 / 12

(step of the result, step_w of weight row o; both after scaling). With one scale per weight tensor the classic factors
of Nagel et al. 2019 are used where no clip is between: s[i] = sqrt(r1[i] / r2[i]), r1 and r2 the ranges of channel i
in both weights.

A clip in the producer (relu6) must stay inactive where it was, and active where it was: channels that reach the bound
on the data keep s = 1, others are not scaled above it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Mapping

import numpy as np

from tealight.ir.graph import Graph, Node
from tealight.quant import channels
from tealight.quant.channels import ChannelStatistics, Link, Reader

PRODUCERS = ("conv2d", "depthwise_conv2d", "fully_connected")

#: Factors stay within 2^-12 … 2^12 of each other's mean: beyond, a channel is dead.
_WIDEST = 4096.0
_STRENGTHS = tuple(i / 8 for i in range(1, 9))
_CLASSIC_ROUNDS = 8
#: With fewer numbers of a channel than this its range is chance, and so is a gain of less than 1 + _FEW / numbers: with
#: 8 rows four dense nets of random weights got 3 to 12 times the distance to float (1 - cosine) by such gains.
_FEW = 64


@dataclasses.dataclass(frozen=True)
class Equalized:
    """What was done at one link.

    Attributes:
        node: Name of the producer's result.
        strength: 0 … 1; -1 for the classic factors.
        gain: Modelled noise before, divided by that after; 0 where it is not modelled.
    """

    node: str
    strength: float
    gain: float


def equalize(
    graph: Graph,
    samples: Iterable[Mapping[str, np.ndarray]],
    *,
    per_channel: Callable[[Node], bool] = lambda node: True,
    wanted: Callable[[Node], bool] = lambda node: True,
) -> list[Equalized]:
    """Scales the links of a float graph in place; what it computes stays the same but for rounding.

    Args:
        graph: After the passes, activations not fused.
        samples: A few; they are read once.
        per_channel: Whether a layer's weight has a scale for each output channel.
        wanted: Whether a layer will be quantized; links with another consumer are left.

    Returns:
        The links that were scaled.
    """
    links = [link for link in channels.find_links(graph, PRODUCERS) if all(map(wanted, link.consumers))]
    if not links:
        return []
    table = channels.channel_statistics(graph, links, samples)
    done = []
    single = [link for link in links if not all(map(per_channel, (link.producer, *link.consumers)))]
    classic = [link for link in single if not np.isfinite(link.limit)]
    for _ in range(_CLASSIC_ROUNDS if classic else 0):
        for link in classic:
            apply(graph, link, _classic_factors(link), table)
    done += [Equalized(link.value.name, -1.0, 0.0) for link in classic]
    for link in links:
        if link not in single:
            statistics = table[link.value.name]
            least = 1 + _FEW / max(statistics.count, 1) if statistics.count < _FEW else 1.0
            strength, gain, factors = best_factors(link, statistics, _by_range(statistics), least)
            if strength:
                apply(graph, link, factors, table)
                done.append(Equalized(link.value.name, strength, gain))
    return done


def apply(graph: Graph, link: Link, factors: np.ndarray, table: Mapping[str, ChannelStatistics]) -> None:
    """Scales a link, and what is known of its channels."""
    channels.scale_link(graph, link, factors)
    s = table[link.value.name]
    s.low, s.high, s.power = s.low / factors, s.high / factors, s.power / factors**2


def readers(link: Link) -> list[Reader]:
    """Returns how each consumer of a link reads its channels."""
    return [Reader.of(c, link.channels) for c in link.consumers]


def best_factors(
    link: Link, statistics: ChannelStatistics, candidates: Iterable[tuple[float, np.ndarray]], least: float = 1.0
) -> tuple[float, float, np.ndarray]:
    """Returns the candidate (strength, factors [c]) of least modelled noise, with its gain over no change.

    Strength 0 and factors of 1 where none gains more than `least`, or infinity was met.
    """
    layers = readers(link)
    best = (0.0, 1.0, np.ones(link.channels))
    if not np.isfinite(statistics.power).all():
        return best
    before = noise(statistics, layers, best[2])
    for strength, wanted in candidates:
        factors = within_limit(link, statistics, wanted)
        gain = before / max(noise(statistics, layers, factors), 1e-300)
        if gain > max(least, best[1] * (1 + 1e-3)):  # of equal ones the first
            best = (strength, gain, factors)
    return best


def _by_range(statistics: ChannelStatistics) -> Iterator[tuple[float, np.ndarray]]:
    """Yields factors that make the channels' ranges more equal, up to wholly."""
    bound = statistics.bound
    live = bound > 0
    if live.sum() > 1:
        ratio = normalised(np.where(live, bound, 1.0), live)
        for strength in _STRENGTHS:
            yield strength, ratio**strength


def normalised(ratio: np.ndarray, live: np.ndarray) -> np.ndarray:
    """Returns positive factors around 1 (their geometric mean over live channels), 1 for dead ones."""
    centre = np.exp(np.log(ratio[live]).mean()) if live.any() else 1.0
    return np.where(live, np.clip(ratio / centre, 1 / _WIDEST, _WIDEST), 1.0)


def noise(statistics: ChannelStatistics, layers: list[Reader], factors: np.ndarray) -> float:
    """Returns the modelled power of the rounding noise at the consumers' outputs; the formula is above.

    Args:
        statistics: Of the value between the layers.
        layers: How the consumers read it, before scaling.
        factors: [c].
    """
    step = (np.max(statistics.high / factors) - np.min(statistics.low / factors)) / 255
    power = statistics.power / factors**2
    total = 0.0
    for layer in layers:
        scaled = layer.weight * factors
        bound = np.abs(scaled).max(axis=(0, 1) if layer.depthwise else (1, 2))
        rows = (bound / 127) ** 2 / 12
        rounding = (power * rows).sum() if layer.depthwise else power.sum() * rows.sum()
        total += step**2 / 12 * float((scaled**2).sum()) + float(rounding) * scaled.shape[1]
    return total


def _classic_factors(link: Link) -> np.ndarray:
    """Returns sqrt(r1 / r2) of the weights' ranges; 1 where a channel is dead."""
    weight = link.producer.inputs[1]
    assert weight is not None and weight.const is not None
    first = np.abs(weight.const.astype(np.float64).reshape(link.channels, -1)).max(axis=1)
    second = np.max([r.bound for r in readers(link)], axis=0)
    live = (first > 0) & (second > 0)
    return normalised(np.sqrt(np.divide(first, second, out=np.ones(link.channels), where=live)), live)


def within_limit(link: Link, statistics: ChannelStatistics, factors: np.ndarray) -> np.ndarray:
    """Returns factors that keep a clip as active as it was on the data."""
    if not np.isfinite(link.limit):
        return factors
    high = statistics.high
    top = high >= link.limit * (1 - 1e-6)
    largest = np.max(high / factors)
    factors = factors * (largest / max(np.max(high), 1e-30))  # the greatest number keeps its place
    return np.where(top, 1.0, np.maximum(factors, high / link.limit))
