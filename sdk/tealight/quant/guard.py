# SPDX-License-Identifier: Apache-2.0
"""Keeps layers float where int8 in all of them would lose the answer.

Rounding errors pass through all later layers. Where a model amplifies them (measured: about 1.3 dB a layer in a
MobileNetV1 whose weights are random, 0.4 dB in a YOLO) a few layers in float help more than finer ranges in all. So the
float and the integer graph are compared on some calibration runs; where the outputs differ too much, the last layer
stays float, or as many as it takes, those first whose errors cost most for the time that float takes (sensitivity.py).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from tealight import ops
from tealight.ir.graph import Graph, Node, Value
from tealight.passes._editor import out
from tealight.quant import rewrite
from tealight.quant.calibrate import Runner
from tealight.quant.clone import clone
from tealight.quant.integerize import integerize
from tealight.quant.observers import Statistics
from tealight.quant.plan import LAYERS, kept_float, make_plan
from tealight.quant.recipe import FLOAT32, Settings
from tealight.quant.sensitivity import float_order

#: Calibration runs that are compared, at most.
RUNS = 16
#: Where more than this share of the work would have to stay float, a cosine smaller by RELIEF will do.
MUCH = 0.4
RELIEF = 0.01

Progress = Callable[[str, int, int], None]


@dataclasses.dataclass
class Guarded:
    """What the guard decided.

    Attributes:
        settings: Of each node, float32 where it shall stay so.
        kept: Layers that stay float.
        layers: How many layers could be integer.
        before: The least cosine of an output with all of them integer.
        after: With the kept ones float.
    """

    settings: dict[Node, Settings]
    kept: list[Node]
    layers: int
    before: float
    after: float


def protect(
    graph: Graph,
    settings: Mapping[Node, Settings],
    statistics: Mapping[str, Statistics],
    broken: set[Value],
    samples: Sequence[Mapping[str, np.ndarray]],
    least: float,
    progress: Progress | None = None,
) -> Guarded:
    """Returns settings with which the outputs of the quantized graph keep a cosine to those of the float graph.

    Args:
        graph: Float, with activations taken out; not changed.
        settings: Of each node.
        statistics: Of values, by name.
        broken: Values that cannot be quantized.
        samples: Calibration runs; the first RUNS are used.
        least: The cosine that each output shall have.
        progress: Called as progress("compare with float", i, n).
    """
    plan = make_plan(graph, settings, broken)
    layers = [n for n in graph.nodes if n in plan.nodes and n.op in (*LAYERS, "matmul")]
    judge = _Judge(graph, settings, statistics, broken, samples, layers, progress)
    if not layers or not judge.outputs:
        return Guarded(dict(settings), [], len(layers), 1.0, 1.0)
    before = judge.prefix(0)
    if before >= least:
        return Guarded(dict(settings), [], len(layers), before, before)
    alone = judge.score(layers[-1:])
    if alone >= least:
        return Guarded(judge.settings_with(layers[-1:]), layers[-1:], len(layers), before, alone)
    judge.sort()
    count = judge.fewest(least)
    if _share(judge.layers, count) > MUCH:
        count = judge.fewest(least - RELIEF)
    chosen = set(judge.layers[:count])
    kept = [n for n in layers if n in chosen]
    return Guarded(judge.settings_with(kept), kept, len(layers), before, judge.prefix(count))


def _share(layers: Sequence[Node], count: int) -> float:
    """Returns the share of the first layers in the work of all (of their number, where shapes are open)."""
    macs = [float(ops.get(n.op).macs(n)) for n in layers]
    return sum(macs[:count]) / sum(macs) if sum(macs) else count / len(layers)


class _Judge:
    """Compares quantized forms of a graph with the graph."""

    def __init__(
        self,
        graph: Graph,
        settings: Mapping[Node, Settings],
        statistics: Mapping[str, Statistics],
        broken: set[Value],
        samples: Sequence[Mapping[str, np.ndarray]],
        layers: Sequence[Node],
        progress: Progress | None,
    ) -> None:
        self.graph, self.settings, self.statistics, self.broken = graph, settings, statistics, broken
        self.samples, self.layers, self.progress = samples[:RUNS], layers, progress
        self.known: dict[int, float] = {len(layers): 1.0}
        self.outputs = [v.name for v in graph.outputs if v.dtype.is_float and not v.is_const]
        self.wanted = self._run(graph) if self.outputs else []
        self.deciding = self.samples[:1]

    def sort(self) -> None:
        """Puts those layers first that are best kept float, by the run that decides the score of int8 in all."""
        plan = make_plan(self.graph, self.settings, self.broken, self.statistics)
        points = rewrite.parameters_of(self.graph, plan, self.settings, self.statistics)
        if self.progress is not None:
            self.progress("look at single layers", 0, 1)
        self.layers = float_order(
            self.graph, self.settings, self.broken, self.layers, points, self.deciding, self.outputs, _loss
        )

    def settings_with(self, kept: Sequence[Node]) -> dict[Node, Settings]:
        """Returns the settings with some layers float."""
        float_nodes = set(kept)
        return {
            n: dataclasses.replace(s, recipe=FLOAT32) if n in float_nodes else s for n, s in self.settings.items()
        }  # fmt: skip

    def prefix(self, count: int) -> float:
        """Returns the score with the first layers float."""
        if count not in self.known:
            steps = len(self.layers).bit_length() + 2
            if self.progress is not None:
                self.progress("compare with float", min(len(self.known) - 1, steps), steps)
            self.known[count] = self.score(self.layers[:count])
        return self.known[count]

    def fewest(self, least: float) -> int:
        """Returns how many first layers must stay float for a score, found by bisection."""
        fails = max([k for k, s in self.known.items() if s < least], default=-1)
        passes = min(k for k, s in self.known.items() if s >= least and k > fails)
        while passes - fails > 1:
            middle = (fails + passes) // 2
            fails, passes = (fails, middle) if self.prefix(middle) >= least else (middle, passes)
        return passes

    def score(self, kept: Sequence[Node]) -> float:
        """Returns the least cosine of an output with some layers float and the others integer.

        Of each output the lower quartile over the runs counts: one odd sample shall not decide.
        """
        copy, nodes, values = clone(self.graph)
        settings = {nodes[n]: s for n, s in self.settings_with(kept).items() if n in nodes}
        broken = {values[v] for v in self.broken if v in values}
        plan = make_plan(copy, settings, broken, self.statistics)
        keep = kept_float(copy, plan)
        rewrite.insert(copy, plan, settings, self.statistics)
        integerize(copy, keep)
        found = self._run(copy)
        cosines = [[_cosine(a, b) for a, b in zip(x, y, strict=True)] for x, y in zip(found, self.wanted, strict=True)]
        columns = [list(column) for column in zip(*cosines, strict=True)]
        at = (len(cosines) - 1) // 4
        worst = min(columns, key=lambda column: sorted(column)[at])
        if not kept:
            self.deciding = [self.samples[sorted(range(len(worst)), key=worst.__getitem__)[at]]]
        return float(sorted(worst)[at])

    def _run(self, graph: Graph) -> list[list[np.ndarray]]:
        runner = Runner(graph, self.outputs)
        try:
            results = [runner.run(s) for s in self.samples]
        finally:
            runner.close()
        return [[r[name] for name in self.outputs] for r in results]


def _loss(found: Sequence[np.ndarray], wanted: Sequence[np.ndarray]) -> np.ndarray:
    """Returns 1 - cosine of each output."""
    return np.array([1 - _cosine(a, b) for a, b in zip(found, wanted, strict=True)])


def _cosine(a: np.ndarray, b: np.ndarray) -> float:
    """Returns the cosine of two tensors, rounded so that it is the same on every machine; 1 for two zeros."""
    x, y = np.ravel(a).astype(np.float64), np.ravel(b).astype(np.float64)
    if x.shape != y.shape:  # what a threshold lets through
        return 0.0
    if not (np.isfinite(x).all() and np.isfinite(y).all()):
        return 1.0 if np.array_equal(x, y, equal_nan=True) else 0.0
    norm = float(np.sqrt(np.sum(x * x) * np.sum(y * y)))
    if norm == 0.0:
        return 1.0 if not x.any() and not y.any() else 0.0
    return round(float(np.sum(x * y)) / norm, 9)


def note(guarded: Guarded, least: float) -> str:
    """Returns what the guard did, for the build's notes."""
    names = [repr(n.name or out(n).name) for n in guarded.kept]
    named = ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")
    return (
        f"{len(names)} of {guarded.layers} layers stay float32 ({named}): with all in int8 an output had a cosine of "
        f"{guarded.before:.3f} to float on calibration data, now {guarded.after:.3f}; min_cosine = {least:g} asks for "
        "it" + ("" if guarded.after >= least else ", as far as the cost allows")
    )
