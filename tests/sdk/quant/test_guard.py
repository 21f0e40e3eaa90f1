# SPDX-License-Identifier: Apache-2.0
"""The guard leaves good models alone and keeps as few layers float as another needs."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from graph_builder import Build

from tealight.ir.graph import Graph
from tealight.ir.interpret import evaluate
from tealight.quant import recipe as recipes
from tealight.quant.apply import Data, apply
from tealight.quant.guard import protect
from tealight.quant.observers import Statistics
from tealight.quant.recipe import Recipe, Settings

STATIC = Settings(recipe="static_wi8_ai8")


def rows(n: int) -> list[dict[str, np.ndarray]]:
    return [{"x": np.random.default_rng(i).standard_normal((1, 24)).astype(np.float32)} for i in range(n)]


def chaotic(layers: int = 14) -> Graph:
    """Dense layers whose sines fold what comes in: each makes an error larger."""
    b = Build()
    b.spread = 0.5
    x = b.input(1, 24)
    for _ in range(layers):
        x = b.unary("sin", b.dense(x, 24))
    b.graph.outputs = [b.dense(x, 8)]
    for i, n in enumerate(n for n in b.graph.nodes if n.op == "fully_connected"):
        n.name = f"layer{i}"
    return b.graph


def calm() -> Graph:
    b = Build()
    b.spread = 0.2
    b.graph.outputs = [b.dense(b.unary("relu", b.dense(b.input(1, 24), 24)), 8)]
    return b.graph


def least_cosine(graph: Graph, wanted: list[np.ndarray]) -> float:
    cosines = []
    for feeds, y in zip(rows(6), wanted, strict=True):
        (x,) = evaluate(graph, feeds).values()
        cosines.append(float((x * y).sum() / np.sqrt((x * x).sum() * (y * y).sum())))
    return min(cosines)


@pytest.mark.parametrize("least", [0.0, 0.98])
def test_chaotic_model_keeps_first_layers(least: float, native: None) -> None:
    graph = chaotic()
    wanted = [next(iter(evaluate(graph, f).values())) for f in rows(6)]
    applied = apply(graph, Recipe("guarded", STATIC, min_cosine=least), Data(rows(6)), {})
    kept = [n.name for n in graph.nodes if n.op == "fully_connected"]
    if least == 0:
        assert not kept and least_cosine(graph, wanted) < 0.95
        return
    assert 0 < len(kept) < 15 and "layer0" in kept  # its errors are amplified most
    assert least_cosine(graph, wanted) > 0.95  # six runs; four of them were looked at
    assert any("stay float32 ('layer0'," in text for _, text in applied.notes)


def test_calm_model_is_left_alone(native: None) -> None:
    graph = calm()
    applied = apply(graph, recipes.load("static_wi8_ai8"), Data(rows(6)), {})
    assert not applied.notes and "fully_connected" not in [n.op for n in graph.nodes]


def test_last_layer_alone_where_that_is_enough(native: None) -> None:
    graph = calm()
    weight = graph.nodes[-1].inputs[1].const
    weight[:] *= np.logspace(0, 4, 8, dtype=np.float32)[:, None]  # one tensor for boxes and probabilities
    statistics = {v.name: Statistics() for v in graph.values() if not v.is_const}
    for s in statistics.values():
        s.update(np.linspace(-3, 3, 100, dtype=np.float32))  # the last range is far too small
    settings = {n: dataclasses.replace(STATIC, observer="minmax") for n in graph.nodes}
    found = protect(graph, settings, statistics, set(), rows(2), 0.98)
    assert [n.op for n in found.kept] == ["fully_connected"] and found.kept[0] is graph.nodes[-1]
    assert found.before < 0.98 <= found.after and found.layers == 2


def test_a_fragile_layer_alone_where_that_is_enough(native: None) -> None:
    """The seventh of ten layers has an output that int8 cannot hold; the six before it stay int8."""
    b = Build()
    b.spread = 0.2
    x = b.input(1, 24)
    for i in range(10):
        x = b.dense(x, 24)
        b.graph.nodes[-1].name = f"layer{i}"
    b.graph.outputs = [b.dense(x, 8)]
    spread = np.where(np.arange(24) % 2, 1.0, 3000.0).astype(np.float32)
    layers = [n for n in b.graph.nodes if n.op == "fully_connected"]
    layers[6].inputs[1].const[:] *= spread[:, None]
    layers[7].inputs[1].const[:] /= spread[None, :] ** 2
    recipe = Recipe("guarded", STATIC, methods={"equalization": False})
    apply(b.graph, recipe, Data(rows(6)), {})
    kept = {n.name for n in b.graph.nodes if n.op == "fully_connected"}
    assert kept and kept <= {"layer6", "layer7"}
