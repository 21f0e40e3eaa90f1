# SPDX-License-Identifier: Apache-2.0
"""The search of mixed precision: which layer is stored how, within budgets of accuracy, latency and size.

What is known of each layer in each format: the noise that it alone brings to the outputs, its time and its bytes. From
all layers in float32 single layers are moved to another format, always the one that saves most for the noise it brings.
That order is fixed by the costs; accuracy of the whole model is measured only to find how far along it to go. The same
costs and the same data give the same choice.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tealight.errors import QuantizeError
from tealight.quant.recipe import FLOAT32

#: Noise below this, of the signal's power, counts as this: equal layers are ordered by what they save.
_LEAST_NOISE = 1e-12


@dataclasses.dataclass(frozen=True)
class Cost:
    """A layer in one format.

    Attributes:
        noise: Power of the error at the model's outputs over their power, with this layer alone in the format.
        ns: Time of one run.
        bytes: Of its weights.
    """

    noise: float
    ns: float
    bytes: int


@dataclasses.dataclass(frozen=True)
class LayerCosts:
    """A layer (all nodes of one source node) in every format that it may take; "float32" is one of them."""

    name: str
    op: str
    formats: Mapping[str, Cost]


@dataclasses.dataclass(frozen=True)
class Budget:
    """What a mix may cost; None = no limit.

    Attributes:
        drop: Points of accuracy lost against float32.
        latency_ns: Time of one run.
        bytes: Of the file.
    """

    drop: float | None = None
    latency_ns: float | None = None
    bytes: int | None = None

    def __str__(self) -> str:
        """Returns the limits as text."""
        parts = [] if self.drop is None else [f"a drop of at most {self.drop:g} points"]
        parts += [] if self.latency_ns is None else [f"at most {self.latency_ns / 1e6:g} ms"]
        return ", ".join([*parts, *([] if self.bytes is None else [f"at most {self.bytes:,} bytes"])]) or "no limit"


@dataclasses.dataclass(frozen=True)
class Measured:
    """A mix as built: points lost, time (that of float32 less what its layers save) and file size."""

    drop: float
    latency_ns: float
    bytes: int

    def __str__(self) -> str:
        """Returns the figures as text."""
        return f"a drop of {self.drop:.3g} points, {self.latency_ns / 1e6:.3g} ms, {self.bytes:,} bytes"


@dataclasses.dataclass
class Found:
    """The result of a search.

    Attributes:
        formats: Of each layer, by name.
        measured: Of the mix.
        tried: (layers moved, what was measured) in order.
    """

    formats: dict[str, str]
    measured: Measured
    tried: list[tuple[int, Measured]]


#: Builds a mix (format by layer) and returns points lost and file bytes.
Build = Callable[[Mapping[str, str]], tuple[float, int]]


def order(layers: Sequence[LayerCosts], budget: Budget) -> list[tuple[str, str]]:
    """Returns moves (layer, format) from all float32, best saving for the noise first.

    What is saved is time, bytes, or both as shares of the whole, as the budget asks; time without one.
    """
    by_time = budget.latency_ns is not None or budget.bytes is None
    weights = (1.0 if by_time else 0.0, 1.0 if budget.bytes is not None else 1e-3)
    whole = sum(c.formats[FLOAT32].ns for c in layers) or 1.0, sum(c.formats[FLOAT32].bytes for c in layers) or 1
    now = {c.name: FLOAT32 for c in layers}
    moves: list[tuple[str, str]] = []
    while True:
        best: tuple[float, str, str] | None = None
        for layer in layers:
            own = layer.formats[now[layer.name]]
            for name, cost in layer.formats.items():
                saved = weights[0] * (own.ns - cost.ns) / whole[0] + weights[1] * (own.bytes - cost.bytes) / whole[1]
                if saved <= 0:
                    continue
                rate = saved / max(cost.noise - own.noise, _LEAST_NOISE)
                if best is None or rate > best[0]:
                    best = rate, layer.name, name
        if best is None:
            return moves
        moves.append(best[1:])
        now[best[1]] = best[2]


def search(
    layers: Sequence[LayerCosts],
    budget: Budget,
    build: Build,
    total_ns: float,
    progress: Callable[[str, int, int], None] | None = None,
) -> Found:
    """Returns the mix: with a drop allowed the most moves within it, else the fewest that meet the other budgets.

    Args:
        layers: With their costs.
        budget: The limits.
        build: Measures a mix.
        total_ns: Time of the whole model in float32.
        progress: Called as progress("search", i, n).

    Raises:
        QuantizeError: No mix on the way meets the budget; the message has the nearest ones.
    """
    moves = order(layers, budget)
    states = [{c.name: FLOAT32 for c in layers}]
    for name, target in moves:
        states.append({**states[-1], name: target})
    walk = _Walk(layers, states, build, total_ns, progress)
    k = walk.last_within(budget.drop) if budget.drop is not None else walk.first_meeting(budget)
    measured = walk.at(k)
    if not _meets(measured, budget):
        raise QuantizeError(
            f"recipe auto: the best mix has {measured}, expected {budget}; all layers moved: {walk.at(len(moves))}; "
            "allow more, or give more formats"
        )
    return Found(states[k], measured, walk.tried)


def _meets(m: Measured, budget: Budget) -> bool:
    limits = ((m.drop, budget.drop), (m.latency_ns, budget.latency_ns), (m.bytes, budget.bytes))
    return all(limit is None or value <= limit for value, limit in limits)


class _Walk:
    """Measures states on the way, each once."""

    def __init__(
        self, layers: Sequence[LayerCosts], states: Sequence[Mapping[str, str]], build: Build, total_ns: float,
        progress: Callable[[str, int, int], None] | None,
    ) -> None:  # fmt: skip
        self.layers, self.states, self.build = layers, states, build
        self.total_ns, self.progress = total_ns, progress
        self.tried: list[tuple[int, Measured]] = []

    def at(self, k: int) -> Measured:
        """Returns state k, built and measured."""
        known = dict(self.tried)
        if k not in known:
            if self.progress is not None:
                self.progress("search", len(self.tried), len(self.tried) + 1)
            drop, size = self.build(self.states[k])
            self.tried.append((k, Measured(drop, self.latency(k), size)))
            known = dict(self.tried)
        return known[k]

    def latency(self, k: int) -> float:
        """Returns the time of state k by the costs of its layers."""
        saved = [c.formats[FLOAT32].ns - c.formats[self.states[k][c.name]].ns for c in self.layers]
        return self.total_ns - sum(saved)

    def last_within(self, drop: float) -> int:
        """Returns the last state within a drop, by bisection (the drop grows along the way)."""
        low, high = 0, len(self.states) - 1
        if self.at(high).drop <= drop:
            return high
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if self.at(middle).drop <= drop else (low, middle)
        return low

    def first_meeting(self, budget: Budget) -> int:
        """Returns the first state that meets latency and size; the last where none does, or nothing is limited."""
        if budget.latency_ns is None and budget.bytes is None:
            return len(self.states) - 1
        for k in range(len(self.states)):
            if budget.latency_ns is not None and self.latency(k) > budget.latency_ns:
                continue
            if budget.bytes is None or self.at(k).bytes <= budget.bytes:
                return k
        return len(self.states) - 1


def to_json(layers: Sequence[LayerCosts], total_ns: float) -> dict[str, Any]:
    """Returns the costs as plain data, so that a search can be repeated."""
    return {"total_ns": total_ns, "layers": [dataclasses.asdict(c) for c in layers]}


def from_json(data: Mapping[str, Any]) -> tuple[list[LayerCosts], float]:
    """Returns costs from plain data.

    Raises:
        QuantizeError: Something is missing in it.
    """
    try:
        layers = [
            LayerCosts(c["name"], c["op"], {f: Cost(**v) for f, v in c["formats"].items()}) for c in data["layers"]
        ]
        for layer in layers:
            layer.formats[FLOAT32]  # what every saving is measured against
        return layers, float(data["total_ns"])
    except (KeyError, TypeError, ValueError, AttributeError) as e:
        raise QuantizeError(f"costs: {type(e).__name__} {e}, expected what a search recorded") from e
