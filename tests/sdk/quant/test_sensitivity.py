# SPDX-License-Identifier: Apache-2.0
"""Losses of single errors add up to that of all, and the order weighs them against the time that float takes."""

from __future__ import annotations

import numpy as np
import pytest
from graph_builder import Build

from tealight.ir.graph import Graph, Node
from tealight.ir.types import TensorType
from tealight.quant import sensitivity
from tealight.quant.observers import Statistics
from tealight.quant.plan import make_plan
from tealight.quant.recipe import Settings
from tealight.quant.rewrite import parameters_of
from tealight.quant.sensitivity import Unit, cost_of, float_order, greedy

STATIC = Settings(recipe="static_wi8_ai8", observer="minmax")


def rows(n: int) -> list[dict[str, np.ndarray]]:
    return [{"x": np.random.default_rng(i).standard_normal((1, 24)).astype(np.float32)} for i in range(n)]


def loss(found, wanted):
    cosines = [
        float((a * b).sum() / np.sqrt((a * a).sum() * (b * b).sum())) for a, b in zip(found, wanted, strict=True)
    ]
    return 1 - np.array(cosines)


def chain(layers: int, scale: dict[int, float]) -> Graph:
    """Dense layers and tanh; what leaves a layer of `scale` takes few of the steps that its range has."""
    b = Build()
    b.spread = 0.3
    x = b.input(1, 24)
    for i in range(layers):
        x = b.unary("tanh", b.dense(x, 24))
        weight = next(n for n in reversed(b.graph.nodes) if n.op == "fully_connected").inputs[1]
        weight.const[0] *= scale.get(i, 1.0)
    b.graph.outputs = [b.dense(x, 8)]
    return b.graph


def order_of(graph: Graph, budget: int, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    monkeypatch.setattr(sensitivity, "BUDGET_BYTES", budget)
    settings = dict.fromkeys(graph.nodes, STATIC)
    plan = make_plan(graph, settings)
    runner = sensitivity.Runner(graph, [p.name for p in plan.points])
    statistics: dict[str, Statistics] = {p.name: Statistics() for p in plan.points}
    for feeds in rows(4):
        for name, value in runner.run(feeds).items():
            statistics[name].update(value)
    runner.close()
    layers = [n for n in graph.nodes if n.op == "fully_connected"]
    parameters = parameters_of(graph, plan, settings, statistics)
    outputs = [v.name for v in graph.outputs]
    found = float_order(graph, settings, set(), layers, parameters, rows(2), outputs, loss)
    return [layers.index(n) for n in found]


@pytest.mark.parametrize("budget", [1 << 28, 100])  # at once, and one by one
def test_the_coarsest_layer_goes_first(budget, monkeypatch, native):
    order = order_of(chain(6, {3: 300.0}), budget, monkeypatch)
    assert sorted(order) == list(range(7)) and order[0] == 3


def test_open_shapes_keep_the_order_of_execution(monkeypatch, native):
    graph = chain(2, {})
    layers = [n for n in graph.nodes if n.op == "fully_connected"]
    x = graph.inputs[0]
    x.type = TensorType(x.dtype, ("n", 24))
    assert float_order(graph, dict.fromkeys(graph.nodes, STATIC), set(), layers, {}, rows(1), [], loss) == layers


def test_greedy_takes_the_worst_output_for_its_cost():
    none = frozenset()
    units = [
        Unit(none, np.array([0.02, 0.0]), 1.0),
        Unit(none, np.array([0.0, 0.05]), 10.0),
        Unit(none, np.array([0.0, 0.01]), 1.0),
    ]
    assert greedy(units, {}) == [2, 1, 0]


def test_what_layers_share_counts_for_each_of_them():
    units = [
        Unit(frozenset("p"), np.array([0.01]), 1.0),
        Unit(frozenset("p"), np.array([0.02]), 1.0),
        Unit(frozenset(), np.array([0.06]), 1.0),
    ]
    assert greedy(units, {"p": np.array([0.07])}) == [2, 1, 0]
    assert greedy(units, {"p": np.array([0.09])}) == [1, 0, 2]  # the second gets rid of all of it


def test_winograd_makes_float_cheaper():
    b = Build()
    nodes: list[Node] = []
    for stride in (1, 2):
        b.conv(b.input(1, 32, 32, 32, name=f"x{stride}"), 32, strides=[stride, stride])
        nodes.append(b.graph.nodes[-1])
    assert cost_of(nodes[0]) < 2 * cost_of(nodes[1])  # of 4 times the work
