# SPDX-License-Identifier: Apache-2.0
"""SmoothQuant: outliers of a normalised activation move into the layers that read it (Xiao et al. 2022).

The channels of a layer_norm's result are divided by s[i] = bound[i]^a / r[i]^(1 - a), r the range of the readers'
weights in channel i: its scale and bias take that up, and the readers' weights are multiplied by s[i]. The strength a
is given, or the one of 0.25, 0.3125 … 1 of the least modelled noise (see equalize.py).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

import numpy as np

from tealight.ir.graph import Graph, Node
from tealight.quant import channels
from tealight.quant.channels import ChannelStatistics, Link
from tealight.quant.equalize import Equalized, apply, best_factors, normalised, readers

_STRENGTHS = tuple(i / 16 for i in range(4, 17))


def smooth(
    graph: Graph,
    samples: Iterable[Mapping[str, np.ndarray]],
    *,
    strength: float | None = None,
    wanted: Callable[[Node], bool] = lambda node: True,
) -> list[Equalized]:
    """Migrates outliers of the layer_norms of a float graph in place; what it computes stays but for rounding.

    Args:
        graph: After the passes, activations not fused.
        samples: A few; they are read once.
        strength: a, 0 … 1; None searches.
        wanted: Whether a layer will be quantized; a layer_norm with another reader is left.

    Returns:
        The layer_norms that were scaled.
    """
    links = [link for link in channels.find_links(graph, ("layer_norm",)) if all(map(wanted, link.consumers))]
    if not links:
        return []
    table = channels.channel_statistics(graph, links, samples)
    done = []
    for link in links:
        statistics = table[link.value.name]
        chosen = _STRENGTHS if strength is None else (strength,)
        a, gain, factors = best_factors(link, statistics, _factors(link, statistics, chosen))
        if a:
            apply(graph, link, factors, table)
            done.append(Equalized(link.value.name, a, gain))
    return done


def _factors(
    link: Link, statistics: ChannelStatistics, strengths: Iterable[float]
) -> Iterator[tuple[float, np.ndarray]]:
    """Yields strength and factors [c]."""
    bound = statistics.bound
    weights = np.max([r.bound for r in readers(link)], axis=0)
    live = (bound > 0) & (weights > 0)
    for a in strengths:
        ratio = np.where(live, bound, 1.0) ** a / np.where(live, weights, 1.0) ** (1 - a)
        yield a, normalised(ratio, live)
